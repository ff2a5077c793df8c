/// One of `[[steps]]`: an instruction with tests of its own. All steps run in the same container.
public struct TaskStep: Sendable, Hashable, Codable {
    /// The name of its folder below `steps/`; unique, also where case does not count.
    public var name: String
    /// Seconds; nil: the task's limit.
    public var agentTimeoutSec: Double?
    public var agent: TaskAgent
    /// Seconds. The task's limit does not count, as for Harbor.
    public var verifierTimeoutSec: Double
    public var verifier: TaskVerifier
    /// The steps after this one run only when its reward is at least this.
    public var minimumReward: MinimumReward?
    public var healthcheck: Healthcheck?
    /// In addition to the task's.
    public var artifacts: [TaskArtifact]

    public init(
        name: String, agentTimeoutSec: Double? = nil, agent: TaskAgent = TaskAgent(), verifierTimeoutSec: Double = 600,
        verifier: TaskVerifier = TaskVerifier(), minimumReward: MinimumReward? = nil, healthcheck: Healthcheck? = nil, artifacts: [TaskArtifact] = []
    ) {
        self.name = name
        self.agentTimeoutSec = agentTimeoutSec
        self.agent = agent
        self.verifierTimeoutSec = verifierTimeoutSec
        self.verifier = verifier
        self.minimumReward = minimumReward
        self.healthcheck = healthcheck
        self.artifacts = artifacts
    }
}

extension EvalTask {
    /// The artifacts of the task and of its steps.
    public var allArtifacts: [TaskArtifact] { artifacts + steps.flatMap(\.artifacts) }

    /// The collect hooks of the task and of its steps.
    var collectHooks: [TaskVerifier.CollectHook] { verifier.collect + steps.flatMap(\.verifier.collect) }
}

/// The reward that a step must reach.
public enum MinimumReward: Sendable, Hashable, Codable {
    /// For the number named `reward`.
    case reward(Double)
    /// For each of these numbers.
    case each([String: Double])
}

/// How the rewards of the steps make the reward of the trial.
public enum MultiStepRewardStrategy: String, Sendable, Hashable, Codable, CaseIterable {
    /// The mean of each number over the steps.
    case mean
    /// The last step's reward.
    case final
}
