import AssayAPI
import Base
import Git
import KubeRuntime
import TrialPods

/// What an operator is told at its start.
public struct OperatorConfiguration: Sendable {
    /// Where it runs, which decides what counts as recorded and what a URL may be.
    public enum Setting: Sendable, Hashable {
        /// A cluster: only the artifact remote counts; https and ssh only.
        case cluster
        /// One machine: the synced local store counts; local repositories and the user's own git credentials are fine.
        case laptop
    }

    public var setting: Setting
    /// nil watches every namespace.
    public var namespace: String?
    /// Private to this operator: mirrors, ledgers, credentials.
    public var stateDirectory: String
    /// Mirrors of sources; on the laptop the node mounts it into repo-cache.
    public var cacheDirectory: String
    /// For `backend: local`; nil when there is no durable place for results (the job stalls then).
    public var resultsDirectory: String?
    public var pods: TrialPodSettings
    /// Used when no EvalTarget is named and none is called `default`.
    public var defaultTarget: EvalTargetSpec
    /// Seconds between two pushes to one branch.
    public var pushInterval: Double
    public var committer: FastImportStream.Identity
    /// Reconciles of jobs at the same time.
    public var workers: Int
    /// What a repository's address may be beside https and ssh.
    public var urlPolicy: GitURL.Policy
    /// How long a trial pod may stay in a state that does not end by itself.
    public var bounds: PodFateBounds

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
