import Base
import HTTPServing
import KubeSchema

extension APICore {
    func list(_ request: ResourceRequest) throws(APIFailure) -> ServerResponse {
        let query = request.http.query
        let kind = request.kind
        let selection = try Selection(namespace: request.namespace, query: query, kind: kind)
        try ListVersion.check(query)
        // Zero and negative numbers mean no limit.
        let limit = try query.integer("limit") ?? 0
        _ = try query.integer("timeoutSeconds")
        var start: String?
        var version = try ListVersion.read(query)
        if let text = query["continue"], !text.isEmpty {
            if version != .unset && version != .any {
                throw .badRequest("specifying resource version is not allowed when using continue")
            }
            let token = try ContinueToken(parsing: text)
            start = token.start
            version = token.revision.map { .exact($0) } ?? .unset
        }
        let listing = try read(kind, version, isPage: start != nil, start: start)
        try store.settle(listing.revision)
        var objects = listing.objects.filter(selection.matches)
        if let start { objects = Array(objects.drop { $0.key.text < start }) }
        // With "resourceVersion=0" a real server answers from its watch cache and ignores the limit.
        guard limit > 0, version != .any, objects.count > limit else {
            return try answerList(request, objects: objects, revision: listing.revision)
        }
        let rest = objects.count - limit
        // The next page begins right after the last key of this page.
        let next = ContinueToken(revision: listing.revision, start: objects[limit - 1].key.text + "\0")
        return try answerList(
            request, objects: Array(objects.prefix(limit)), revision: listing.revision, next: next.text,
            remaining: selection.hasSelectors ? nil : rest)
    }

    private func read(_ kind: ServedKind, _ version: ListVersion, isPage: Bool, start: String?) throws(APIFailure)
        -> ObjectStore.Listing
    {
        do throws(ObjectStore.ListFailure) {
            switch version {
            case .unset, .any: return try store.list(kind.id)
            case .exact(let revision): return try store.list(kind.id, at: revision)
            case .notOlderThan(let revision):
                let listing = try store.list(kind.id)
                if revision > listing.revision { throw ObjectStore.ListFailure.future(current: listing.revision) }
                return listing
            }
        } catch {
            switch error {
            case .future(let current):
                guard case .notOlderThan(let wanted) = version else {
                    if case .exact(let wanted) = version { throw .tooLargeVersion(wanted, current: current) }
                    throw .internalError("no version")
                }
                throw .tooLargeVersion(wanted, current: current)
            case .expired:
                guard isPage, let start else { throw .expired("The resourceVersion for the provided list is too old.") }
                var failure = APIFailure.expired(
                    "The provided continue parameter is too old to display a consistent list result. You can start a new list without the "
                        + "continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
                        + "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or "
                        + "deleted between the time the first chunk was returned and now may show up in the list.")
                failure.continueToken = ContinueToken(revision: nil, start: start).text
                throw failure
            }
        }
    }

    /// The answer with a list in the requested form.
    func answerList(
        _ request: ResourceRequest, objects: [StoredObject], revision: UInt64, next: String = "", remaining: Int? = nil
    ) throws(APIFailure) -> ServerResponse {
        let kind = request.kind
        var metadata: JSONValue = ["resourceVersion": .string(String(revision))]
        // Lists of custom resources always have this member.
        if !next.isEmpty || (kind.isCustom && request.format.shape == .object) { metadata["continue"] = .string(next) }
        if let remaining, !next.isEmpty { metadata["remainingItemCount"] = JSONValue(remaining) }
        switch request.format.shape {
        case .table:
            let table = table(request, objects.map { kind.full($0) }, metadata: metadata)
            return finish(request, 200, [request.format.encode(table)], [])
        case .metadata:
            let items = objects.map { APICore.partial($0.value) }
            let list: JSONValue = [
                "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": metadata, "items": .array(items),
            ]
            return finish(request, 200, [request.format.encode(list)], [])
        case .object:
            break
        }
        var parts: [[UInt8]] = [
            Array(
                "{\"apiVersion\":\(JSONValue.string(kind.apiVersion).text),\"kind\":\(JSONValue.string(kind.listKind).text),\"metadata\":\(metadata.text),\"items\":["
                    .utf8)
        ]
        // As in a real server, items of built-in lists have neither `kind` nor `apiVersion`.
        let head = kind.isCustom ? kind.head : [UInt8(ascii: "{")]
        var chunk: [UInt8] = []
        for (index, object) in objects.enumerated() {
            if index > 0 { chunk.append(UInt8(ascii: ",")) }
            chunk += head
            chunk += object.body.dropFirst()
            if chunk.count > 1 << 18 {
                parts.append(chunk)
                chunk.removeAll(keepingCapacity: true)
            }
        }
        parts.append(chunk + Array("]}\n".utf8))
        if request.format.encoding == .yaml { parts = [request.format.encode(Array(parts.joined()))] }
        return finish(request, 200, parts, [])
    }
}

