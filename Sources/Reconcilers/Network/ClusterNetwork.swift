import Base
import KubeClient
import KubeCore
import KubeRuntime
import TrialPods

/// The operator's settings for the cluster's network.
public struct ClusterNetworkSettings: Sendable, Hashable {
    /// The Service of the cache; nil: there is none.
    public var cache: ObjectKey?
    /// The Service of the cache's instances on nodes; nil: there is none.
    public var nodeCache: ObjectKey?
    /// The Service of the egress proxy; nil: there is none.
    public var egress: ObjectKey?
    /// Networks of pods, services, nodes and the API server that are not private by their addresses.
    public var closed: [IPNetwork]

    public init(cache: ObjectKey?, nodeCache: ObjectKey? = nil, egress: ObjectKey?, closed: [IPNetwork] = []) {
        self.cache = cache
        self.nodeCache = nodeCache
        self.egress = egress
        self.closed = closed
    }
}

/// What trial pods may reach in the cluster, as it is now.
struct ClusterPeers: Sendable, Hashable {
    /// The names of the Services' ports.
    enum Port {
        static let cache = "cache"
        /// Open at the cache service's pods, and allowed by no policy of trials.
        static let canary = "canary"
        static let egress = "proxy"
    }

    var policies: TrialPolicies
    /// Where proxied pods reach what they may reach; nil without a cache service or without a proxy.
    var proxied: ProxiedAddresses?
}

/// The addresses that proxied pods on a cluster use, because they resolve no names.
public struct ProxiedAddresses: Sendable, Hashable {
    public var cache: String
    /// nil: there are no instances on nodes.
    public var nodeCache: String?
    public var proxy: String
    public var canary: String

    public init(cache: String, nodeCache: String? = nil, proxy: String, canary: String) {
        self.cache = cache
        self.nodeCache = nodeCache
        self.proxy = proxy
        self.canary = canary
    }
}

/// Finds the addresses and pods of the operator's Services, and the addresses of the API server.
final class ClusterNetwork: Sendable {
    private static let keepSeconds = 30.0

    private let client: KubeClient
    private let settings: ClusterNetworkSettings
    private let time: any TimeSource
    private let known = Locked<(peers: ClusterPeers, at: Double)?>(nil)

    init(client: KubeClient, settings: ClusterNetworkSettings, time: any TimeSource) {
        self.client = client
        self.settings = settings
        self.time = time
    }

    /// - Throws: `KubeError`, `ServiceAddressFailure`.
    func peers() async throws -> ClusterPeers {
        let now = time.monotonic()
        if let known = known.withLock({ $0 }), now - known.at < Self.keepSeconds { return known.peers }
        let cache = try await service(settings.cache)
        let node = try await service(settings.nodeCache).map { try ServiceAddress($0, port: ClusterPeers.Port.cache) }
        let egress = try await service(settings.egress).map { try ServiceAddress($0, port: ClusterPeers.Port.egress) }
        let server = try await apiServer()
        let reader = try cache.map { try ServiceAddress($0, port: ClusterPeers.Port.cache) }
        var peers = ClusterPeers(
            policies: TrialPolicies(cache: reader?.peer, nodeCache: node?.peer, egress: egress?.peer, closed: settings.closed + server))
        if let cache, let reader, let egress {
            let canary = try ServiceAddress(cache, port: ClusterPeers.Port.canary)
            peers.proxied = ProxiedAddresses(cache: reader.url, nodeCache: node?.url, proxy: egress.url, canary: canary.hostAndPort)
        }
        known.withLock { $0 = (peers, now) }
        return peers
    }

    /// - Throws: `APIServerUnknown` when neither the cluster nor the settings say where the API server is.
    private func apiServer() async throws -> [IPNetwork] {
        do { return APIServerAddresses.networks(of: try await client.get(.endpointSlices, APIServerAddresses.slice)) } catch {
            // Some API servers do not write their addresses down.
            guard error.isNotFound else { throw error }
            if settings.closed.isEmpty { throw APIServerUnknown() }
            return []
        }
    }

    private func service(_ key: ObjectKey?) async throws(KubeError) -> JSONValue? {
        guard let key else { return nil }
        return try await client.get(.services, key)
    }
}

/// The addresses that trials must not reach are not known.
struct APIServerUnknown: Error, CustomStringConvertible {
    var description: String {
        "the cluster has no EndpointSlice \(APIServerAddresses.slice) with the addresses of its API server, which trials must not reach; list them in the chart's "
            + "value networkPolicy.clusterCIDRs (ASSAY_CLUSTER_CIDRS), or its private ranges if all of them are private"
    }
}
