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
    /// Bytes of all mirrors together, above which the least recently used are removed; nil: no limit. On the laptop pods read from
    /// the mirrors without holding them, so that there must be none.
    public var cacheLimit: Int?
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
    /// Tokens of the operator's own to push results with, for jobs that name no Secret; files that another program keeps fresh.
    public var tokenFiles: [PushTokenFile] = []
    /// Seconds that a finished job is kept at least, whatever its `ttlSecondsAfterFinished`: for whoever shows how it ended.
    public var keepsFinishedSeconds = 0
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

/// A token for the repositories below one address, and no others: whoever may create a job may push there with it.
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
        // What a server would take for another path is not below the address.
        guard url.origin == prefix.origin, parts.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." && !$0.contains("%") }) else { return false }
        return url.path == prefix.path || url.path.hasPrefix(prefix.path + "/")
    }
}
