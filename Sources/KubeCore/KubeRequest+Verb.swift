extension KubeRequest {
    /// The verb of the API that the request is, as in a Role: `get`, `list`, `watch`, `create`, `update`, `patch`, `delete` or `deletecollection`.
    /// Requests outside of resources (`/version`) are `get`.
    public var verb: String {
        switch method {
        case "POST": "create"
        case "PUT": "update"
        case "PATCH": "patch"
        case "DELETE": isCollection ? "deletecollection" : "delete"
        default:
            if query.contains(where: { $0.name == "watch" && ["1", "true"].contains($0.value) }) { "watch" } else { isCollection ? "list" : "get" }
        }
    }

    /// Whether the path ends with the name of a resource type, as `/api/v1/namespaces/a/pods` does.
    private var isCollection: Bool {
        var segments = path.split(separator: "/")[...]
        switch segments.first {
        case "api": segments = segments.dropFirst(2)
        case "apis": segments = segments.dropFirst(3)
        default: return false
        }
        if segments.first == "namespaces", segments.count > 2 { segments = segments.dropFirst(2) }
        return segments.count == 1
    }
}
