import Base

/// What a connection to a vm target's host needs: the user's key, and the keys of the hosts that are trusted.
public struct HostKeys: Sendable {
    /// The keys of the Secret in which the user's key may be; the first that exists is used.
    public static let privateKeys = ["ssh-privatekey", "identity"]
    /// The key of the Secret or of the ConfigMap with the trusted hosts.
    public static let knownHosts = "known_hosts"

    let key: [UInt8]
    let knownHosts: [UInt8]

    /// Why there can be no connection.
    public enum Missing: Error, Sendable, Hashable, CustomStringConvertible {
        case key
        case knownHosts

        public var description: String {
            switch self {
            case .key: "the Secret of host.sshSecretRef has no key \"\(HostKeys.privateKeys[0])\"; add it"
            case .knownHosts:
                "there is no \(HostKeys.knownHosts) in the ConfigMap of host.knownHostsRef or the Secret of host.sshSecretRef, and no host is "
                    + "trusted without its key; add what ssh-keyscan prints for it, after comparing it with the host's own key"
            }
        }
    }

    /// - Parameters:
    ///   - secret: the data of the Secret.
    ///   - map: the data of the ConfigMap, which comes before the Secret's.
    public init(secret: [String: [UInt8]], map: [String: [UInt8]]) throws(Missing) {
        guard let key = Self.privateKeys.lazy.compactMap({ secret[$0] }).first(where: { !$0.isEmpty }) else { throw .key }
        guard let known = [map, secret].lazy.compactMap({ $0[Self.knownHosts] }).first(where: { !$0.isEmpty }) else { throw .knownHosts }
        self.key = key
        knownHosts = known
    }

    /// Reads the volumes of a trial's container.
    init(_ paths: TrialPaths) throws(Missing) {
        func read(_ folder: String, _ names: [String]) -> [String: [UInt8]] {
            var found: [String: [UInt8]] = [:]
            for name in names { found[name] = FileReading.whole("\(folder)/\(name)", limit: 1 << 20) }
            return found
        }
        try self.init(
            secret: read(paths.hostKey, Self.privateKeys + [Self.knownHosts]), map: read(paths.knownHosts, [Self.knownHosts]))
    }
}
