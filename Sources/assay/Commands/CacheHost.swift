import Base
import Git
import Glibc
import KubeClient
import KubeRuntime
import Reconcilers
import SourceSync
import TrialPods

/// The cache service of `assay operator`. On a cluster every replica serves, on a port; on one machine the leader serves, on a socket.
struct CacheHost: Sendable {
    /// Bytes of all trees together on a cluster; the mirrors have their own limit, and the volume in manifests/deployment.yaml has 8 GiB.
    private static let clusterLimit = 1 << 30
    private static let laptopLimit = 8 << 30
    private static let addressAnnotation = "assay.dev/cache-address"

    private enum Kind: Sendable {
        case socket(cacheDirectory: String)
        case service(url: String, port: UInt16, own: String?)
    }

    private let kind: Kind?
    private let client: KubeClient
    private let stateDirectory: String
    private let metrics: MetricsRegistry
    private let namespace: String
    private let lease: String
    /// The URL of the instances on nodes; nil: there are none.
    let nodeServiceURL: String?
    private let canary = CanaryPort()
    private let canaryIsServed: Locked<Bool>
    private let log = Log("cache")

    /// - Parameters:
    ///   - namespace: of the Lease and of the Secret with the key.
    ///   - lease: the name of the Lease.
    init(
        _ arguments: Arguments, _ environment: [String: String], _ configuration: OperatorConfiguration, client: KubeClient, namespace: String,
        lease: String, metrics: MetricsRegistry
    ) throws {
        self.client = client
        self.namespace = namespace
        self.lease = lease
        self.metrics = metrics
        canaryIsServed = Locked(false)
        stateDirectory = configuration.stateDirectory
        let port = UInt16(try arguments.integer("cache-port", in: 1...65535) ?? 8081)
        nodeServiceURL = try (arguments.value("node-cache-service") ?? environment["ASSAY_NODE_CACHE_SERVICE"].flatMap { $0.isEmpty ? nil : $0 }).map
        {
            guard case .http(let url)? = CacheAddress($0) else { throw UsageError("--node-cache-service takes http://HOST:PORT, not \"\($0)\"") }
            return url
        }
        let service = arguments.value("cache-service") ?? environment["ASSAY_CACHE_SERVICE"].flatMap { $0.isEmpty ? nil : $0 }
        if let url = service {
            guard case .http(let url)? = CacheAddress(url) else { throw UsageError("--cache-service takes http://HOST:PORT, not \"\(url)\"") }
            kind = .service(url: url, port: port, own: environment["POD_IP"].flatMap { $0.isEmpty ? nil : "http://\($0):\(port)" })
        } else {
            kind = configuration.setting == .laptop ? .socket(cacheDirectory: configuration.cacheDirectory) : nil
        }
    }

    /// The URL of the cache service; nil when there is none, or it is on a socket.
    var serviceURL: String? {
        guard case .service(let url, _, _)? = kind else { return nil }
        return url
    }

    /// What the Lease says of this replica while it leads.
    var annotations: [String: String] {
        guard case .service(_, _, let own?)? = kind else { return [:] }
        return [Self.addressAnnotation: own]
    }

    /// Gets the key and begins to serve. Tries again until that succeeds or the task is cancelled: without its cache an operator that has one
    /// would put credentials into pods.
    /// - Returns: nil when there is no cache service, or the task was cancelled.
    func start() async -> SourceCache? {
        guard let kind else { return nil }
        var backoff = Backoff(BackoffPolicy(initialSeconds: 1, capSeconds: 30))
        while !Task.isCancelled {
            do { return try await start(kind) } catch {
                let delay = backoff.next(now: SystemTime().monotonic())
                log.error("the cache service cannot start", ["error": .string("\(error)"), "retrySeconds": JSONValue(Int(delay))])
                try? await SystemTime().sleep(seconds: delay)
            }
        }
        return nil
    }

    private func start(_ kind: Kind) async throws -> SourceCache {
        switch kind {
        case .socket(let directory): return try Self.onThisMachine(cacheDirectory: directory, metrics: metrics)
        case .service(let url, let port, let own):
            let key = try await ServiceKey.cache.read(client: client, namespace: namespace)
            let (client, namespace, lease) = (client, namespace, lease)
            let follower = UpstreamTrees("the replica that leads", key: key) {
                try await LeaseHolder.read(client: client, namespace: namespace, name: lease)?.annotations[Self.addressAnnotation]
                    .flatMap { CacheAddress($0) }
            }
            let cache = SourceCache(
                store: TreeStore(directory: "\(stateDirectory)/trees", sizeLimit: Self.clusterLimit, metrics: CacheMetrics(metrics, .trees)),
                key: key, endpoint: .service(url), node: nodeServiceURL, uploads: "\(stateDirectory)/claims", own: own, follower: follower)
            try cache.start(port: port)
            try startCanary()
            return cache
        }
    }

    /// Every pod of the cache service has the canary beside it.
    private func startCanary() throws {
        guard !canaryIsServed.withLock({ $0 }) else { return }
        _ = try canary.start(port: ClusterNetworkOptions.canaryPort)
        canaryIsServed.withLock { $0 = true }
    }

    /// The cache for operators on one machine, not started yet.
    static func onThisMachine(cacheDirectory: String, metrics: MetricsRegistry? = nil) throws -> SourceCache {
        try Directory.make(cacheDirectory)
        return SourceCache(
            store: TreeStore(directory: "\(cacheDirectory)/trees", sizeLimit: laptopLimit, metrics: metrics.map { CacheMetrics($0, .trees) }),
            key: try ServiceKey.read(file: "\(cacheDirectory)/token.key"),
            endpoint: .socket(directory: SourceCache.socketDirectory(in: cacheDirectory)), uploads: "\(cacheDirectory)/claims")
    }

    /// Called when this operator begins to lead. Operators on one machine share the socket, so only the leader serves on it.
    func lead(_ cache: SourceCache?) {
        guard case .socket? = kind, let cache else { return }
        do { try cache.start() } catch { log.error("the cache service cannot start", ["error": .string("\(error)")]) }
    }
}
