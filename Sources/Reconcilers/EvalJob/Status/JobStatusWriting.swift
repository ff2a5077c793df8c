import AssayAPI
import Base
import EvalModel
import KubeClient
import KubeCore
import KubeRuntime

extension EvalJobReconciler {
    /// Writes the status at the end of a pass.
    func writeStatus(_ pass: inout JobPass) async throws {
        let found = pass
        guard let written = try await status.write(pass.job, compute: { JobStatusComputation.next(of: $0, after: found) }) else {
            pass.isGone = true
            return
        }
        let counted = TrialCounting.counted(in: written.status)
        pass.memory.state.withLock { state in
            for index in Array(state.submitted.keys) where counted.contains(index) { state.submitted.removeValue(forKey: index) }
            for index in Array(state.startFailures.keys) where counted.contains(index) { state.startFailures.removeValue(forKey: index) }
        }
        let before = TrialCounting.counted(in: pass.job.status)
        for trial in pass.recorded where counted.contains(trial.index) && !before.contains(trial.index) { metrics.count(trial) }
        // The operator's own status writes wake no job, so a pass is asked for here to act on the new status.
        if counted != before || written.status?.isOver != pass.job.status?.isOver || written.status?.startTime != pass.job.status?.startTime {
            pass.wake(after: 0)
        }
        announce(pass, before: pass.job.status, after: written.status)
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

extension JobPass {
    /// The API server's message when it currently refuses to create a trial's pod.
    var refusal: String? { (failure as? KubeError).flatMap { $0.isForbidden ? "\($0)" : nil } }
}
