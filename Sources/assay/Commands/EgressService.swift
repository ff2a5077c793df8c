import Base
import Egress
import Glibc
import PodmanNode
import Reconcilers

/// The egress proxy in this process, as `assay operator` and `assay run` on one machine have it.
struct EgressService: Sendable {
    let networks: TrialNetworks
    private let key: SigningKey
    private let socket: String

    /// The directory with the proxy's socket, below the operator's cache directory. The node mounts it into the sandboxes of pods.
    static func directory(in cacheDirectory: String) -> String { "\(cacheDirectory)/egress" }

    /// The proxy for operators on one machine, not started yet.
    init(cacheDirectory: String) throws {
        try Directory.make(cacheDirectory)
        let directory = Self.directory(in: cacheDirectory)
        try Directory.make(directory, mode: 0o700)
        key = try Self.signingKey(try ServiceKey.read(file: "\(cacheDirectory)/egress.key"), at: "\(cacheDirectory)/egress.key")
        socket = "\(directory)/\(PodRelay.socketName)"
        networks = TrialNetworks(relayPort: PodRelay.port, key: key)
    }

    /// Begins to serve; the proxy runs until it is stopped.
    func start() throws -> EgressProxy {
        let key = key
        let proxy = EgressProxy(.init(listeners: [.unix(path: socket)], keys: { [key] }))
        _ = try proxy.start()
        return proxy
    }

    private static func signingKey(_ bytes: [UInt8], at place: String) throws -> SigningKey {
        guard let key = SigningKey(bytes) else { throw UsageError("\(place) holds no key of \(SigningKey.minimumBytes) bytes: remove it") }
        return key
    }
}
