import Base

/// What a bearer token of the cache service allows: to read some trees, for a time. It is signed with a key that only the operator has.
///
/// A token is for one trial pod. It does not name the pod's address, which nobody knows when the pod is made: the service binds it to the
/// first address that uses it.
public struct TreeToken: Sendable, Hashable {
    /// Who may use the token.
    public enum Holder: Sendable, Hashable {
        /// A pod, by its name in `namespace`.
        case pod(String)
        /// A replica of the operator, which asks the leader for what it lacks.
        case replica
    }

    /// The Secret that the trees are fetched from their origin with.
    public struct Credential: Sendable, Hashable {
        public var namespace: String
        /// nil: none.
        public var secret: String?

        public init(namespace: String, secret: String?) {
            self.namespace = namespace
            self.secret = secret
        }

        /// Separates trees that were fetched with different Secrets. Empty for trees that need none.
        var scope: String { secret.map { "\(namespace)/\($0)" } ?? "" }
    }

    /// Trees that are fetched with one Secret.
    public struct Grant: Sendable, Hashable {
        /// nil: none.
        public var secret: String?
        /// `TreeReference.id` of each tree.
        public var trees: [String]

        public init(secret: String?, trees: [String]) {
            self.secret = secret
            self.trees = trees
        }
    }

    public var holder: Holder
    public var credential: Credential
    /// `TreeReference.id` of each tree.
    public var trees: [String]
    /// Trees that are fetched with other Secrets of the same namespace.
    public var further: [Grant]
    /// Seconds since 1970.
    public var issued: Int64
    /// Seconds since 1970; from then on the token is refused.
    public var expires: Int64

    public init(holder: Holder, credential: Credential, trees: [String], further: [Grant] = [], issued: Int64, expires: Int64) {
        self.holder = holder
        self.credential = credential
        self.trees = trees
        self.further = further
        self.issued = issued
        self.expires = expires
    }

    /// What a tree is fetched with; nil when the token is not for it.
    /// - Parameter tree: its `TreeReference.id`.
    func credential(for tree: String) -> Credential? {
        if trees.contains(tree) { return credential }
        return further.first { $0.trees.contains(tree) }.map { Credential(namespace: credential.namespace, secret: $0.secret) }
    }

    /// The token as text: its content and the code of it, in the alphabet for URLs.
    public func signed(with key: [UInt8]) -> String {
        var value: [String: JSONValue] = [
            "i": .int(issued), "e": .int(expires), "n": .string(credential.namespace), "t": .array(trees.map { .string($0) }),
        ]
        if case .pod(let name) = holder { value["p"] = .string(name) }
        if let secret = credential.secret { value["s"] = .string(secret) }
        if !further.isEmpty {
            value["f"] = .array(further.map { grant in .array([grant.secret.map { .string($0) } ?? .null] + grant.trees.map { .string($0) }) })
        }
        let content = JSONValue.object(value).serialized()
        return "\(Base64URL.encode(content)).\(Base64URL.encode(HMACSHA256.code(for: content, key: key)))"
    }

    /// Reads a token; nil when it was not signed with the key. Whether its time is over is not checked.
    public init?(_ text: String, key: [UInt8]) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard text.utf8.count <= 16 << 10, parts.count == 2, let content = Base64URL.decode(parts[0]), let code = Base64URL.decode(parts[1]),
            HMACSHA256.isValid(code, for: content, key: key), let value = try? JSONValue(parsing: content),
            let issued = value["i"]?.int.map({ Int64($0) }),
            let expires = value["e"]?.int.map({ Int64($0) }), let namespace = value["n"]?.string, let trees = value["t"]?.array
        else { return nil }
        self.init(
            holder: value["p"]?.string.map(Holder.pod) ?? .replica, credential: .init(namespace: namespace, secret: value["s"]?.string),
            trees: trees.compactMap(\.string),
            further: (value["f"]?.array ?? []).map {
                Grant(secret: $0.array?.first?.string, trees: $0.array?.dropFirst().compactMap(\.string) ?? [])
            },
            issued: issued, expires: expires)
    }
}

/// The addresses that tokens are bound to: the first one that used each token. Does no I/O.
///
/// The bindings are this process's own. A process that starts anew binds the tokens again.
struct TokenBindings: Sendable {
    /// Tokens are signed, so nobody else can fill the table. It is cleaned when it has doubled.
    private var bindings: [String: (client: String, expires: Int64)] = [:]
    private var cleanAt = 1024

    var count: Int { bindings.count }

    /// Whether the client may use the token; binds a token that is not bound.
    /// - Parameter now: seconds since 1970.
    mutating func admit(_ token: String, expires: Int64, client: String, now: Int64) -> Bool {
        if let bound = bindings[token] { return bound.client == client }
        if bindings.count >= cleanAt {
            bindings = bindings.filter { $0.value.expires > now }
            cleanAt = max(1024, bindings.count * 2)
        }
        bindings[token] = (client, expires)
        return true
    }
}
