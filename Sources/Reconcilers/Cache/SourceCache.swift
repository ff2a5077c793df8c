import Base
import EvalModel
import HTTPServing
import KubeCore
import KubeRuntime
import SourceSync
import TrialPods
import TrialRuntime

/// The cache service as the operator uses it: it makes the tokens of trial pods, and gives the service its mirrors while it leads.
public final class SourceCache: Sendable {
    /// Seconds after which a pod that is not there is gone, and not only unknown to a cache that is behind.
    private static let unknownSeconds: Int64 = 600

    private let cache: TreeCache
    private let store: TreeStore
    private let endpoint: CacheEndpoint
    private let node: String?
    private let follower: (any TreeOrigin)?
    /// The address of this replica; nil: that of the endpoint.
    private let own: String?
    /// The files of claims, while their pods send them.
    let uploads: ClaimUploads
    private let time: any TimeSource
    private let server = Locked<HTTPServer?>(nil)

    /// - Parameters:
    ///   - store: where the trees are kept.
    ///   - key: signs the tokens; the same for all replicas.
    ///   - node: the URL of the instances on nodes, by which a pod reaches that of its own node; nil: there are none.
    ///   - uploads: a directory for what pods send.
    ///   - own: the URL of this replica, which `endpoint` shares with others; nil when there are no others.
    ///   - follower: where a replica that does not lead gets trees; nil: nowhere.
    public init(
        store: TreeStore, key: [UInt8], endpoint: CacheEndpoint, node: String? = nil, uploads: String, own: String? = nil,
        follower: (any TreeOrigin)? = nil, time: any TimeSource = SystemTime()
    ) {
        self.own = own
        self.uploads = ClaimUploads(directory: uploads)
        self.store = store
        self.endpoint = endpoint
        self.node = node
        self.follower = follower
        self.time = time
        cache = TreeCache(store: store, key: key, time: time)
        follow()
    }

    /// The directory below the mirrors that holds the service's socket. Nothing else is in it, because delivery containers mount it.
    public static func socketDirectory(in cacheDirectory: String) -> String { "\(cacheDirectory)/socket" }

    /// Begins to serve: at the socket, or on every address of this machine at the port.
    /// - Parameter port: 0 takes a free one; of no meaning for a socket.
    /// - Returns: the bound port; nil for a socket.
    /// - Throws: `HTTPBindFailure`, `FileError`.
    @discardableResult
    public func start(port: UInt16 = 0) throws -> UInt16? {
        // Another operator on this machine may have taken the socket since an earlier start.
        stop()
        let server = cache.server()
        var bound: UInt16?
        switch endpoint {
        case .service: bound = try server.start(port: port, everyAddress: true)
        case .socket(let directory):
            try Directory.make(directory, mode: 0o700)
            try server.start(socket: TrialPaths.cacheSocketName, in: directory, mode: 0o600)
        }
        self.server.withLock { $0 = server }
        return bound
    }

    public func stop() {
        let old = server.withLock { server in
            defer { server = nil }
            return server
        }
        old?.stop()
    }

    /// What a pod needs to read its task.
    /// - Parameter addresses: URLs without a name in them, for a pod that resolves none.
    func access(
        for request: TrialPodRequest, _ builder: TrialPodBuilder, bounds: PodFateBounds, addresses: ProxiedAddresses? = nil
    ) throws(TrialError) -> CacheAccess {
        let job = request.job
        let pod = TrialPodNames.name(
            job: job.name, jobUID: job.uid, index: request.coordinate.index, rerun: request.coordinate.rerun, retry: request.retry)
        let further = try builder.overlayTrees(of: request).filter { !$0.trees.isEmpty }.map {
            TreeToken.Grant(secret: $0.secret, trees: $0.trees.map(\.id))
        }
        let token = cache.token(
            for: [try builder.tree(of: request)], pod: pod,
            credential: TreeToken.Credential(namespace: job.namespace, secret: request.sourceSecret?.name), further: further,
            seconds: bounds.untilDelivered)
        return addresses.map { CacheAccess(endpoint: .service($0.cache), node: $0.nodeCache, token: token) }
            ?? CacheAccess(endpoint: endpoint, node: node, token: token)
    }

    /// What a build pod needs to read its context.
    func access(forBuild pod: String, _ context: TreeReference, namespace: String, secret: String?, bounds: PodFateBounds) -> CacheAccess {
        let token = cache.token(
            for: [context], pod: pod, credential: TreeToken.Credential(namespace: namespace, secret: secret), further: [],
            seconds: bounds.untilDelivered)
        return CacheAccess(endpoint: endpoint, node: node, token: token)
    }

    /// What a pod needs to send the files of a claim to this replica.
    func access(forClaim upload: String, pod: String, namespace: String, seconds: Double) -> CacheAccess {
        CacheAccess(
            endpoint: own.map { .service($0) } ?? endpoint,
            token: cache.token(forClaim: upload, pod: pod, namespace: namespace, seconds: seconds))
    }

    /// Makes what is missing from the mirrors.
    /// - Parameter overlays: those that jobs may get now, with their namespaces.
    func lead(
        resolver: SourceResolver, credentials: CredentialSource, pods: Store<TrialPod>,
        overlays: @escaping @Sendable () -> [(namespace: String, overlay: PinnedOverlay)] = { [] }
    ) {
        store.clean()
        let trees = MirrorTrees(resolver: resolver) { url, credential in
            try await credentials.credentials(for: url, secret: credential.secret, namespace: credential.namespace)
        }
        let time = time
        let hasEnded: TreeCache.Ended = { namespace, name, token in
            guard let pod = pods.get(ObjectKey(namespace: namespace, name: name)) else {
                return pods.hasSynced && time.now().seconds - token.issued > Self.unknownSeconds
            }
            return Self.hasEnded(pod)
        }
        let wanted: @Sendable () -> [WantedTree] = { overlays().flatMap { Self.wanted($0.overlay, in: $0.namespace) } }
        cache.use(trees, hasEnded: hasEnded, wanted: wanted, uploads: uploads)
    }

    /// What delivery asks for of an overlay.
    private static func wanted(_ overlay: PinnedOverlay, in namespace: String) -> [WantedTree] {
        let trees = (try? TrialProgram.Delivery.Overlay(overlay).trees()) ?? []
        return trees.map { WantedTree(tree: $0, credential: .init(namespace: namespace, secret: overlay.secret)) }
    }

    /// Whether a pod needs its task no more.
    static func hasEnded(_ pod: TrialPod) -> Bool {
        pod.snapshot.metadata.isDeleting || pod.snapshot.containersEnded || pod.snapshot.delivery?.termination != nil
    }

    /// Asks the leader for what is missing.
    func follow() {
        if let follower { cache.use(follower) } else { cache.useNoOrigin() }
    }
}
