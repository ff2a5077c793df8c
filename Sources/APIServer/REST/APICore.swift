import Base
import HTTPServing
import KubeCore

/// Answers requests by means of the store and the kinds. It does no network I/O.
final class APICore: Sendable {
    let store: ObjectStore
    let registry = KindRegistry()
    let token: String?
    let tokens: ServiceAccountTokens
    let logProvider = Locked<(any PodLogProvider)?>(nil)
    let discovery: DiscoveryDocuments
    let time: any TimeSource
    /// Locked while the stored definitions are read and registered, so that an older reading never replaces a newer one.
    private let refreshing = Locked(())

    init(store: ObjectStore, token: String?, time: any TimeSource = SystemTime()) {
        self.store = store
        self.token = token
        tokens = ServiceAccountTokens(secret: token)
        self.time = time
        discovery = DiscoveryDocuments(registry: registry)
        refreshDefinitions()
    }

    var now: Timestamp { time.now() }
    var access: AccessRules { AccessRules(store: store) }

    /// Makes the registry serve the kinds of the stored definitions.
    func refreshDefinitions() {
        let before = refreshing.withLock { _ in
            let before = registry.all.filter(\.isCustom)
            registry.setDefinitions(store.references(in: .customResourceDefinitions).sorted { $0.key < $1.key })
            return before
        }
        for kind in before where registry.kind(of: kind.id) == nil { store.wakeWatchers(of: kind.id) }
    }

    // MARK: Requests

    func handle(_ request: ServerRequest) -> ServerResponse {
        let format = OutputFormat.negotiate(request.header("accept"))
        do {
            return try route(request, format)
        } catch {
            return refusal(error, request: request, format: format)
        }
    }

    func refusal(_ failure: APIFailure, request: ServerRequest, format: OutputFormat?) -> ServerResponse {
        var response: ServerResponse
        if format == nil, (request.header("accept") ?? "").contains("protobuf") {
            response = ServerResponse(
                status: failure.code, contentType: "application/vnd.kubernetes.protobuf", parts: [ProtobufStatus.encode(failure)])
        } else {
            let format = format ?? OutputFormat()
            response = ServerResponse(
                status: failure.code, contentType: format.contentType, parts: [format.encode(failure.object)])
        }
        response.addWarnings(failure.warnings)
        if let seconds = failure.retryAfterSeconds { response.headers.append(("Retry-After", String(seconds))) }
        if failure.code == 401 { response.headers.append(("WWW-Authenticate", "Bearer realm=\"assay\"")) }
        return response
    }

    private func route(_ request: ServerRequest, _ format: OutputFormat?) throws(APIFailure) -> ServerResponse {
        let path = request.segments
        switch path.first {
        case "healthz", "readyz", "livez": return .text(200, "ok")
        default: break
        }
        let user = try authenticate(request)
        switch (path.first, path.count) {
        case ("api", 1), ("apis", 1), ("apis", 2), ("version", 1), ("openapi", _), (nil, _):
            return try discovery.answer(request, format ?? OutputFormat(), path)
        case ("api", _):
            return try resource(request, format, user, group: "", version: path[1], rest: path.dropFirst(2))
        case ("apis", _):
            return try resource(request, format, user, group: path[1], version: path[2], rest: path.dropFirst(3))
        default:
            return .text(404, "404 page not found\n")
        }
    }

    /// Who sends a request. A token that was sent must be valid, even when none is required.
    ///
    /// The token may also come as a password, of basic authentication or for a proxy. The reason is that client-go, and so kubectl, sends no token
    /// over plain HTTP (`tools/clientcmd`, "only try to read the auth information if we are secure"), but does send the password of a `proxy-url`.
    /// A kubeconfig that names this server as its own proxy keeps the token out of the server's address, which clients print.
    private func authenticate(_ request: ServerRequest) throws(APIFailure) -> RequestUser {
        guard let sent = request.header("authorization") ?? request.header("proxy-authorization") else {
            if token != nil { throw .unauthorized }
            return .administrator
        }
        let parts = sent.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, let secret = Self.secret(scheme: parts[0].lowercased(), String(parts[1])), let user = user(of: secret) else {
            throw .unauthorized
        }
        return user
    }

    private static func secret(scheme: String, _ text: String) -> String? {
        switch scheme {
        case "bearer": return text
        case "basic":
            guard case .success(let pair) = Base64.decode(text), let colon = pair.firstIndex(of: UInt8(ascii: ":")) else { return nil }
            return String(decoding: pair[(colon + 1)...], as: UTF8.self)
        default: return nil
        }
    }

