import AssayAPI
import Base
import EvalModel
import KubeClient
import KubeCore
import KubeRuntime
import Planning

extension EvalJobReconciler {
    /// Writes what the pass has found as the job's status. Doing so twice in a pass counts nothing twice.
    func writeStatus(_ pass: inout JobPass) async throws {
        let found = pass
        let last = pass.latest.status
        let now = time.monotonic()
        let since = pass.memory.state.withLock { $0.statusWrittenAt }.map { now - $0 } ?? .infinity
        let rest = Locked(0.0)
        let answer = try await status.write(pass.latest) { job in
            let next = JobStatusComputation.next(of: job, after: found)
            let wait = JobStatusComputation.gatherSeconds(job.status, next) - since
            rest.withLock { $0 = wait }
            return wait > 0 ? nil : next
        }
        guard let written = answer else {
            pass.isGone = true
            return
        }
        let wait = rest.withLock { $0 }
        if wait > 0 {
            pass.wake(after: wait)
        } else if written.metadata.resourceVersion != pass.latest.metadata.resourceVersion {
            pass.memory.state.withLock { $0.statusWrittenAt = now }
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
        where error.reason != .progressing
            && before?.conditions.contains(where: { $0.reason == error.reason.rawValue && $0.message == error.message }) != true
        {
            events.record(.warning, reason: error.reason.rawValue, message: error.message, on: about)
        }
        reportPendingCause(pass, before: before, about)
        if before?.startTime == nil, after?.startTime != nil, let matrix = pass.matrix {
            events.record(
                .normal, reason: Reason.trialsRunning.rawValue,
                message: "\(Count.of(matrix.count, "trial")) at commit \((pass.source ?? "").prefix(12)), \(pass.job.spec.parallelism) at a time",
                on: about)
        }
        if let ending = pass.ending, before?.isOver != true {
            events.record(
                ending == .complete ? .normal : .warning, reason: ending.reason,
                message: ending.message(after?.trials ?? TrialsStatus(), pass.job.spec), on: about)
        }
    }

    /// Writes one Event for each kind of cause. A cause that the condition had before this pass has its Event already, maybe from an earlier process.
    private func reportPendingCause(_ pass: JobPass, before: EvalJobStatus?, _ about: EventSubject) {
        guard let held = pass.heldBy, held.isEvent, pass.errors.isEmpty, pass.stopping == nil, pass.pause == nil else { return }
        let shown = before?.conditions.first { $0.type == ConditionType.ready.rawValue && $0.reason == held.reason.rawValue }?.message
        let isNews = pass.memory.state.withLock { $0.reportedCauses.insert(held.kind).inserted }
        guard isNews, shown.map({ held.message(replacing: $0) != $0 }) ?? true else { return }
        events.record(.warning, reason: held.reason.rawValue, message: held.message, on: about)
    }
}
