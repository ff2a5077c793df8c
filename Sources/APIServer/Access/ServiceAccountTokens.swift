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
        let text = "\(Base64URL.encode(head.serialized())).\(Base64URL.encode(claims.serialized()))"
        return "\(text).\(Base64URL.encode(HMACSHA256.code(for: text.utf8, key: key)))"
    }

    /// The account of a valid token; nil for anything else.
    func account(of token: String, now: Timestamp) -> Account? {
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, let code = Base64URL.decode(parts[2]),
            HMACSHA256.isValid(code, for: "\(parts[0]).\(parts[1])".utf8, key: key),
            let claims = Base64URL.decode(parts[1]).flatMap({ try? JSONValue(parsing: $0) }), let end = claims["exp"]?.int, end > now.seconds,
            claims["aud"]?.array?.contains(.string(Self.issuer)) == true, let namespace = claims.at("kubernetes.io", "namespace")?.string,
            let account = claims.at("kubernetes.io", "serviceaccount"), let name = account["name"]?.string, let uid = account["uid"]?.string
        else { return nil }
        return Account(namespace: namespace, name: name, uid: uid)
    }
}
