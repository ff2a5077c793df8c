import AssayAPI
import EvalModel
import TrialPods
import TrialRuntime

/// A prepared job on a target: every trial's program and pod follow from it.
public struct PlannedJob: Sendable {
    public let job: JobIdentity
    public let spec: EvalJobSpec
    public let prepared: PreparedJob
    public let target: EvalTargetSpec
    /// The images that tasks need built, as far as they are.
    public let images: JobImages

    public init(job: JobIdentity, spec: EvalJobSpec, prepared: PreparedJob, target: EvalTargetSpec, images: JobImages = JobImages()) {
        self.job = job
        self.spec = spec
        self.prepared = prepared
        self.target = target
        self.images = images
    }

    public func agent(_ trial: TrialCoordinate) -> AgentSpec { spec.agents[trial.agentIndex] }
    /// The names of the job's variables that the trial's task asks for; nil when it asks for none.
    public func asked(_ trial: TrialCoordinate) -> [String]? {
        let names = task(trial).task?.askedVariables(by: agent(trial), of: spec).map(\.name) ?? []
        return names.isEmpty ? nil : names
    }
    public func task(_ trial: TrialCoordinate) -> PreparedTask { prepared.tasks[trial.taskIndex] }

    /// Everything that decides a trial's pod and its record; nil for a task that cannot be read.
    ///
    /// - Parameter podImages: the images of the trial's pod, for when the builder was not asked yet.
    public func request(_ trial: TrialCoordinate, retry: Int = 0, podImages: [ContainerRole: String] = [:]) -> TrialPodRequest? {
        let prepared = task(trial)
        guard let task = prepared.task else { return nil }
        return TrialPodRequest(
            job: job, jobSpec: spec, target: target, task: task, agent: agent(trial), coordinate: trial, retry: retry,
            source: .init(self.prepared.source),
            taskPath: prepared.reference.path, taskRepo: prepared.taskRepo.map { .init($0) }, rewardRule: prepared.rewardRule,
            overlays: self.prepared.overlays,
            builtImages: Dictionary(
                uniqueKeysWithValues: ImageUse.roles(of: task).compactMap { role in
                    (images.image(ofTask: trial.taskIndex, role: role)?.reference ?? podImages[role]).map { (role, $0) }
                }))
    }
}
