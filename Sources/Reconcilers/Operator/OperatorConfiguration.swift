import AssayAPI
import Base
import Git
import KubeRuntime
import Planning
import Tracing
import TrialPods

/// The settings that an operator gets at its start.
public struct OperatorConfiguration: Sendable {
    /// Where the operator runs. This decides when a result counts as recorded and which URLs are allowed.
    public enum Setting: Sendable, Hashable {
        /// A cluster: results count only when they are on the artifact remote; only https and ssh URLs.
        case cluster
        /// One machine: results count when they are synced to the local store; local repositories and the user's own git credentials are
        /// allowed.
        case laptop
    }

    public var setting: Setting
    /// The namespace to watch; nil watches every namespace.
    public var namespace: String?
    /// Data that only this operator uses: mirrors, ledgers, credentials.
    public var stateDirectory: String
    /// Mirrors of sources.
    public var cacheDirectory: String
    /// The service that trial pods read their tasks from; nil: they fetch from the origins.
    public var cache: SourceCache?
    /// The cluster's network, in which the operator makes the NetworkPolicies of trials; nil: it makes none.
    public var clusterNetwork: ClusterNetworkSettings?
    /// What restricts the networks of trials; nil: trials that need it are refused.
    public var networks: TrialNetworks?
    /// Bytes of all mirrors together, above which the least recently used are removed; nil: no limit.
    public var cacheLimit: Int?
    /// For `backend: local`; nil when there is no durable place for results (a job that needs one stalls then).
    public var resultsDirectory: String?
    public var pods: TrialPodSettings
    /// Used when the job names no EvalTarget and there is none called `default`.
    public var defaultTarget: EvalTargetSpec
    /// Seconds between two pushes to the same branch.
    public var pushInterval: Double
    public var committer: FastImportStream.Identity
    /// Reconciles of jobs that run at the same time.
    public var workers: Int
    /// Which repository addresses are allowed besides https and ssh.
    public var urlPolicy: GitURL.Policy
    /// The operator's own tokens for pushing results, used for jobs that name no Secret. They are in files that another program keeps up to
    /// date.
    public var tokenFiles: [PushTokenFile] = []
    /// The fewest seconds that a finished job is kept, whatever its `ttlSecondsAfterFinished`, so that a program can still show how it ended.
    public var keepsFinishedSeconds = 0
    /// Seconds without a newly counted trial after which the pods of counted trials are deleted. With a thousand trials that end together, all of
    /// them are counted before the first pod is deleted.
    public var deletionQuietSeconds = 0.0
    /// Builds the images of tasks that have a Dockerfile; nil: pods do, on targets that say how (`spec.image.build`).
    public var imageBuilder: (any ImageBuilder)?
    /// Where the spans of jobs go; nil: nowhere. Whoever starts the operator starts and stops it.
    public var traces: TraceExporter?
    /// How resources are followed.
    public var watches = WatcherOptions()
    /// Seconds after which a reconcile counts as stuck. It waits only for the API server, never for a clone or a results remote.
    public var reconcileBound = 1800.0
    /// How long a trial pod may stay in a state that does not end by itself.
    public var bounds: PodFateBounds
    /// Looks for the programs that targets need on this machine.
    public var programs = ProgramCheck()

    public init(
        setting: Setting, namespace: String? = nil, stateDirectory: String, cacheDirectory: String, resultsDirectory: String?,
        pods: TrialPodSettings, defaultTarget: EvalTargetSpec = EvalTargetSpec(type: .cluster), pushInterval: Double = 10,
        committer: FastImportStream.Identity, workers: Int = 4, urlPolicy: GitURL.Policy, bounds: PodFateBounds = PodFateBounds()
    ) {
        self.setting = setting
        self.namespace = namespace
        self.stateDirectory = stateDirectory
        self.cacheDirectory = cacheDirectory
        self.resultsDirectory = resultsDirectory
        self.pods = pods
        self.defaultTarget = defaultTarget
        self.pushInterval = pushInterval
        self.committer = committer
        self.workers = workers
        self.urlPolicy = urlPolicy
        self.bounds = bounds
    }
}

extension OperatorConfiguration {
    /// Whether the networks of trials can be restricted.
    public var networkAbility: NetworkAbility {
        guard networks != nil, cache != nil else {
            return .missing(
                "this operator has no egress proxy or no cache service; the chart's values egress.enabled, repoCache.enabled and networkPolicy.trials "
                    + "install them (docs/network.md)")
        }
        return .enforced
    }
}

/// A token for the repositories below one address and for no others. Whoever may create a job may push to these repositories with it.
public struct PushTokenFile: Sendable, Hashable {
    public let prefix: GitURL
    public let file: String

    /// - Parameter text: `<https address>=<file>`, as `https://github.com/my-org=/var/run/token`.
    public init(parsing text: String) throws(GitError) {
        guard let equals = text.firstIndex(of: "="), text[text.index(after: equals)...].hasPrefix("/") else {
            throw GitError(.invalidInput, "\"\(text.replacingControls)\" is not ADDRESS=FILE, such as https://github.com/my-org=/var/run/token")
        }
        prefix = try GitURL(parsing: String(text[..<equals]))
        file = String(text[text.index(after: equals)...])
        guard prefix.transport == .https else { throw GitError(.invalidInput, "a token is for https:// addresses, not for \(prefix)") }
    }

    func covers(_ url: GitURL) -> Bool {
        let parts = url.path.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
        // A path that a server might resolve to another path does not count as below the address.
        guard url.origin == prefix.origin, parts.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." && !$0.contains("%") }) else { return false }
        return url.path == prefix.path || url.path.hasPrefix(prefix.path + "/")
    }
}
