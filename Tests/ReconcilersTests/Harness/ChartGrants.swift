import AssayTesting
import Base
import Foundation
import KubeCore
import YAML

/// What a rendered chart allows the operator's service account.
struct ChartGrants: Sendable {
    /// One verb of one rule, where the rule holds.
    struct Grant: Sendable, Hashable, CustomStringConvertible {
        /// Nil: in every namespace and for the cluster.
        var namespace: String?
        /// With its group and subresource, as `pods/log` or `evaljobs/status.assay.dev`.
        var resource: String
        /// Nil: every object.
        var name: String?
        var verb: String

        /// Without its place, as docs/security.md has it.
        var permission: String { "\(resource) \(verb)" }
        var description: String { "\(permission)\(name.map { " \($0)" } ?? "") in \(namespace ?? "every namespace")" }

        func covers(_ asked: Asked) -> Bool {
            resource == asked.resource && verb == asked.verb && (namespace == nil || namespace == asked.namespace)
                && (name == nil || name == asked.name)
        }
    }

    /// What a request asks for.
    struct Asked: Sendable, Hashable, CustomStringConvertible {
        var namespace: String
        var resource: String
        var name: String
        var verb: String

        var permission: String { "\(resource) \(verb)" }
        var description: String { "\(verb) \(resource) \"\(name)\" in \"\(namespace)\"" }

        /// Nil for discovery.
        init?(_ request: Breaker.Request) {
            let parts = request.path.split(separator: "?", maxSplits: 1)
            var words = parts[0].split(separator: "/").map(String.init)
            guard words.count > 2, ["api", "apis"].contains(words[0]) else { return nil }
            let group = words[0] == "apis" ? ".\(words[1])" : ""
            words.removeFirst(words[0] == "apis" ? 3 : 2)
            var namespace = ""
            if words.first == "namespaces", words.count > 1 {
                namespace = words[1]
                if words.count > 2 { words.removeFirst(2) }
            }
            guard let resource = words.first else { return nil }
            let isNamed = words.count > 1
            let isWatch = parts.count > 1 && parts[1].contains("watch=")
            self.namespace = namespace
            name = isNamed ? words[1] : ""
            self.resource = "\(resource)\(words.count > 2 ? "/\(words[2])" : "")\(group)"
            verb =
                switch request.method {
                case "GET": isWatch ? "watch" : isNamed ? "get" : "list"
                case "POST": "create"
                case "PUT": "update"
                case "PATCH": "patch"
                default: isNamed ? "delete" : "deletecollection"
                }
        }
    }

    let all: Set<Grant>
    /// Roles that no binding gives to the operator, besides those for users.
    let unbound: [String]

    /// - Parameter rendered: what `helm template` prints.
    init(rendered: String, account: String = "assay-operator") throws {
        let objects = try YAML.parse(rendered).filter { !$0.isNull }
        func key(_ kind: String, _ namespace: String, _ name: String) -> String { "\(kind) \(kind == "Role" ? "\(namespace)/" : "")\(name)" }
        var roles: [String: [JSONValue]] = [:]
        for object in objects {
            guard let kind = object["kind"]?.string, ["Role", "ClusterRole"].contains(kind) else { continue }
            let metadata = ObjectMeta(of: object)
            let isForUsers = metadata.labels?.keys.contains { $0.hasPrefix("rbac.authorization.k8s.io/aggregate-to-") } == true
            if !isForUsers { roles[key(kind, metadata.namespace ?? "", metadata.name)] = object["rules"]?.array ?? [] }
        }
        var grants: Set<Grant> = []
        var left = Set(roles.keys)
        for object in objects {
            guard let kind = object["kind"]?.string, ["RoleBinding", "ClusterRoleBinding"].contains(kind),
                object["subjects"]?.array?.contains(where: { $0["kind"] == "ServiceAccount" && $0["name"]?.string == account }) == true
            else { continue }
            let place = ObjectMeta(of: object).namespace
            let role = key(object.at("roleRef", "kind")?.string ?? "", place ?? "", object.at("roleRef", "name")?.string ?? "")
            left.remove(role)
            for rule in roles[role] ?? [] {
                func texts(_ field: String) -> [String] { rule[field]?.array?.compactMap(\.string) ?? [] }
                let names: [String?] = texts("resourceNames").isEmpty ? [nil] : texts("resourceNames")
                for group in texts("apiGroups") {
                    for resource in texts("resources") {
                        for verb in texts("verbs") {
                            for name in names {
                                grants.insert(
                                    Grant(
                                        namespace: kind == "RoleBinding" ? place : nil, resource: resource + (group.isEmpty ? "" : ".\(group)"),
                                        name: name, verb: verb))
                            }
                        }
                    }
                }
            }
        }
        all = grants
        unbound = left.sorted()
    }
}

/// The rows of docs/security.md about permissions.
struct DocumentedPermissions {
    /// Each with a reason, as `pods/log get`.
    var all: Set<String> = []
    /// Those that the page says are for somebody who checks what the operator writes, and that it never uses itself.
    var neverAskedFor: Set<String> = []

    init(root: String) throws {
        let text = try String(contentsOfFile: "\(root)/docs/security.md", encoding: .utf8)
        var isAskedFor = true
        for row in text.split(separator: "\n") {
            if row.hasPrefix("## ") { isAskedFor = row != "## Granted and never asked for" }
            guard row.hasPrefix("| `") else { continue }
            let cells = row.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            guard cells.count == 3, !cells[2].isEmpty else { continue }
            for verb in cells[1].split(separator: ",").map({ $0.trimmingCharacters(in: CharacterSet(charactersIn: "` ")) }) {
                let permission = "\(cells[0].trimmingCharacters(in: CharacterSet(charactersIn: "`"))) \(verb)"
                all.insert(permission)
                if !isAskedFor { neverAskedFor.insert(permission) }
            }
        }
    }
}
