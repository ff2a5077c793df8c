/// A task of a benchmark as its `task.toml` and folder describe it.
///
/// Called `EvalTask`, because the name `Task` would hide Swift's own `Task` in files that import this module.
public struct EvalTask: Sendable, Hashable, Codable {
    /// The task's name: its folder's, or the registry's.
    public var name: String
    /// Which family of datasets the task comes from; decides defaults and the rule for the reward.
    public var schema: TaskSchema
    /// The version that `version` or `schema_version` gave.
    public var schemaVersion: String
    /// The origin of the task, from the key `source`.
    public var source: String?
    /// Whether `instruction.md` exists. (A Harbor task with steps has an instruction for each step.)
    public var hasInstruction: Bool
    public var environment: TaskEnvironment
    public var timeouts: TaskTimeouts
    /// How a non-zero exit of the verifier counts; a dataset may override it.
    public var rewardRule: RewardRule
    /// Variables for the verifier, from `[verifier.env]`; may hold `${VAR}` until they are resolved.
    public var verifierEnv: [String: String]
    /// Features that the task needs and that are not supported. Such a task is refused: without them the result would not
    /// mean what the task's author intended.
    public var unsupported: [UnsupportedFeature]

    public init(
        name: String, schema: TaskSchema, schemaVersion: String, source: String? = nil, hasInstruction: Bool = true,
        environment: TaskEnvironment = TaskEnvironment(), timeouts: TaskTimeouts = TaskTimeouts(),
        rewardRule: RewardRule? = nil, verifierEnv: [String: String] = [:], unsupported: [UnsupportedFeature] = []
    ) {
        self.name = name
        self.schema = schema
        self.schemaVersion = schemaVersion
        self.source = source
        self.hasInstruction = hasInstruction
        self.environment = environment
        self.timeouts = timeouts
        self.rewardRule = rewardRule ?? schema.rewardRule
        self.verifierEnv = verifierEnv
        self.unsupported = unsupported
    }

    /// The image the trial runs in: the job's override, else the task's own, else the target's default.
    ///
    /// Nil for a task with a Dockerfile when neither the job nor the task names an image: the target's default image lacks what the
    /// Dockerfile adds, and images are not built yet.
    public func image(override: String?, targetDefault: String?) -> String? {
        override ?? environment.dockerImage ?? (environment.hasDockerfile ? nil : targetDefault)
    }

    /// Why the task cannot run; nil when it can.
    ///
    /// - Parameter image: the image that the trial would use. A task whose image must be built is refused only when there
    ///   is no other image.
    public func refusal(image: String?) -> TrialError? {
        let features = unsupported.filter { image == nil || $0.kind != .imageBuild }
        if !features.isEmpty {
            let reasons = features.map(\.message).joined(separator: "; ")
            return TrialError(.taskInvalid, "task \"\(name)\" cannot run: \(reasons)")
        }
        if image == nil {
            return TrialError(
                .taskInvalid,
                "task \"\(name)\" has no image: set environment.docker_image in its task.toml, spec.environment.image "
                    + "in the EvalJob or spec.image.default in the EvalTarget")
        }
        return nil
    }
}

/// The family of a task: its defaults, and how its verifier's exit code counts (docs/formats.md).
public enum TaskSchema: String, Sendable, Hashable, Codable, CaseIterable {
    case rollout
    case harbor

    /// The family's rule for the reward.
    public var rewardRule: RewardRule { self == .rollout ? .rollout : .harbor }

    /// The family whose rule this is: a dataset's `rewardRule` is the older way to give its family.
    public init(_ rule: RewardRule) { self = rule == .rollout ? .rollout : .harbor }
}

/// How the verifier's exit code counts.
public enum RewardRule: String, Sendable, Hashable, Codable, CaseIterable {
    /// A non-zero exit of test.sh is `verifier_failed`, even if it wrote a reward.
    case rollout
    /// The exit code is ignored: the reward file decides.
    case harbor
}

/// What a task's container needs.
public struct TaskEnvironment: Sendable, Hashable, Codable {
    /// The image that `docker_image` names.
    public var dockerImage: String?
    /// Whether `environment/Dockerfile` exists.
    public var hasDockerfile: Bool
    /// Seconds an image build may take.
    public var buildTimeoutSec: Double
    /// CPUs; a fraction is allowed.
    public var cpus: Double
    /// Memory in MiB.
    public var memoryMB: Int
    /// Storage in MiB.
    public var storageMB: Int
    /// GPUs; 0 for none.
    public var gpus: Int
    /// The working directory; nil for the image's own.
    public var workdir: String?
    /// Environment variables; values may hold `${VAR}` until they are resolved.
    public var env: [String: String]

    public init(
        dockerImage: String? = nil, hasDockerfile: Bool = false, buildTimeoutSec: Double = 600, cpus: Double = 1,
        memoryMB: Int = 2048, storageMB: Int = 10240, gpus: Int = 0, workdir: String? = nil, env: [String: String] = [:]
    ) {
        self.dockerImage = dockerImage
        self.hasDockerfile = hasDockerfile
        self.buildTimeoutSec = buildTimeoutSec
        self.cpus = cpus
        self.memoryMB = memoryMB
        self.storageMB = storageMB
        self.gpus = gpus
        self.workdir = workdir
        self.env = env
    }
}

/// A feature that a task needs and that is not supported.
public struct UnsupportedFeature: Sendable, Hashable, Codable {
    /// The feature, for comparison in code.
    public enum Kind: String, Sendable, Hashable, Codable, CaseIterable {
        case imageBuild
        case compose
        case steps
        case separateVerifier
        case verifierCollect
        case verifierImage
        case healthcheck
        case mcpServers
        case gpus
        case hardware
        case network
        case user
        case operatingSystem
        case skills
        case artifacts
        case environmentVariables
        case solutionVariables
        case submodule
    }

    public var kind: Kind
    /// A sentence for the user that names the key or file.
    public var message: String

    public init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }
}
