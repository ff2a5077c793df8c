import AssayAPI
import Base
import EvalModel
import KubeClient
import KubeCore
import KubeRuntime

extension EvalJobReconciler {
    /// Writes what the pass has found as the job's status. Doing so twice in a pass counts nothing twice.
    func writeStatus(_ pass: inout JobPass) async throws {
        let found = pass
        let last = pass.latest.status
        guard let written = try await status.write(pass.latest, compute: { JobStatusComputation.next(of: $0, after: found) }) else {
            pass.isGone = true
            return
        }
        pass.written = written
        let counted = TrialCounting.counted(in: written.status)
        pass.memory.state.withLock { state in
            for index in Array(state.submitted.keys) where counted.contains(index) { state.submitted.removeValue(forKey: index) }
            for index in Array(state.startFailures.keys) where counted.contains(index) { state.startFailures.removeValue(forKey: index) }
        }
        let before = TrialCounting.counted(in: last)
        for trial in pass.recorded where counted.contains(trial.index) && !before.contains(trial.index) { metrics.count(trial) }
        // The operator's own status writes wake no job, so a pass is asked for here to act on the new status.
        if counted != before || written.status?.isOver != last?.isOver || written.status?.startTime != last?.startTime {
            pass.wake(after: 0)
        }
        announce(pass, before: last, after: written.status)
    }

    private func announce(_ pass: JobPass, before: EvalJobStatus?, after: EvalJobStatus?) {
        let about = subject(pass.identity)
        for error in pass.errors
        where before?.conditions.contains(where: { $0.reason == error.reason.rawValue && $0.message == error.message }) != true {
            events.record(.warning, reason: error.reason.rawValue, message: error.message, on: about)
        }
        if before?.startTime == nil, after?.startTime != nil, let matrix = pass.matrix {
            events.record(
                .normal, reason: Reason.trialsRunning.rawValue,
                message: "\(matrix.count) trials at commit \((pass.source ?? "").prefix(12)), \(pass.job.spec.parallelism) at a time", on: about)
        }
        if let ending = pass.ending, before?.isOver != true {
            let trials = after?.trials
            events.record(
                ending == .complete ? .normal : .warning, reason: ending.reason.rawValue,
                message: "\(trials?.completed ?? 0) completed, \(trials?.failed ?? 0) failed, \(trials?.skipped ?? 0) skipped", on: about)
        }
    }
}
