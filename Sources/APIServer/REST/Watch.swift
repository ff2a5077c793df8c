import Base
import HTTPServing

extension APICore {
    /// Streams the changes of a collection, or of one object in it.
    func watch(_ request: ResourceRequest) throws(APIFailure) -> ServerResponse {
        let query = request.http.query
        try ListVersion.check(query)
        var selection = try Selection(namespace: request.namespace, query: query, kind: request.kind)
        if let name = request.name { selection.fields = try FieldSelector(parsing: "metadata.name=\(name)", kind: request.kind) }
        let version = try ListVersion.read(query)
        let wakeup: Wakeup
        do {
            wakeup = try Wakeup()
        } catch {
            throw .internalError("\(error)")
        }
        var options = WatchSession.Options()
        options.sendsInitialEvents =
            query.flag("sendInitialEvents") || (query["sendInitialEvents"] == nil && (version == .unset || version == .any))
        options.marksInitialEnd = query.flag("sendInitialEvents") && query.flag("allowWatchBookmarks")
        options.sendsBookmarks = query.flag("allowWatchBookmarks")
        if let seconds = query["timeoutSeconds"].flatMap({ Double($0) }), seconds > 0 {
            options.seconds = seconds
        } else {
            options.seconds = Double.random(in: 1800...3600)
        }
        switch version {
        case .unset, .any: options.revision = nil
        case .exact(let revision), .notOlderThan(let revision): options.revision = revision
        }
        // A version that is too old is refused with an HTTP status, before the stream begins.
        if !options.sendsInitialEvents, let revision = options.revision, store.events(request.kind.id, after: revision) == nil {
            throw .expired("The resourceVersion for the provided watch is too old.")
        }
        let session = WatchSession(core: self, request: request, selection: selection, options: options, wakeup: wakeup)
        let type = request.format.encoding == .yaml ? "application/yaml" : "application/json"
        return ServerResponse(status: 200, contentType: type) { writer in try session.run(writer) }
    }
}

/// One watch: its position in the history, and the format of its events.
final class WatchSession: Sendable {
    struct Options: Sendable {
        /// Resume after this revision; nil means from now on.
        var revision: UInt64?
        var sendsInitialEvents = false
        /// Whether a bookmark marks the end of the initial events.
        var marksInitialEnd = false
        var sendsBookmarks = false
        var seconds = 0.0
    }

    /// Seconds between bookmarks, which tell the client of an idle watch the current revision.
    private static let bookmarkInterval = 60.0

    private let core: APICore
    private let request: ResourceRequest
    private let selection: Selection
    private let options: Options
    private let wakeup: Wakeup

    init(core: APICore, request: ResourceRequest, selection: Selection, options: Options, wakeup: Wakeup) {
        self.core = core
        self.request = request
        self.selection = selection
        self.options = options
        self.wakeup = wakeup
    }

    func run(_ writer: HTTPBodyWriter) throws {
        let resource = request.kind.id
        let begin = core.time.monotonic()
        let deadline = begin + options.seconds
        core.store.subscribe(wakeup, to: resource)
        defer { core.store.unsubscribe(wakeup, from: resource) }
        guard var seen = try start(writer, deadline: deadline) else { return }
        var nextBookmark = begin + Self.bookmarkInterval
        var isLastBookmarkSent = false
        while true {
            guard let news = core.store.events(resource, after: seen) else {
                try writer.write(line("ERROR", APIFailure.expired("too old resource version: \(seen)").object.serialized()))
                return
            }
            var batch: [UInt8] = []
            for event in news.events {
                if let shown = show(event) { batch += shown }
                if batch.count > 1 << 18 {
                    try writer.write(batch)
                    batch = []
                }
            }
            try writer.write(batch)
            seen = news.seen
            // When a definition is deleted, the watches of its resources end.
            if request.kind.isCustom, core.registry.kind(of: resource) == nil { return }
            let now = core.time.monotonic()
            if options.sendsBookmarks, now >= nextBookmark {
                try writer.write(bookmark(seen, isInitialEnd: false))
                nextBookmark = now + Self.bookmarkInterval
            }
            // One more bookmark is sent shortly before the end, so that the next watch can resume from a recent revision.
            if options.sendsBookmarks, !isLastBookmarkSent, deadline - now <= 2, options.seconds > 10 {
                try writer.write(bookmark(seen, isInitialEnd: false))
                isLastBookmarkSent = true
            }
            if now >= deadline { return }
            let next =
                options.sendsBookmarks
                ? min(deadline, nextBookmark, isLastBookmarkSent || options.seconds <= 10 ? deadline : deadline - 2) : deadline
            if writer.wait(for: wakeup, until: max(next, now + 0.001)) == .closed { return }
        }
    }

