import Base

// The builders refuse names that would change what a path means: an empty name would turn a delete of one object into a
// delete of all. The rule for path segments is that of apimachinery's `IsValidPathSegmentName`.
extension KubeRequest {
    /// The path of a collection, or of an object, or of a subresource of it.
    ///
    /// - Parameter namespace: nil or empty for all namespaces (collections) or cluster scope.
    public static func path(
        _ type: ResourceType, namespace: String?, name: String? = nil, subresource: String? = nil
    ) throws(KubeRequestError) -> String {
        var path = type.basePath
        if let namespace, !namespace.isEmpty {
            guard type.namespaced else {
                throw KubeRequestError(
                    message: "\(type) have no namespace, but \(namespace) was given: leave it out")
            }
            path += "/namespaces/" + (try segment(namespace, "namespace"))
        }
        path += "/" + type.plural
        guard let name else { return path }
        if type.namespaced, namespace ?? "" == "" {
            throw KubeRequestError(message: "\(type) are namespaced, but no namespace was given for \(name)")
        }
        path += "/" + (try segment(name, "name"))
        if let subresource { path += "/" + (try segment(subresource, "subresource")) }
        return path
    }

    private static func segment(_ text: String, _ what: String) throws(KubeRequestError) -> String {
        if text.isEmpty { throw KubeRequestError(message: "the \(what) is empty") }
        if text == "." || text == ".." || text.utf8.contains(UInt8(ascii: "/")) || text.utf8.contains(UInt8(ascii: "%"))
            || text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F })
        {
            throw KubeRequestError(
                message: "the \(what) \(text.debugDescription) cannot be used in a path: use letters, digits, '-' and '.'")
        }
        return PercentEncoding.encode(text)
    }

    public static func get(
        _ type: ResourceType, _ key: ObjectKey, subresource: String? = nil
    ) throws(KubeRequestError) -> KubeRequest {
        KubeRequest(
            method: "GET",
            path: try path(type, namespace: key.namespace, name: key.name, subresource: subresource))
    }

    public static func list(
        _ type: ResourceType, namespace: String?, options: ListOptions = ListOptions()
    ) throws(KubeRequestError) -> KubeRequest {
        KubeRequest(method: "GET", path: try path(type, namespace: namespace), query: options.query)
    }

    public static func watch(
        _ type: ResourceType, namespace: String?, options: WatchOptions = WatchOptions()
    ) throws(KubeRequestError) -> KubeRequest {
        KubeRequest(method: "GET", path: try path(type, namespace: namespace), query: options.query)
    }

    /// Creates in `namespace`, or in the object's own when it is nil.
    public static func create(
        _ type: ResourceType, _ object: JSONValue, namespace: String? = nil, fieldManager: String? = nil,
        dryRun: Bool = false, fieldValidation: String? = nil
    ) throws(KubeRequestError) -> KubeRequest {
        let own = object.at("metadata", "namespace")?.string
        let target = type.namespaced ? (namespace ?? own) : nil
        if type.namespaced, target ?? "" == "" {
            throw KubeRequestError(message: "\(type) are namespaced, but the object has no namespace")
        }
        return KubeRequest(
            method: "POST", path: try path(type, namespace: target),
            query: writeQuery(fieldManager, dryRun, fieldValidation), body: object.serialized())
    }

    /// Replaces a whole object, or a whole subresource of it. The key comes from the object's metadata.
    public static func update(
        _ type: ResourceType, _ object: JSONValue, subresource: String? = nil, fieldManager: String? = nil,
        dryRun: Bool = false
    ) throws(KubeRequestError) -> KubeRequest {
        guard let key = ObjectKey(of: object) else {
            throw KubeRequestError(message: "the \(type.kind) to update has no metadata.name")
        }
        return KubeRequest(
            method: "PUT",
            path: try path(type, namespace: key.namespace, name: key.name, subresource: subresource),
            query: writeQuery(fieldManager, dryRun, nil), body: object.serialized())
    }

    public static func patch(
        _ type: ResourceType, _ key: ObjectKey, _ patch: Patch, subresource: String? = nil,
        fieldManager: String? = nil, dryRun: Bool = false, fieldValidation: String? = nil
    ) throws(KubeRequestError) -> KubeRequest {
        var query: [QueryItem]
        if case .apply(_, let manager, let force) = patch {
            query = writeQuery(manager, dryRun, fieldValidation)
            if force { query.append(QueryItem("force", "true")) }
        } else {
            query = writeQuery(fieldManager, dryRun, fieldValidation)
        }
        return KubeRequest(
            method: "PATCH",
            path: try path(type, namespace: key.namespace, name: key.name, subresource: subresource),
            query: query, body: patch.body.serialized(), contentType: patch.contentType)
    }

    public static func delete(
        _ type: ResourceType, _ key: ObjectKey, options: DeleteOptions = DeleteOptions()
    ) throws(KubeRequestError) -> KubeRequest {
        KubeRequest(
            method: "DELETE", path: try path(type, namespace: key.namespace, name: key.name),
            body: options.body?.serialized())
    }

    /// Deletes the objects that a list with `selecting` would return.
    public static func deleteCollection(
        _ type: ResourceType, namespace: String?, selecting: ListOptions = ListOptions(limit: nil),
        options: DeleteOptions = DeleteOptions()
    ) throws(KubeRequestError) -> KubeRequest {
        KubeRequest(
            method: "DELETE", path: try path(type, namespace: namespace), query: selecting.query,
            body: options.body?.serialized())
    }

    /// The log of one container of a pod. The container name may be empty when the pod has only one.
    public static func podLog(
        _ key: ObjectKey, container: String = "", options: LogOptions = LogOptions()
    ) throws(KubeRequestError) -> KubeRequest {
        var query: [QueryItem] = []
        if !container.isEmpty { query.append(QueryItem("container", container)) }
        if options.follow { query.append(QueryItem("follow", "true")) }
        if let lines = options.tailLines { query.append(QueryItem("tailLines", String(lines))) }
        if let bytes = options.limitBytes { query.append(QueryItem("limitBytes", String(bytes))) }
        if let seconds = options.sinceSeconds { query.append(QueryItem("sinceSeconds", String(seconds))) }
        if let time = options.sinceTime { query.append(QueryItem("sinceTime", time)) }
        if options.previous { query.append(QueryItem("previous", "true")) }
        if options.timestamps { query.append(QueryItem("timestamps", "true")) }
        return KubeRequest(
            method: "GET", path: try path(.pods, namespace: key.namespace, name: key.name, subresource: "log"),
            query: query, accept: "text/plain, application/json, */*")
    }

    private static func writeQuery(
        _ fieldManager: String?, _ dryRun: Bool, _ fieldValidation: String?
    ) -> [QueryItem] {
        var query: [QueryItem] = []
        if let fieldManager { query.append(QueryItem("fieldManager", fieldManager)) }
        if dryRun { query.append(QueryItem("dryRun", "All")) }
        if let fieldValidation { query.append(QueryItem("fieldValidation", fieldValidation)) }
        return query
    }
}

