import AssayAPI
import EvalModel
import TrialRuntime

/// Everything that decides one trial pod.
public struct TrialPodRequest: Sendable {
    public var job: JobIdentity
    public var jobSpec: EvalJobSpec
    public var target: EvalTargetSpec
    public var task: EvalTask
    /// The agent at `coordinate.agentIndex` in `jobSpec.agents`.
    public var agent: AgentSpec
    public var coordinate: TrialCoordinate
    /// How many earlier pods of this trial were lost to infrastructure; 0 for the first pod.
    public var retry: Int
    public var source: TrialProgram.Delivery.Source
    /// The task's folder, relative to the root of its repository.
    public var taskPath: String
    /// The own repository of a task from a registry.
    public var taskRepo: TrialProgram.Delivery.TaskRepo?
    /// The dataset's reward rule, which takes precedence over the task's.
    public var rewardRule: RewardRule?
    /// The image that was built for the task, by digest; nil when it is not built, or none is to be.
    public var builtImage: String?

    public init(
        job: JobIdentity, jobSpec: EvalJobSpec, target: EvalTargetSpec, task: EvalTask, agent: AgentSpec, coordinate: TrialCoordinate,
        retry: Int = 0, source: TrialProgram.Delivery.Source, taskPath: String, taskRepo: TrialProgram.Delivery.TaskRepo? = nil,
        rewardRule: RewardRule? = nil, builtImage: String? = nil
    ) {
        self.job = job
        self.jobSpec = jobSpec
        self.target = target
        self.task = task
        self.agent = agent
        self.coordinate = coordinate
        self.retry = retry
        self.source = source
        self.taskPath = taskPath
        self.taskRepo = taskRepo
        self.rewardRule = rewardRule
        self.builtImage = builtImage
    }

    /// The task's variables, without those that the agent sets itself (the agent's values take precedence) and without names reserved for
    /// Assay. Headers of MCP servers may name variables of the job; these are the agent's, too.
    var taskVariables: [String: TaskValue] {
        let agentNames = Set(agent.env.map(\.name))
        let given = TaskValues(jobSpec.environment.env)
        var variables = given.resolved(task.environment.env)
        for header in task.headerVariables where variables[header.name] == nil { variables[header.name] = given[header.name] }
        return variables.filter { !agentNames.contains($0.key) && !$0.key.hasPrefix(TrialVariables.reservedPrefix) }
    }

    /// The verifier's variables, for each step; one element for a task without steps.
    var verifierVariables: [[String: TaskValue]] {
        let given = TaskValues(jobSpec.environment.env)
        let common = given.resolved(task.verifier.env)
        guard !task.steps.isEmpty else { return [common] }
        return task.steps.map { common.merging(given.resolved($0.verifier.env)) { $1 } }
    }

    /// The variables of the oracle's solution; empty for any other agent.
    var solutionVariables: [String: TaskValue] { agent.agent.isOracle ? TaskValues(jobSpec.environment.env).resolved(task.solutionEnv) : [:] }

    /// The data that this trial shares with others of its job.
    public var shared: SharedData { SharedData(self) }

    /// Where the trial's image comes from; nil when no image is named.
    var imageSource: TaskImage? {
        task.image(override: jobSpec.environment.image, forceBuild: jobSpec.environment.forceBuild, targetDefault: target.image?.default)
    }

    /// The image that the trial runs in; nil when no image is named, or it is not built yet.
    public var image: String? {
        switch imageSource {
        case .dockerfile: builtImage
        case let other: other?.name
        }
    }

    /// The limits of the phases, with all overrides and multipliers applied.
    public var timeouts: TaskTimeouts { resolved(task.timeouts) }

    /// The user of what the task names no user for; nil when it names none at all.
    var defaultUser: String? { task.defaultUser(image: nil) }

    /// Limits of the task or of one of its steps, with all overrides and multipliers applied.
    func resolved(_ timeouts: TaskTimeouts) -> TaskTimeouts {
        timeouts.resolved(
            multiplier: jobSpec.timeoutMultiplier, verifierOverrideSec: jobSpec.verifier.overrideTimeoutSec,
            verifierMaxSec: jobSpec.verifier.maxTimeoutSec)
    }
}

/// Settings that are the same for all pods of an operator.
public struct TrialPodSettings: Sendable, Hashable {
    /// The image of the containers repo-cache and collector.
    public var assayImage: String
    /// The pull policy for `assayImage`; nil: Kubernetes' default.
    public var imagePullPolicy: String?
    /// A directory on the node with mirrors of sources; nil when there is none.
    public var cacheHostPath: String?
    public var packLimitBytes: Int
    /// Seconds that a pod may take beyond the limits of its phases: for images, the source and collecting.
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
