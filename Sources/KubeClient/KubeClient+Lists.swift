import Base
import HTTPTransport
import KubeCore

extension KubeClient {
    /// One page of a list. See ``listAll(_:namespace:options:)`` for all of it.
    ///
    /// - Parameters:
    ///   - namespace: nil lists every namespace.
    ///   - projection: the part that is kept of each item.
    public func list(
        _ type: ResourceType, namespace: String? = nil, options: ListOptions = ListOptions(), keeping projection: ObjectProjection = .whole
    ) async throws(KubeError) -> ListPage {
        let bytes = try await listRaw(type, namespace: namespace, options: options)
        do { return try ListPage(parsing: bytes, type: type, keeping: projection) } catch {
            throw .malformed("\(type): \(error)")
        }
    }

    /// The bytes of one page, for who projects them with a `JSONReader` instead of building a tree.
    public func listRaw(
        _ type: ResourceType, namespace: String? = nil, options: ListOptions = ListOptions()
    ) async throws(KubeError) -> [UInt8] {
        let request = try KubeClient.building { () throws(KubeRequestError) in
            try .list(type, namespace: namespace, options: options)
        }
        return try await send(request).body
    }

    /// The whole list, page by page. The version is that of the first page. When the pages expire on the way, everything is
    /// asked for at once: the result is never made of two lists.
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

    /// Starts a watch and returns when the server has accepted it. It is not retried here: a refusal is thrown, with its
    /// `Retry-After`; so is a failure of the connection, by the lines.
    ///
    /// A stream that is silent for `timeoutSeconds` and 5 s more fails with a timeout: the connection is taken for dead.
    public func watch(
        _ type: ResourceType, namespace: String? = nil, options: WatchOptions
    ) async throws(KubeError) -> WatchLines {
        let request = try KubeClient.building { () throws(KubeRequestError) in
            try .watch(type, namespace: namespace, options: options)
        }
        let timeouts = HTTPTimeouts(idle: options.timeoutSeconds.map { Double($0) + 5 })
        return WatchLines(try await open(request, timeouts: timeouts, waits: false).body)
    }

    /// The log of a container, as it comes. Without `follow` it ends at what is there now.
    public func podLog(
        _ key: ObjectKey, container: String = "", options: LogOptions = LogOptions()
    ) async throws(KubeError) -> HTTPBody {
        let request = try KubeClient.building { () throws(KubeRequestError) in
            try .podLog(key, container: container, options: options)
        }
        // A container that says nothing is not a dead connection; keep-alive probes find those.
        let timeouts = HTTPTimeouts(idle: options.follow ? nil : KubeClient.silence)
        // A log that is followed lasts as long as its container: it would keep a place from calls that end.
        return try await open(
            request, timeouts: timeouts, waits: true, budget: options.follow ? nil : budgets?.logs
        ).body
    }
}
