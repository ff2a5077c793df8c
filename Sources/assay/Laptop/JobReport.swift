import Artifacts
import AssayAPI
import Base
import EvalModel
import KubeCore
import Subprocess

/// The report at the end of a run: a table of the results, the totals, where the results are stored, and the exit status.
struct JobReport: Sendable {
    let job: EvalJob
    let state: StateDirectory
    /// The records of the first trials.
    let runs: [RunRecord]

    /// The largest number of rows in the table.
    static let rows = 200

    func print(stalled: String?, alreadyDone: Bool) {
        if let stalled {
            Assay.printError("\(job.metadata.name): \(stalled.replacingControls)")
            return
        }
        if alreadyDone { Swift.print("\(job.metadata.name) is finished; nothing is left to run\n") }
        printRuns()
        printFigures()
        printPlace()
    }

    private func printRuns() {
        guard !runs.isEmpty else { return }
        var table = TextTable([
            ("AGENT", .left), ("TASK", .left), ("ATTEMPT", .right), ("REWARD", .right), ("ERROR", .left), ("TIME", .right), ("RUN", .left),
        ])
        for run in runs {
            table.add([
                run.agent, run.task, "\(run.attempt)", Figure.reward(run.reward), run.error?.type.rawValue ?? "-",
                Figure.duration(run.timings.totalSeconds), run.runId.rawValue,
            ])
        }
        let more = (job.status?.trials?.total ?? 0) - runs.count
        Swift.print(table.render() + (runs.count == Self.rows && more > 0 ? "… and \(more) more: assay results list\n" : ""))
    }

    private func printFigures() { Swift.print(summary) }

    /// The line of totals, or why there is none.
    var summary: String {
        if let figures { return figures }
        let why = job.status?.conditions.first { $0.type == ConditionType.ready.rawValue }?.message ?? ""
        return "no trial began" + (why.isEmpty ? "" : ": \(why)")
    }

    /// The line of totals; nil if the job has none.
    var figures: String? {
        guard let trials = job.status?.trials else { return nil }
        let noun = trials.total == 1 ? "trial" : "trials"
        var text = "\(trials.total) \(noun): \(trials.completed) completed"
        if trials.agentErrors > 0 { text += " (\(trials.agentErrors) with an agent error)" }
        text += ", \(trials.failed) failed"
        if trials.infrastructure > 0 { text += " (\(trials.infrastructure) by infrastructure)" }
        if trials.skipped > 0 { text += ", \(trials.skipped) skipped" }
        text += "; pass rate \(Figure.percent(job.status?.metrics?.passRate)), mean reward \(Figure.reward(job.status?.metrics?.meanReward))"
        return text
    }

    private func printPlace() {
        guard job.spec.artifacts.backend == .git, let git = job.spec.artifacts.git else {
            Swift.print("results: \(state.results)")
            return
        }
        let artifacts = job.status?.artifacts
        if let pending = artifacts?.pending, pending > 0 {
            let why = job.status?.conditions.first { $0.type == ConditionType.artifactsReady.rawValue }?.message ?? ""
            Swift.print("results: \(pending) kept in \(state.artifacts) until \(git.remote) takes them; the next run pushes them")
            if !why.isEmpty { Assay.printError(why.replacingControls) }
            Assay.printError(
                "the results are not on \(git.remote) yet: let it take them, then run the same command again, which only pushes "
                    + "(exit status \(ExitStatus.unpushed); with --allow-unpushed: 0)")
        } else {
            Swift.print("results: \(git.branch) of \(git.remote) at \(artifacts?.head?.prefix(12) ?? "-")")
        }
    }

    /// - Parameter allowUnpushed: whether results that wait on this machine count as pushed.
    func exitStatus(stalled: String?, minimumPassRate: Double?, allowUnpushed: Bool = false) -> Int32 {
        if stalled != nil { return ExitStatus.badInput }
        guard let trials = job.status?.trials else { return ExitStatus.badInput }
        if trials.failed > 0, trials.failed == trials.infrastructure { return ExitStatus.infrastructure }
        if trials.failed > 0 || trials.skipped > 0 { return ExitStatus.belowBar }
        if let minimumPassRate, job.status?.metrics?.passRate ?? 0 < minimumPassRate { return ExitStatus.belowBar }
        if job.spec.artifacts.backend == .git, job.status?.artifacts?.pending ?? 0 > 0, !allowUnpushed { return ExitStatus.unpushed }
        return ExitStatus.success
    }
}
