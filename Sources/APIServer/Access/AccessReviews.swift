import Base
import HTTPServing

/// The questions of a user about itself, and tokens for service accounts: `kubectl auth whoami`, `auth can-i` and `create token`.
extension APICore {
    /// Kinds that are answered at once and never stored.
    static let reviewKinds: Set<String> = ["selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"]

    func review(_ request: ResourceRequest, _ body: JSONValue) -> ServerResponse {
        var value = body
        switch request.kind.plural {
        case "selfsubjectaccessreviews": value["status"] = accessStatus(request, body["spec"] ?? [:])
        case "selfsubjectrulesreviews": value["status"] = rulesStatus(request, namespace: body.at("spec", "namespace")?.string ?? "")
        default: value["status"] = ["userInfo": request.user.value]
        }
        return answer(request, value: value, status: 201)
    }

    private func accessStatus(_ request: ResourceRequest, _ spec: JSONValue) -> JSONValue {
        guard let wanted = spec["resourceAttributes"] else {
            // Discovery and health: every user that the server knows may read them.
            let isRead = ["get", "head"].contains(spec.at("nonResourceAttributes", "verb")?.string)
            return ["allowed": .bool(request.user.isAdministrator || isRead)]
        }
        let isAllowed = access.allows(
            request.user,
            AccessAttributes(
                verb: wanted["verb"]?.string ?? "", group: wanted["group"]?.string ?? "", resource: wanted["resource"]?.string ?? "",
                subresource: wanted["subresource"]?.string, name: wanted["name"]?.string ?? "", namespace: wanted["namespace"]?.string ?? ""))
        var status: JSONValue = ["allowed": .bool(isAllowed)]
        if request.user.isAdministrator { status["reason"] = "the server's own token may do everything" }
        return status
    }

    private func rulesStatus(_ request: ResourceRequest, namespace: String) -> JSONValue {
        let rules = access.grants(of: request.user).filter { $0.namespace == nil || $0.namespace == namespace }.map { grant -> JSONValue in
            var rule = grant.rule
            for field in ["verbs", "apiGroups", "resources"] where rule[field] == nil { rule[field] = [] }
            return rule
        }
        let reads: JSONValue = [
            "verbs": ["get"],
            "nonResourceURLs": ["/healthz", "/livez", "/readyz", "/version", "/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*"],
        ]
        let every: JSONValue = ["verbs": ["*"], "nonResourceURLs": ["*"]]
        return [
            "resourceRules": .array(rules), "nonResourceRules": [request.user.isAdministrator ? every : reads], "incomplete": false,
        ]
    }

    /// `POST .../serviceaccounts/NAME/token`.
    func requestToken(_ request: ResourceRequest) throws(APIFailure) -> ServerResponse {
        let body = try subresourceBody(request)
        guard let account = store.get(request.kind.id, request.key) else { throw request.kind.notFound(request.name ?? "") }
        let seconds = body.at("spec", "expirationSeconds")?.int ?? 3600
        guard (600...4_294_967_296).contains(seconds) else {
            throw .invalid(
                "authentication.k8s.io", "TokenRequest", "",
                [.invalid("spec.expirationSeconds", .int(Int64(seconds)), "may not specify a duration less than 10 minutes")])
        }
        let moment = now
        let audiences = (body.at("spec", "audiences")?.array ?? []).compactMap(\.string)
        let token = tokens.issue(
            .init(namespace: account.namespace, name: account.name, uid: account.uid), audiences: audiences, now: moment, seconds: seconds)
        let value: JSONValue = [
            "kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1",
            "metadata": ["name": .string(account.name), "namespace": .string(account.namespace), "creationTimestamp": .string(moment.rfc3339)],
            "spec": [
                "audiences": .array(audiences.map { .string($0) }), "expirationSeconds": .int(Int64(seconds)), "boundObjectRef": .null,
            ],
            "status": ["token": .string(token), "expirationTimestamp": .string(moment.adding(seconds: Double(seconds)).rfc3339)],
        ]
        return answer(request, value: value, status: 201)
    }

    /// The user that a bearer token or a password names; nil when it names none.
    func user(of secret: String) -> RequestUser? {
        if let token, isSame(Array(secret.utf8), Array(token.utf8)) { return .administrator }
        guard let account = tokens.account(of: secret, now: now),
            let stored = store.get(.serviceAccounts, StoreKey(namespace: account.namespace, name: account.name)),
            stored.uid == account.uid
        else { return nil }
        return .serviceAccount(account)
    }

    /// Compares in constant time.
    private func isSame(_ a: [UInt8], _ b: [UInt8]) -> Bool {
        guard a.count == b.count else { return false }
        return zip(a, b).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
    }
}
