import AssayAPI
import EvalModel
import SourceSync
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
    /// In the order in which they apply.
    public var overlays: [PinnedOverlay]
    /// The images that were built for the task, by digest, for its containers.
    public var builtImages: [ContainerRole: String]

    public init(
        job: JobIdentity, jobSpec: EvalJobSpec, target: EvalTargetSpec, task: EvalTask, agent: AgentSpec, coordinate: TrialCoordinate,
        retry: Int = 0, source: TrialProgram.Delivery.Source, taskPath: String, taskRepo: TrialProgram.Delivery.TaskRepo? = nil,
        rewardRule: RewardRule? = nil, overlays: [PinnedOverlay] = [], builtImages: [ContainerRole: String] = [:]
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
        self.overlays = overlays
        self.builtImages = builtImages
    }

    /// The task's variables, without those that the agent sets itself: the agent's values take precedence. Headers of MCP servers may name variables of the job; these are the agent's, too.
    var taskVariables: [String: TaskValue] {
        let agentNames = Set(agent.env.map(\.name))
        let given = TaskValues(jobSpec.environment.env)
        var variables = given.resolved(task.environment.env)
        for name in task.environment.passedEnv where variables[name] == nil { variables[name] = given[name] }
        for header in task.headerVariables where variables[header.name] == nil { variables[header.name] = given[header.name] }
        return variables.filter { !agentNames.contains($0.key) }
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

    /// A separate verifier's variables: its environment's, and those of `[verifier] env` of the task and then of the step, which count first.
    func separateVerifierVariables(ofStep step: Int) -> [String: TaskValue] {
        let own = task.steps.indices.contains(step) ? task.steps[step].verifier.env : [:]
        let named = task.verifierEnvironment(ofStep: step).env.merging(task.verifier.env) { $1 }.merging(own) { $1 }
        return TaskValues(jobSpec.environment.env).resolved(named).filter { !$0.key.hasPrefix(TrialVariables.reservedPrefix) }
    }

    /// Those of all separate verifiers, in the order of their steps; empty in shared mode.
    var separateVerifierVariables: [[String: TaskValue]] {
        isVerifiedSeparately ? (0..<max(1, task.steps.count)).map { separateVerifierVariables(ofStep: $0) } : []
    }

    /// Whether the trial has containers of their own for its verifiers.
    var isVerifiedSeparately: Bool { !jobSpec.verifier.disable && !images.verifiers.isEmpty }

    /// Where the trial's images come from.
    var images: TaskImages { jobSpec.images(of: task, targetDefault: target.defaultImage) }

    /// The image that the trial runs in; nil when no image is named, or it is not built yet.
    public var image: String? { image(images.trial) }

    /// The image of a step's separate verifier; nil when there is none, or it is not built yet.
    public func verifierImage(ofStep step: Int = 0) -> String? {
        let verifiers = images.verifiers
        guard verifiers.indices.contains(step) else { return nil }
        return switch verifiers[step] {
        case .own(let name): name
        case .dockerfile: builtImages[.verifier(step)]
        case .trial(let image): self.image(image)
        }
    }

    private func image(_ source: TaskImage?) -> String? { source?.isBuilt == true ? builtImages[.trial] : source?.name }

    /// The image of a service; nil when it is not built yet.
    func image(of service: TaskService) -> String? {
        switch service.image {
        case .main: image
        case .own(.named(let name)): name
        case .own(.built): builtImages[.service(service.name)]
        }
    }

    /// A service's variables: those without a value, which only the job may have, are left out.
    func variables(of service: TaskService) -> [String: TaskValue] { TaskValues(jobSpec.environment.env).resolved(service.askedEnv) }

    /// The limits of the phases, with all overrides and multipliers applied.
    public var timeouts: TaskTimeouts { resolved(task.timeouts) }

    /// The user of what the task names no user for; nil when it names none for the trial's container.
    var defaultUser: String? {
        task.defaultUser(image: images.trial == .dockerfile ? task.environment.imageUser : nil, isVerifiedSeparately: isVerifiedSeparately)
    }

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
    public var packLimitBytes: Int
    /// Seconds that a pod may take beyond the limits of its phases: for images, the source and collecting.
    public var slackSeconds: Int

    public init(
        assayImage: String, imagePullPolicy: String? = nil,
        packLimitBytes: Int = CollectorLimits().pack, slackSeconds: Int = 5400
    ) {
        self.assayImage = assayImage
        self.imagePullPolicy = imagePullPolicy
        self.packLimitBytes = packLimitBytes
        self.slackSeconds = slackSeconds
    }
}
