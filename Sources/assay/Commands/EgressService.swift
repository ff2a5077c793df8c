import Base
import Egress
import Glibc
import KubeClient
import KubeRuntime
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
        networks = TrialNetworks(.relay(port: PodRelay.port), key: key)
    }

    /// Begins to serve; the proxy runs until it is stopped.
    func start() throws -> EgressProxy {
        let key = key
        let proxy = EgressProxy(.init(listeners: [.unix(path: socket)], keys: { [key] }))
        _ = try proxy.start()
        return proxy
    }

    /// What makes the tokens for the proxy of a cluster. Tries again until the key is read or the task is cancelled.
    /// - Parameter namespace: of the Secret with the key.
    /// - Returns: nil when the task was cancelled.
    static func networks(onCluster client: KubeClient, namespace: String) async -> TrialNetworks? {
        var backoff = Backoff(BackoffPolicy(initialSeconds: 1, capSeconds: 30))
        while !Task.isCancelled {
            do {
                let bytes = try await ServiceKey.egress.read(client: client, namespace: namespace)
                return TrialNetworks(.cluster, key: try signingKey(bytes, at: "the Secret \(namespace)/\(ServiceKey.egress.secretName)"))
            } catch {
                let delay = backoff.next(now: SystemTime().monotonic())
                Log("egress").error(
                    "the key of the egress proxy is not there", ["error": .string("\(error)"), "retrySeconds": JSONValue(Int(delay))])
                try? await SystemTime().sleep(seconds: delay)
            }
        }
        return nil
    }

    private static func signingKey(_ bytes: [UInt8], at place: String) throws -> SigningKey {
        guard let key = SigningKey(bytes) else { throw UsageError("\(place) holds no key of \(SigningKey.minimumBytes) bytes: remove it") }
        return key
    }
}