extension ListOptions {
    /// The query parameters. With a continue token, version parameters are left out.
    var query: [KubeRequest.QueryItem] {
        var query: [KubeRequest.QueryItem] = []
        if let labelSelector { query.append(.init("labelSelector", labelSelector)) }
        if let fieldSelector { query.append(.init("fieldSelector", fieldSelector)) }
        if let limit { query.append(.init("limit", String(limit))) }
        if let continueToken {
            query.append(.init("continue", continueToken))
        } else {
            if let resourceVersion { query.append(.init("resourceVersion", resourceVersion)) }
            if let match = resourceVersionMatch { query.append(.init("resourceVersionMatch", match.rawValue)) }
        }
        return query
    }
}

extension WatchOptions {
    var query: [KubeRequest.QueryItem] {
        var query: [KubeRequest.QueryItem] = [.init("watch", "true")]
        if let labelSelector { query.append(.init("labelSelector", labelSelector)) }
        if let fieldSelector { query.append(.init("fieldSelector", fieldSelector)) }
        if let resourceVersion { query.append(.init("resourceVersion", resourceVersion)) }
        if let match = resourceVersionMatch { query.append(.init("resourceVersionMatch", match.rawValue)) }
        if let timeoutSeconds { query.append(.init("timeoutSeconds", String(timeoutSeconds))) }
        if allowBookmarks { query.append(.init("allowWatchBookmarks", "true")) }
        if let sendInitialEvents { query.append(.init("sendInitialEvents", String(sendInitialEvents))) }
        return query
    }
}
