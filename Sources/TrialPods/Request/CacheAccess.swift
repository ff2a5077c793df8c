import AssayAPI
import Git
import SourceSync
import TrialRuntime

/// Where trial pods reach the cache service.
public enum CacheEndpoint: Sendable, Hashable {
    /// The URL of a Service, `http://host:port`.
    case service(String)
    /// A directory of the node that holds the service's socket. It is mounted read-only for delivery.
    case socket(directory: String)

    /// The address inside the delivery container.
    var address: CacheAddress {
        switch self {
        case .service(let url): .http(url)
        case .socket: .socket(TrialPaths().cacheSocket)
        }
    }
}

/// How one pod's delivery reads its task from the cache service.
public struct CacheAccess: Sendable, Hashable {
    public var endpoint: CacheEndpoint
    /// The URL of the instance on the pod's node, which is asked first; nil: there is none.
    public var node: String?
    /// A token for the pod's tree.
    public var token: String

    public init(endpoint: CacheEndpoint, node: String? = nil, token: String) {
        self.endpoint = endpoint
        self.node = node
        self.token = token
    }
}

extension TrialPodRequest {
    /// The Secret that the task is fetched with; nil when the source's Secret is not for the task's own repository.
    public var sourceSecret: LocalReference? {
        guard let own = taskRepo else { return jobSpec.source.secretRef }
        let policy: GitURL.Policy = [.local, .loopbackHTTP]
        guard let url = try? GitURL(parsing: own.repo, allowing: policy), url.sharesOrigin(with: source.repo, allowing: policy) else { return nil }
        return jobSpec.source.secretRef
    }
}
