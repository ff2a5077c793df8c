import EvalModel

/// Retries after infrastructure failures.
public struct RetrySpec: Codable, Sendable, Hashable {
    public var maxAttempts: Int
    public var initialDelayMs: Int
    public var maxDelayMs: Int
    public var multiplier: Double

    public init(maxAttempts: Int = 3, initialDelayMs: Int = 1000, maxDelayMs: Int = 30000, multiplier: Double = 2) {
        self.maxAttempts = maxAttempts
        self.initialDelayMs = initialDelayMs
        self.maxDelayMs = maxDelayMs
        self.multiplier = multiplier
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        maxAttempts = try values.value(.maxAttempts, or: 3)
        initialDelayMs = try values.value(.initialDelayMs, or: 1000)
        maxDelayMs = try values.value(.maxDelayMs, or: 30000)
        multiplier = try values.value(.multiplier, or: 2)
    }

    public var policy: RetryPolicy {
        RetryPolicy(
            maxAttempts: maxAttempts, initialDelayMs: initialDelayMs, maxDelayMs: maxDelayMs, multiplier: multiplier)
    }
}

/// The container that trials run in.
public struct EnvironmentSpec: Codable, Sendable, Hashable {
    /// When a pod is kept after its trial is counted.
    public enum Preserve: String, Codable, Sendable, Hashable, CaseIterable {
        case never = "Never"
        case always = "Always"
        case onFailure = "OnFailure"
    }

    /// Replaces the tasks' own images.
    public var image: String?
    /// A task's Dockerfile comes before its `docker_image`.
    public var forceBuild: Bool
    /// Build arguments (`ARG`) for the tasks' Dockerfiles.
    public var buildArguments: [String: String]
    /// The variables that the tasks' `${VAR}` get their values from.
    public var env: [EnvironmentVariable]
    public var preserveEnv: Preserve
    public var overrideCPUs: Double?
    public var overrideMemoryMB: Int?
    public var overrideStorageMB: Int?
    public var network: NetworkSpec
    public var podTemplate: PodTemplate?

    public init(
        image: String? = nil, forceBuild: Bool = false, buildArguments: [String: String] = [:], env: [EnvironmentVariable] = [],
        preserveEnv: Preserve = .never, overrideCPUs: Double? = nil,
        overrideMemoryMB: Int? = nil, overrideStorageMB: Int? = nil, network: NetworkSpec = NetworkSpec(),
        podTemplate: PodTemplate? = nil
    ) {
        self.image = image
        self.forceBuild = forceBuild
        self.buildArguments = buildArguments
        self.env = env
        self.preserveEnv = preserveEnv
        self.overrideCPUs = overrideCPUs
        self.overrideMemoryMB = overrideMemoryMB
        self.overrideStorageMB = overrideStorageMB
        self.network = network
        self.podTemplate = podTemplate
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        image = try values.optional(.image)
        forceBuild = try values.value(.forceBuild, or: false)
        buildArguments = try values.value(.buildArguments, or: [:])
        env = try values.value(.env, or: [])
        preserveEnv = try values.value(.preserveEnv, or: .never)
        overrideCPUs = try values.optional(.overrideCPUs)
        overrideMemoryMB = try values.optional(.overrideMemoryMB)
        overrideStorageMB = try values.optional(.overrideStorageMB)
        network = try values.value(.network, or: NetworkSpec())
        podTemplate = try values.optional(.podTemplate)
    }
}

/// The network access of a trial.
public struct NetworkSpec: Codable, Sendable, Hashable {
    public enum Mode: String, Codable, Sendable, Hashable, CaseIterable {
        case `public`
        case noNetwork = "no-network"
        case allowlist
    }

    /// nil: the tasks' own modes hold.
    public var mode: Mode?
    /// For install and execute, in addition to the tasks' and the agents' hosts.
    public var allowedHosts: [String]?

    public init(mode: Mode? = nil, allowedHosts: [String]? = nil) {
        self.mode = mode
        self.allowedHosts = allowedHosts
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        mode = try values.optional(.mode)
        allowedHosts = try values.optional(.allowedHosts)
    }
}

/// How trials are verified.
public struct VerifierSpec: Codable, Sendable, Hashable {
    /// Replaces the task's timeout.
    public var overrideTimeoutSec: Double?
    /// A cap on the timeout, before the multiplier.
    public var maxTimeoutSec: Double?
    /// The agent runs, but is not verified and gets no reward.
    public var disable: Bool
    /// `separate` for every task; `shared` leaves it to each task.
    public var environmentMode: TaskVerifier.Mode
    /// Kills processes that the agent left running before the tests start.
    public var endAgentProcesses: Bool

    public init(
        overrideTimeoutSec: Double? = nil, maxTimeoutSec: Double? = nil, disable: Bool = false,
        environmentMode: TaskVerifier.Mode = .shared, endAgentProcesses: Bool = false
    ) {
        self.overrideTimeoutSec = overrideTimeoutSec
        self.maxTimeoutSec = maxTimeoutSec
        self.disable = disable
        self.environmentMode = environmentMode
        self.endAgentProcesses = endAgentProcesses
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        overrideTimeoutSec = try values.optional(.overrideTimeoutSec)
        maxTimeoutSec = try values.optional(.maxTimeoutSec)
        disable = try values.value(.disable, or: false)
        environmentMode = try values.value(.environmentMode, or: .shared)
        endAgentProcesses = try values.value(.endAgentProcesses, or: false)
    }
}

extension EvalJobSpec {
    /// The images of a task's trials.
    public func images(of task: EvalTask, targetDefault: String?) -> TaskImages {
        let trial = task.image(override: environment.image, forceBuild: environment.forceBuild, targetDefault: targetDefault)
        return TaskImages(trial: trial, verifiers: task.verifierImages(verifier.environmentMode, trial: trial))
    }
}

/// A metric over all rewards of a job.
public struct MetricSpec: Codable, Sendable, Hashable {
    public var type: MetricType

    public init(type: MetricType) { self.type = type }
}

/// Where results are stored.
public struct ArtifactsSpec: Codable, Sendable, Hashable {
    public enum Backend: String, Codable, Sendable, Hashable, CaseIterable {
        case local
        case git
    }

    public var backend: Backend
    public var git: GitArtifactsSpec?

    public init(backend: Backend = .local, git: GitArtifactsSpec? = nil) {
        self.backend = backend
        self.git = git
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        backend = try values.value(.backend, or: .local)
        git = try values.optional(.git)
    }
}

/// The branch that holds the results.
public struct GitArtifactsSpec: Codable, Sendable, Hashable {
    public static let defaultBranch = "assay/runs/v1"

    public var remote: String
    public var branch: String
    /// A folder within the branch; nil: its root.
    public var path: String?
    public var secretRef: LocalReference?

    public init(
        remote: String, branch: String = GitArtifactsSpec.defaultBranch, path: String? = nil, secretRef: LocalReference? = nil
    ) {
        self.remote = remote
        self.branch = branch
        self.path = path
        self.secretRef = secretRef
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        remote = try values.decode(String.self, forKey: .remote)
        branch = try values.value(.branch, or: Self.defaultBranch)
        path = try values.optional(.path)
        secretRef = try values.optional(.secretRef)
    }
}