    private func resource(
        _ request: ServerRequest, _ format: OutputFormat?, _ user: RequestUser, group: String, version: String, rest: ArraySlice<String>
    ) throws(APIFailure) -> ServerResponse {
        guard registry.serves(group, version) else { return .text(404, "404 page not found\n") }
        if rest.isEmpty { return try discovery.answer(request, format ?? OutputFormat(), request.segments) }
        var parts = Array(rest)
        var namespace = ""
        // `/namespaces/NAME` and its own subresources address the namespace; a longer path addresses something in the namespace.
        if parts[0] == "namespaces", parts.count > 2, !["status", "finalize"].contains(parts[2]) || parts.count > 3 {
            namespace = parts[1]
            parts.removeFirst(2)
        }
        let nowhere = ServerResponse.text(404, "404 page not found\n")
        guard parts.count <= 3, let kind = registry.kind(group, version, parts[0]) else { return nowhere }
        if !namespace.isEmpty && !kind.isNamespaced { return nowhere }
        let name = parts.count > 1 ? parts[1] : nil
        let subresource = parts.count > 2 ? parts[2] : nil
        if kind.isNamespaced, namespace.isEmpty, name != nil || request.method == "POST" { return nowhere }
        if let subresource, kind.subresource(subresource) == nil {
            if kind.isCustom { throw kind.notFound(name ?? "") }
            return nowhere
        }
        let isLog = subresource == "log"
        guard let format = isLog ? format ?? OutputFormat() : format else { throw .notAcceptable(OutputFormat.accepted) }
        let target = ResourceRequest(
            http: request, kind: kind, namespace: namespace, name: name, subresource: subresource, format: format, user: user)
        let wanted = AccessAttributes(target)
        guard access.allows(user, wanted) else { throw wanted.refusal(for: user) }
        if format.shape == .table, let include = request.query["includeObject"], !["", "Metadata", "Object", "None"].contains(include) {
            throw .badRequest(
                "Unable to convert to Table as requested: includeObject: Invalid value: \(JSONValue.string(include).text): "
                    + "must be 'Metadata', 'Object', 'None', or empty")
        }
        return try dispatch(target)
    }

    private func dispatch(_ request: ResourceRequest) throws(APIFailure) -> ServerResponse {
        if let subresource = request.subresource, subresource != "status" {
            return try special(request, subresource)
        }
        let isNamed = request.name != nil
        switch request.http.method {
        case "GET", "HEAD":
            guard request.kind.verbs.contains("get") else { throw .methodNotAllowed }
            if isNamed { return request.http.query.flag("watch") ? try watch(request) : try get(request) }
            return request.http.query.flag("watch") ? try watch(request) : try list(request)
        case "POST":
            // A real server allows a POST of a custom resource to a path with a name.
            guard request.subresource == nil, !isNamed || request.kind.isCustom else { throw unsupported("create", request) }
            return try create(request)
        case "PUT":
            guard isNamed else { throw request.kind.isCustom ? .badRequest("name must be provided") : .methodNotAllowed }
            return try replace(request)
        case "PATCH":
            guard isNamed else { throw request.kind.isCustom ? .badRequest("name must be provided") : .methodNotAllowed }
            return try patch(request)
        case "DELETE":
            guard request.subresource == nil, request.kind.verbs.contains(isNamed ? "delete" : "deletecollection") else {
                throw unsupported("delete", request)
            }
            return isNamed ? try delete(request) : try deleteCollection(request)
        default:
            throw .methodNotAllowed
        }
    }

    private func unsupported(_ operation: String, _ request: ResourceRequest) -> APIFailure {
        request.kind.isCustom ? .notSupported(operation, request.kind.group, request.kind.plural) : .methodNotAllowed
    }

    private func special(_ request: ResourceRequest, _ subresource: String) throws(APIFailure) -> ServerResponse {
        switch (request.kind.id, subresource, request.http.method) {
        case (.pods, "log", "GET"): return try podLog(request)
        case (.pods, "binding", "POST"): return try bind(request)
        case (.pods, "eviction", "POST"): return try evict(request)
        case (.serviceAccounts, "token", "POST"): return try requestToken(request)
        case (.namespaces, "finalize", "PUT"): return try finalizeNamespace(request)
        default: throw .methodNotAllowed
        }
    }
}
