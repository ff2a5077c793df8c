import Base

/// What a request asks to do to a resource.
struct AccessAttributes: Sendable, Hashable {
    var verb: String
    var group: String
    /// With the subresource: `pods/log`.
    var resource: String
    /// Empty for a list, a watch or a creation.
    var name: String
    /// Empty for the whole cluster.
    var namespace: String

    init(verb: String, group: String, resource: String, subresource: String? = nil, name: String = "", namespace: String = "") {
        self.verb = verb
        self.group = group
        self.resource = subresource.map { $0.isEmpty ? resource : "\(resource)/\($0)" } ?? resource
        self.name = name
        self.namespace = namespace
    }

    init(_ request: ResourceRequest) {
        let isNamed = request.name != nil
        let verb =
            switch request.http.method {
            case "GET", "HEAD": request.http.query.flag("watch") ? "watch" : isNamed ? "get" : "list"
            case "POST": "create"
            case "PUT": "update"
            case "PATCH": "patch"
            case "DELETE": isNamed ? "delete" : "deletecollection"
            default: request.http.method.lowercased()
            }
        // A namespace is in itself, so that a Role in it can allow to read it.
        let namespace = request.kind.id == .namespaces ? request.name ?? "" : request.namespace
        self.init(
            verb: verb, group: request.kind.group, resource: request.kind.plural, subresource: request.subresource, name: request.name ?? "",
            namespace: namespace)
    }

    /// Why it is refused, in the API server's words (`apiserver/pkg/endpoints/handlers/responsewriters`).
    func refusal(for user: RequestUser) -> APIFailure {
        let plain = resource.prefix { $0 != "/" }
        let place = namespace.isEmpty ? "at the cluster scope" : "in the namespace \"\(namespace)\""
        let what = (group.isEmpty ? String(plain) : "\(plain).\(group)") + (name.isEmpty ? "" : " \"\(name)\"")
        var details: JSONValue = ["kind": .string(String(plain))]
        if !name.isEmpty { details["name"] = .string(name) }
        if !group.isEmpty { details["group"] = .string(group) }
        return APIFailure(
            403, "Forbidden",
            "\(what) is forbidden: User \"\(user.name)\" cannot \(verb) resource \"\(resource)\" in API group \"\(group)\" \(place)",
            details: details)
    }
}

/// Decides what service accounts may do, by the roles and bindings that are stored (`plugin/pkg/auth/authorizer/rbac`).
///
/// Not enforced: the rules against giving away more than one has (`escalate`, `bind`), and aggregated cluster roles.
struct AccessRules: Sendable {
    let store: ObjectStore

    private static let group = "rbac.authorization.k8s.io"

    /// A rule of a role, and where it holds.
    struct Grant: Sendable {
        /// Nil: in every namespace and for the cluster.
        var namespace: String?
        var rule: JSONValue

        func covers(_ wanted: AccessAttributes) -> Bool {
            guard namespace == nil || namespace == wanted.namespace else { return false }
            func has(_ field: String, _ value: String) -> Bool { rule[field]?.array?.contains { $0.string == "*" || $0.string == value } == true }
            guard has("verbs", wanted.verb), has("apiGroups", wanted.group) else { return false }
            let sub = wanted.resource.firstIndex(of: "/").map { "*" + wanted.resource[$0...] }
            guard has("resources", wanted.resource) || sub.map({ has("resources", $0) }) == true else { return false }
            let names = rule["resourceNames"]?.array ?? []
            return names.isEmpty || names.contains(.string(wanted.name))
        }
    }

    /// What every authenticated user may do: ask about itself (the cluster role `system:basic-user`).
    private static let own = Grant(
        namespace: nil,
        rule: [
            "verbs": ["create"], "apiGroups": ["authorization.k8s.io", "authentication.k8s.io"],
            "resources": ["selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"],
        ])

    private static let everything: [Grant] = [
        Grant(namespace: nil, rule: ["verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]])
    ]

    func allows(_ user: RequestUser, _ wanted: AccessAttributes) -> Bool {
        user.isAdministrator || grants(of: user).contains { $0.covers(wanted) }
    }

    func grants(of user: RequestUser) -> [Grant] {
        if user.isAdministrator { return Self.everything }
        var grants = [Self.own]
        for binding in store.references(in: ResourceID("clusterrolebindings", group: Self.group)) where names(user, in: binding.value, "") {
            grants += rules(binding.value, "").map { Grant(namespace: nil, rule: $0) }
        }
        for binding in store.references(in: ResourceID("rolebindings", group: Self.group)) where names(user, in: binding.value, binding.namespace) {
            grants += rules(binding.value, binding.namespace).map { Grant(namespace: binding.namespace, rule: $0) }
        }
        return grants
    }

    private func names(_ user: RequestUser, in binding: JSONValue, _ namespace: String) -> Bool {
        (binding["subjects"]?.array ?? []).contains { subject in
            let name = subject["name"]?.string ?? ""
            switch subject["kind"]?.string {
            case "ServiceAccount":
                let place = subject["namespace"]?.string ?? ""
                return user.name == "system:serviceaccount:\(place.isEmpty ? namespace : place):\(name)"
            case "User": return user.name == name
            case "Group": return user.groups.contains(name)
            default: return false
            }
        }
    }

    private func rules(_ binding: JSONValue, _ namespace: String) -> [JSONValue] {
        guard let name = binding.at("roleRef", "name")?.string else { return [] }
        let isCluster = binding.at("roleRef", "kind") == "ClusterRole"
        let key = StoreKey(namespace: isCluster ? "" : namespace, name: name)
        let role = store.get(ResourceID(isCluster ? "clusterroles" : "roles", group: Self.group), key)
        return role?.value["rules"]?.array ?? []
    }
}