    /// Sends the existing objects, if that was requested.
    /// - Returns: the revision after which changes follow; nil when the watch has ended.
    private func start(_ writer: HTTPBodyWriter, deadline: Double) throws -> UInt64? {
        guard options.sendsInitialEvents else {
            if let revision = options.revision { return revision }
            return core.store.revision
        }
        if let wanted = options.revision, wanted > core.store.revision, !wait(for: wanted, writer, deadline: deadline) {
            return nil
        }
        let listing = try core.store.list(request.kind.id)
        try core.store.settle(listing.revision)
        var batch: [UInt8] = []
        for object in listing.objects where selection.matches(object) {
            batch += line("ADDED", body(object))
            if batch.count > 1 << 18 {
                try writer.write(batch)
                batch = []
            }
        }
        if options.marksInitialEnd { batch += bookmark(listing.revision, isInitialEnd: true) }
        try writer.write(batch)
        return listing.revision
    }

    private func wait(for revision: UInt64, _ writer: HTTPBodyWriter, deadline: Double) -> Bool {
        while core.store.revision < revision {
            if writer.wait(for: wakeup, until: deadline) != .woken { return false }
        }
        return true
    }

    /// The event for this watch's selection: an object that begins to match is reported as added, one that no longer matches as deleted.
    private func show(_ event: StoreEvent) -> [UInt8]? {
        let isIn = event.kind != .deleted && selection.matches(event.object)
        let wasIn = event.previous.map(selection.matches) ?? false
        switch (wasIn, isIn) {
        case (false, false): return nil
        case (false, true): return line("ADDED", body(event.object))
        case (true, true): return line("MODIFIED", body(event.object))
        case (true, false):
            if event.kind == .deleted { return line("DELETED", body(event.object)) }
            // Sends the last state that matched, at the revision in which the object stopped matching.
            guard let previous = event.previous else { return nil }
            let last = StoredObject(resource: request.kind.id, key: previous.key, revision: event.revision, value: previous.value)
            return line("DELETED", body(last))
        }
    }

    private func body(_ object: StoredObject) -> [UInt8] {
        switch request.format.shape {
        case .object: return request.kind.bytes(object)
        case .metadata: return APICore.partial(object)
        case .table:
            let metadata: JSONValue = ["resourceVersion": .string(String(object.revision))]
            return core.table(request, [request.kind.full(object)], metadata: metadata).serialized()
        }
    }

    private func bookmark(_ revision: UInt64, isInitialEnd: Bool) -> [UInt8] {
        var metadata: JSONValue = ["resourceVersion": .string(String(revision)), "creationTimestamp": .null]
        if isInitialEnd { metadata["annotations"] = ["k8s.io/initial-events-end": "true"] }
        let object: JSONValue
        switch request.format.shape {
        case .object:
            object = ["kind": .string(request.kind.kind), "apiVersion": .string(request.kind.apiVersion), "metadata": metadata]
        case .metadata:
            object = ["kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata]
        case .table:
            var table = core.table(request, [], metadata: ["resourceVersion": .string(String(revision))])
            let marked: JSONValue = ["kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata]
            table["rows"] = [["cells": [], "object": marked]]
            object = table
        }
        return line("BOOKMARK", object.serialized())
    }

    private func line(_ type: String, _ object: [UInt8]) -> [UInt8] {
        if request.format.encoding == .yaml, let value = try? JSONValue(parsing: object) {
            return Array("---\n".utf8) + request.format.encode(["type": .string(type), "object": value])
        }
        var bytes = Array("{\"type\":\"\(type)\",\"object\":".utf8)
        bytes += object
        bytes += [UInt8(ascii: "}"), 10]
        return bytes
    }
}
