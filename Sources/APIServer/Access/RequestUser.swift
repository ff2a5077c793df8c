import Base

/// Who sent a request.
struct RequestUser: Sendable, Hashable {
    var name: String
    var uid = ""
    var groups: [String]

    /// Whoever has the server's own token, or everybody when it has none: may do everything.
    static let administrator = RequestUser(name: "assay", groups: ["system:masters", "system:authenticated"])

    static func serviceAccount(_ account: ServiceAccountTokens.Account) -> RequestUser {
        RequestUser(
            name: "system:serviceaccount:\(account.namespace):\(account.name)", uid: account.uid,
            groups: ["system:serviceaccounts", "system:serviceaccounts:\(account.namespace)", "system:authenticated"])
    }

    var isAdministrator: Bool { groups.contains("system:masters") }

    /// As `UserInfo` of authentication.k8s.io/v1.
    var value: JSONValue {
        var value: JSONValue = ["username": .string(name), "groups": .array(groups.map { .string($0) })]
        if !uid.isEmpty { value["uid"] = .string(uid) }
        return value
    }
}
