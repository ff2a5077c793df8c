import Base

/// Logins of registries, from a Secret of type `kubernetes.io/dockerconfigjson`.
public struct RegistryCredentials: Sendable, Hashable {
    struct Login: Sendable, Hashable {
        let user: String
        let password: String
        /// A token to trade for others, instead of a password.
        let identityToken: String?
    }

    /// By host, with the port if it has one.
    private let logins: [String: Login]

    /// The key of the Secret.
    public static let key = ".dockerconfigjson"
    public static let none = RegistryCredentials(logins: [:])

    private init(logins: [String: Login]) { self.logins = logins }

    public struct Invalid: Error, Sendable, Hashable, CustomStringConvertible {
        public let description: String
    }

    /// - Parameter json: `{"auths": {"registry.example.com": {"auth": base64 of user:password}}}`.
    public init(dockerConfig json: some Collection<UInt8>) throws(Invalid) {
        let value: JSONValue
        do { value = try JSONValue(parsing: Array(json)) } catch { throw Invalid(description: "it is not JSON: \(error)") }
        guard let auths = value["auths"]?.object else { throw Invalid(description: "it has no \"auths\"") }
        var logins: [String: Login] = [:]
        for (address, entry) in auths {
            var (user, password) = (entry["username"]?.string ?? "", entry["password"]?.string ?? "")
            if let text = entry["auth"]?.string, !text.isEmpty {
                guard case .success(let bytes) = Base64.decode(text) else {
                    throw Invalid(description: "\"auths\", \"\(address)\": \"auth\" is not base64")
                }
                let pair = String(decoding: bytes, as: UTF8.self).split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
                guard pair.count == 2 else { throw Invalid(description: "\"auths\", \"\(address)\": \"auth\" is not base64 of USER:PASSWORD") }
                (user, password) = (String(pair[0]), String(pair[1]))
            }
            let token = entry["identitytoken"]?.string.flatMap { $0.isEmpty ? nil : $0 }
            guard !user.isEmpty || token != nil else { continue }
            logins[Self.host(address)] = Login(user: user, password: password, identityToken: token)
        }
        self.logins = logins
    }

    /// Keys of the file may be addresses: `https://index.docker.io/v1/`.
    private static func host(_ address: String) -> String {
        let rest = address.firstRange(of: "://").map { address[$0.upperBound...] } ?? address[...]
        let host = String(rest.prefix { $0 != "/" })
        return ["index.docker.io", "registry-1.docker.io"].contains(host) ? "docker.io" : host
    }

    func login(for host: String) -> Login? { logins[host] }
}
