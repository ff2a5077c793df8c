import Base

/// Tokens for service accounts: JSON Web Tokens (RFC 7519), signed with HMAC-SHA-256 (RFC 2104) and the server's own key.
///
/// Nothing is stored: a token is valid until it expires or its account is deleted, over restarts too when the key stays the same.
struct ServiceAccountTokens: Sendable {
    struct Account: Sendable, Hashable {
        var namespace: String
        var name: String
        var uid: String
    }

    private static let issuer = "https://kubernetes.default.svc"
    private let key: [UInt8]

    /// - Parameter secret: the server's token; nil makes tokens valid for this process only.
    init(secret: String?) { key = secret.map { Array($0.utf8) } ?? (0..<32).map { _ in UInt8.random(in: 0...255) } }

    func issue(_ account: Account, audiences: [String], now: Timestamp, seconds: Int) -> String {
        let claims: JSONValue = [
            "iss": .string(Self.issuer), "sub": .string("system:serviceaccount:\(account.namespace):\(account.name)"),
            "aud": .array((audiences.isEmpty ? [Self.issuer] : audiences).map { .string($0) }), "iat": .int(now.seconds), "nbf": .int(now.seconds),
            "exp": .int(now.seconds + Int64(seconds)),
            "kubernetes.io": [
                "namespace": .string(account.namespace), "serviceaccount": ["name": .string(account.name), "uid": .string(account.uid)],
            ],
        ]
        let head: JSONValue = ["alg": "HS256", "typ": "JWT"]
        let text = "\(Self.encode(head.serialized())).\(Self.encode(claims.serialized()))"
        return "\(text).\(Self.encode(authenticationCode(text)))"
    }

    /// The account of a valid token; nil for anything else.
    func account(of token: String, now: Timestamp) -> Account? {
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, Self.encode(authenticationCode("\(parts[0]).\(parts[1])")) == parts[2],
            let claims = Self.decode(parts[1]).flatMap({ try? JSONValue(parsing: $0) }), let end = claims["exp"]?.int, end > now.seconds,
            claims["aud"]?.array?.contains(.string(Self.issuer)) == true, let namespace = claims.at("kubernetes.io", "namespace")?.string,
            let account = claims.at("kubernetes.io", "serviceaccount"), let name = account["name"]?.string, let uid = account["uid"]?.string
        else { return nil }
        return Account(namespace: namespace, name: name, uid: uid)
    }

    private func authenticationCode(_ text: String) -> [UInt8] {
        func digest(_ parts: [UInt8]...) -> [UInt8] {
            var hash = SHA256()
            for part in parts { hash.update(part) }
            return hash.finalize()
        }
        let short = key.count > 64 ? digest(key) : key
        let padded = short + [UInt8](repeating: 0, count: 64 - short.count)
        return digest(padded.map { $0 ^ 0x5c }, digest(padded.map { $0 ^ 0x36 }, Array(text.utf8)))
    }

    /// Base64 for URLs, without padding (RFC 4648, section 5).
    private static func encode(_ bytes: [UInt8]) -> String {
        String(Base64.encode(bytes).prefix { $0 != "=" }).replacing("+", with: "-").replacing("/", with: "_")
    }

    private static func decode(_ text: Substring) -> [UInt8]? {
        let padding = String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
        guard case .success(let bytes) = Base64.decode(text.replacing("-", with: "+").replacing("_", with: "/") + padding) else { return nil }
        return bytes
    }
}
