import AssayAPI
import EvalModel
import TrialRuntime

/// Everything that decides one trial pod.
public struct TrialPodRequest: Sendable {
    public var job: EvalJob
    public var target: EvalTargetSpec
    public var task: EvalTask
    /// Position in `job.spec.agents` is `coordinate.agentIndex`.
    public var agent: AgentSpec
    public var coordinate: TrialCoordinate
    /// 0, or how many pods of this trial were lost to infrastructure before.
    public var retry: Int
    public var source: TrialProgram.Delivery.Source
    /// The task's folder, relative to the root of its repository.
    public var taskPath: String
    /// A registry task's own repository.
    public var taskRepo: TrialProgram.Delivery.TaskRepo?
    /// The dataset's own rule, over the task's.
    public var rewardRule: RewardRule?

    public init(
        job: EvalJob, target: EvalTargetSpec, task: EvalTask, agent: AgentSpec, coordinate: TrialCoordinate,
        retry: Int = 0, source: TrialProgram.Delivery.Source, taskPath: String, taskRepo: TrialProgram.Delivery.TaskRepo? = nil,
        rewardRule: RewardRule? = nil
    ) {
        self.job = job
        self.target = target
        self.task = task
        self.agent = agent
        self.coordinate = coordinate
        self.retry = retry
        self.source = source
        self.taskPath = taskPath
        self.taskRepo = taskRepo
        self.rewardRule = rewardRule
    }

    /// The task's variables without those that the agent sets itself, which are the newer decision, and without names of ours.
    var taskVariables: [String: String] {
        let agentNames = Set(agent.env.map(\.name))
        return task.environment.env.filter { !agentNames.contains($0.key) && !$0.key.hasPrefix(TrialVariables.reservedPrefix) }
    }

    /// What this trial shares with others of its job.
    public var shared: SharedData { SharedData(self) }

    /// The image that the trial runs in; nil when nobody named one.
    public var image: String? {
        task.image(override: job.spec.environment.image, targetDefault: target.image?.default)
    }

    /// The limits of the phases, everything considered.
    public var timeouts: TaskTimeouts {
        task.timeouts.resolved(
            multiplier: job.spec.timeoutMultiplier, verifierOverrideSec: job.spec.verifier.overrideTimeoutSec,
            verifierMaxSec: job.spec.verifier.maxTimeoutSec)
    }
}

/// What is the same for all pods of an operator.
public struct TrialPodSettings: Sendable, Hashable {
    /// The image of repo-cache and collector.
    public var assayImage: String
    /// For `assayImage`; nil: Kubernetes' default.
    public var imagePullPolicy: String?
    /// A directory of the node with mirrors of sources; nil: none.
    public var cacheHostPath: String?
    public var packLimitBytes: Int
    /// Seconds that a pod may take beyond its own limits: waiting for images and the source, collecting.
    public var slackSeconds: Int

    public init(
        assayImage: String, imagePullPolicy: String? = nil, cacheHostPath: String? = nil,
        packLimitBytes: Int = CollectorLimits().pack, slackSeconds: Int = 5400
    ) {
        self.assayImage = assayImage
        self.imagePullPolicy = imagePullPolicy
        self.cacheHostPath = cacheHostPath
        self.packLimitBytes = packLimitBytes
        self.slackSeconds = slackSeconds
    }
}
