import Base
import HTTPTransport
import KubeCore

extension KubeClient {
    /// Reads one page of a list. ``listAll(_:namespace:options:)`` reads all pages.
    ///
    /// - Parameters:
    ///   - namespace: nil lists all namespaces.
    ///   - projection: the part of each item that is kept.
    public func list(
        _ type: ResourceType, namespace: String? = nil, options: ListOptions = ListOptions(), keeping projection: ObjectProjection = .whole
    ) async throws(KubeError) -> ListPage {
        let bytes = try await listRaw(type, namespace: namespace, options: options)
        do { return try ListPage(parsing: bytes, type: type, keeping: projection) } catch {
            throw .malformed("\(type): \(error)")
        }
    }

    /// The bytes of one page, for callers that read them with a `JSONReader` instead of building a tree.
    public func listRaw(
        _ type: ResourceType, namespace: String? = nil, options: ListOptions = ListOptions()
    ) async throws(KubeError) -> [UInt8] {
        let request = try KubeClient.building { () throws(KubeRequestError) in
            try .list(type, namespace: namespace, options: options)
        }
        return try await send(request).body
    }

    /// Reads the whole list, page by page. The version is that of the first page. If the continue token expires, the list is read again without
    /// pages, so the result is never made of two lists.
    public func listAll(
        _ type: ResourceType, namespace: String? = nil, options: ListOptions = ListOptions()
    ) async throws(KubeError) -> ListPage {
        var options = options
        options.continueToken = nil
        var all = try await list(type, namespace: namespace, options: options)
        while let token = all.continueToken {
            options.continueToken = token
            do {
                let page = try await list(type, namespace: namespace, options: options)
                all.items += page.items
                all.continueToken = page.continueToken
            } catch {
                guard error.isGone else { throw error }
                options.continueToken = nil
                options.limit = nil
                options.resourceVersion = nil
                options.resourceVersionMatch = nil
                all = try await list(type, namespace: namespace, options: options)
            }
        }
        all.remaining = nil
        return all
    }

    /// Starts a watch and returns when the server has accepted it. A refusal is thrown with its `Retry-After`; a failed connection is thrown when the
    /// lines are read. Neither is retried here.
    ///
    /// A stream that is silent for `timeoutSeconds` and 5 s more fails with a timeout.
    public func watch(
        _ type: ResourceType, namespace: String? = nil, options: WatchOptions
    ) async throws(KubeError) -> WatchLines {
        let request = try KubeClient.building { () throws(KubeRequestError) in
            try .watch(type, namespace: namespace, options: options)
        }
        let timeouts = HTTPTimeouts(idle: options.timeoutSeconds.map { Double($0) + 5 })
        return WatchLines(try await open(request, timeouts: timeouts, waits: false).body)
    }

    /// Reads the log of a container. Without `follow` it ends with the last line that exists now.
    public func podLog(
        _ key: ObjectKey, container: String = "", options: LogOptions = LogOptions()
    ) async throws(KubeError) -> HTTPBody {
        let request = try KubeClient.building { () throws(KubeRequestError) in
            try .podLog(key, container: container, options: options)
        }
        // A container that writes nothing does not mean a dead connection; TCP keep-alive detects those.
        let timeouts = HTTPTimeouts(idle: options.follow ? nil : KubeClient.silence)
        // A followed log stays open as long as its container runs, so it does not count against the limit.
        return try await open(
            request, timeouts: timeouts, waits: true, budget: options.follow ? nil : budgets?.logs
        ).body
    }
}
