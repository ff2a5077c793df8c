import AssayAPI
import Base
import EvalModel
import TrialPods
import TrialRuntime

/// The pods of a job's trials, from the job's plan.
struct TrialPodSource {
    private let settings: TrialPodSettings

    init(_ settings: TrialPodSettings) { self.settings = settings }

    /// nil for a task that cannot be read: its trials need no pod to fail.
    /// - Throws: why the trial cannot have a pod, which is how it ends.
    func pod(_ creation: TrialPlan.Creation, trial: TrialCoordinate, context: TrialCollection.Context) throws(TrialError) -> JSONValue? {
        let task = context.task(trial)
        guard let evalTask = task.task else { return nil }
        let plan = DeliveryPlan(
            source: .init(context.prepared.source), taskPath: task.reference.path, taskRepo: task.taskRepo.map { .init($0) },
            solution: context.agent(trial).agent.isOracle)
        return try TrialPodBuilder(settings).pod(
            for: TrialPodRequest(
                job: context.job, target: context.target, task: evalTask, agent: context.agent(trial), coordinate: trial,
                retry: creation.retry, plan: plan, rewardRule: task.rewardRule))
    }
}
