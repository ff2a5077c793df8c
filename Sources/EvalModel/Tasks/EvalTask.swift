/// A task of a benchmark as its `task.toml` and folder describe it.
///
/// It has everything that the files say, also what this version cannot run yet: `TaskRequirements` decides about that.
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
    /// The name that `[task]` gives, as `org/name`.
    public var packageName: String?
    /// The version that `[task]` gives.
    public var packageVersion: String?
    /// Whether `instruction.md` exists. (A Harbor task with steps has an instruction for each step.)
    public var hasInstruction: Bool
    public var environment: TaskEnvironment
    public var timeouts: TaskTimeouts
    public var agent: TaskAgent
    public var verifier: TaskVerifier
    /// How a non-zero exit of the verifier counts; a dataset may override it.
    public var rewardRule: RewardRule
    /// Variables for the solution; values may hold `${VAR}` until they are resolved.
    public var solutionEnv: [String: String]
    public var artifacts: [TaskArtifact]
    /// Empty for a task with one instruction.
    public var steps: [TaskStep]
    public var multiStepRewardStrategy: MultiStepRewardStrategy?
    /// Paths of git submodules in the task's folder.
    public var submodules: [String]

    public init(
        name: String, schema: TaskSchema, schemaVersion: String, source: String? = nil, hasInstruction: Bool = true,
        environment: TaskEnvironment = TaskEnvironment(), timeouts: TaskTimeouts = TaskTimeouts(), agent: TaskAgent = TaskAgent(),
        verifier: TaskVerifier = TaskVerifier(), rewardRule: RewardRule? = nil, solutionEnv: [String: String] = [:], artifacts: [TaskArtifact] = [],
        steps: [TaskStep] = [], multiStepRewardStrategy: MultiStepRewardStrategy? = nil, submodules: [String] = []
    ) {
        self.name = name
        self.schema = schema
        self.schemaVersion = schemaVersion
        self.source = source
        self.hasInstruction = hasInstruction
        self.environment = environment
        self.timeouts = timeouts
        self.agent = agent
        self.verifier = verifier
        self.rewardRule = rewardRule ?? schema.rewardRule
        self.solutionEnv = solutionEnv
        self.artifacts = artifacts
        self.steps = steps
        self.multiStepRewardStrategy = multiStepRewardStrategy
        self.submodules = submodules
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