/// Which state of a collection a list shows (Kubernetes API concepts, "resource versions").
enum ListVersion: Equatable {
    /// The newest state.
    case unset
    /// "0": any state that is available.
    case any
    case exact(UInt64)
    case notOlderThan(UInt64)

    static func read(_ query: HTTPQuery) throws(APIFailure) -> ListVersion {
        let text = query["resourceVersion"] ?? ""
        if text.isEmpty { return .unset }
        guard let revision = UInt64(text), text.first != "+" else {
            throw .badRequest(
                "invalid resource version: resourceVersion: Invalid value: \"\(text)\": "
                    + "strconv.ParseUint: parsing \"\(text)\": invalid syntax")
        }
        if revision == 0 { return .any }
        return query["resourceVersionMatch"] == "Exact" ? .exact(revision) : .notOlderThan(revision)
    }

    /// Refuses the combinations of parameters that are not allowed (apimachinery `ValidateListOptions`).
    static func check(_ query: HTTPQuery) throws(APIFailure) {
        let match = query["resourceVersionMatch"] ?? ""
        let version = query["resourceVersion"] ?? ""
        var faults: [FieldError] = []
        if query.flag("watch") {
            if query["sendInitialEvents"] != nil {
                if match != "NotOlderThan" {
                    faults.append(
                        .forbidden(
                            "resourceVersionMatch", "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"))
                }
            } else if !match.isEmpty {
                faults.append(
                    .forbidden(
                        "resourceVersionMatch", "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
                    ))
            }
        } else {
            if query["sendInitialEvents"] != nil {
                faults.append(.forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"))
            }
            if !match.isEmpty {
                if version.isEmpty {
                    faults.append(
                        .forbidden("resourceVersionMatch", "resourceVersionMatch is forbidden unless resourceVersion is provided")
                    )
                }
                if !(query["continue"] ?? "").isEmpty {
                    faults.append(
                        .forbidden("resourceVersionMatch", "resourceVersionMatch is forbidden when continue is provided"))
                }
                if match != "Exact" && match != "NotOlderThan" {
                    faults.append(
                        .notSupported("resourceVersionMatch", .string(match), supported: ["Exact", "NotOlderThan", ""]))
                }
                if match == "Exact" && version == "0" {
                    faults.append(
                        .forbidden(
                            "resourceVersionMatch", "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\""))
                }
            }
        }
        if !faults.isEmpty { throw .invalid("meta.k8s.io", "ListOptions", "", faults) }
    }
}

/// The position at which a page ended.
struct ContinueToken {
    /// The revision that all pages show; nil means the newest, for a client that accepts that later pages are not consistent with earlier ones.
    var revision: UInt64?
    /// The first key of the next page.
    var start: String

    init(revision: UInt64?, start: String) {
        self.revision = revision
        self.start = start
    }

    var text: String {
        let value: JSONValue = [
            "v": "meta.k8s.io/v1", "rv": revision.map { .int(Int64(clamping: $0)) } ?? -1, "start": .string(start),
        ]
        return Base64.encode(value.serialized()).replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }

    init(parsing text: String) throws(APIFailure) {
        let standard = text.replacing("-", with: "+").replacing("_", with: "/").replacing("=", with: "")
        let padded = standard + String(repeating: "=", count: (4 - standard.utf8.count % 4) % 4)
        guard case .success(let bytes) = Base64.decode(padded) else {
            throw .badRequest("invalid continue token: continue key is not valid: illegal base64 data")
        }
        guard let value = try? JSONValue(parsing: bytes), let start = value["start"]?.string else {
            let first = bytes.first.map { String(UnicodeScalar($0)) } ?? ""
            let shown = bytes.first.map { $0 >= 0x7F ? "\\u00\(hex([$0]))" : first } ?? ""
            throw .badRequest(
                "invalid continue token: continue key is not valid: invalid character '\(shown)' looking for beginning of value")
        }
        guard value["v"]?.string == "meta.k8s.io/v1", let revision = value["rv"]?.int, !start.isEmpty else {
            throw .badRequest("invalid continue token: continue key is not valid: server does not recognize this encoded version")
        }
        self.revision = revision < 0 ? nil : UInt64(revision)
        self.start = start
    }
}
