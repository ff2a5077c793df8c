import AssayAPI
import EvalModel
import SourceSync
import TrialPods
import TrialRuntime

/// A task of a job, read from the pinned source.
public struct PreparedTask: Sendable, Hashable {
    public let reference: TaskReference
    /// nil when it cannot be read as a task; `refusal` then says why.
    public let task: EvalTask?
    public let refusal: TrialError?
    public let hasSolution: Bool
    /// The task's own repository; nil for a task of the job's source.
    public let taskRepo: PinnedSource?
    public let rewardRule: RewardRule?
    /// Sentences about what is ignored in the task's files.
    public let warnings: [String]

    public init(
        reference: TaskReference, task: EvalTask?, refusal: TrialError?, hasSolution: Bool, taskRepo: PinnedSource?, rewardRule: RewardRule?,
        warnings: [String]
    ) {
        self.reference = reference
        self.task = task
        self.refusal = refusal
        self.hasSolution = hasSolution
        self.taskRepo = taskRepo
        self.rewardRule = rewardRule
        self.warnings = warnings
    }

    /// The task with a reason why it cannot run.
    func refused(_ error: TrialError) -> PreparedTask {
        PreparedTask(
            reference: reference, task: task, refusal: error, hasSolution: hasSolution, taskRepo: taskRepo, rewardRule: rewardRule, warnings: warnings
        )
    }

    /// Why an agent's trials of this task cannot run; nil when they can.
    public func refusal(
        for agent: AgentSpec, job: EvalJobSpec, images: TaskImages?, canBuild: Bool, networks: NetworkAbility, host: HostAbility? = nil
    ) -> TrialError? {
        if let refusal { return refusal }
        if let variable = task?.reservedVariable(for: TrialVariables.reservedPrefix) {
            return TrialError(
                .taskInvalid,
                "task \"\(reference.name)\" sets \(variable); names that begin with "
                    + "\(TrialVariables.reservedPrefix) are Assay's own")
        }
        if agent.agent.isOracle, !hasSolution {
            return TrialError(
                .taskInvalid, "task \"\(reference.name)\" has no solution/solve.sh, which the oracle agent runs; add it or leave the oracle out")
        }
        guard let task else { return nil }
        if let host, let images, let refusal = HostRules.refusal(of: task, images: images, agent: agent, job: job, on: host) { return refusal }
        return images.flatMap { task.refusal(image: $0.trial, verifiers: $0.verifiers, canBuild: canBuild) }
            ?? TrialNetworkRules.refusal(of: task, agent: agent, job: job, ability: networks)
    }
}

/// What a job runs, computed once from its spec and the pinned commit. It stays the same for the job's whole life.
public struct PreparedJob: Sendable, Hashable {
    public let source: PinnedSource
    /// In the order of `matrix.tasks`.
    public let tasks: [PreparedTask]
    public let matrix: TrialMatrix
    /// In the order in which they apply.
    public let overlays: [PinnedOverlay]

    public init(source: PinnedSource, tasks: [PreparedTask], matrix: TrialMatrix, overlays: [PinnedOverlay] = []) {
        self.source = source
        self.tasks = tasks
        self.matrix = matrix
        self.overlays = overlays
    }
}

extension EvalTask {
    /// A variable of the task or of its verifier that only Assay may set, with its table.
    fileprivate func reservedVariable(for prefix: String) -> String? {
        let tables =
            [
                ("environment.env", environment.env), ("verifier.env", verifier.env), ("verifier.environment.env", verifier.environment?.env ?? [:]),
                ("solution.env", solutionEnv),
            ] + steps.map { ("steps.verifier.env", $0.verifier.env) }
        for (table, variables) in tables {
            if let name = variables.keys.sorted().first(where: { $0.hasPrefix(prefix) }) { return "[\(table)] \(name)" }
        }
        return nil
    }
}
