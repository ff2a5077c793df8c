import EvalModel
import SourceSync

/// A task of a job, read from the pinned source.
struct PreparedTask: Sendable, Hashable {
    let reference: TaskReference
    /// nil when it cannot be read as a task; `refusal` then says why.
    let task: EvalTask?
    let refusal: TrialError?
    let hasSolution: Bool
    let taskRepo: PinnedSource?
    let rewardRule: RewardRule?
    let warnings: [String]

    /// Why an agent's trials of this task cannot run; nil when they can.
    func refusal(for agent: Agent, image: TaskImage?, canBuild: Bool) -> TrialError? {
        if let refusal { return refusal }
        if agent.isOracle, !hasSolution {
            return TrialError(
                .taskInvalid, "task \"\(reference.name)\" has no solution/solve.sh, which the oracle agent runs; add it or leave the oracle out")
        }
        return task?.refusal(image: image, canBuild: canBuild)
    }
}

/// What a job runs, computed once from its spec and the pinned commit. It stays the same for the job's whole life.
struct PreparedJob: Sendable, Hashable {
    let source: PinnedSource
    /// In the order of `matrix.tasks`.
    let tasks: [PreparedTask]
    let matrix: TrialMatrix
}
