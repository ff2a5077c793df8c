import AssayAPI
import Base
import EvalModel
import KubeClient
import KubeCore
import KubeRuntime

extension EvalJobReconciler {
    /// The one status write of a pass.
    func writeStatus(_ pass: inout JobPass) async throws {
        let found = pass
        guard let written = try await status.write(pass.job, compute: { JobStatusComputation.next(of: $0, after: found) }) else {
            pass.isGone = true
            return
        }
        let counted = TrialCounting.counted(in: written.status)
        pass.memory.state.withLock { state in
            for index in Array(state.submitted.keys) where counted.contains(index) { state.submitted.removeValue(forKey: index) }
        }
        let before = TrialCounting.counted(in: pass.job.status)
        for trial in pass.recorded where counted.contains(trial.index) && !before.contains(trial.index) { metrics.count(trial) }
        announce(pass, before: pass.job.status, after: written.status)
    }

    private func announce(_ pass: JobPass, before: EvalJobStatus?, after: EvalJobStatus?) {
        let about = subject(pass.job)
        if let obstacle = pass.obstacle, before?.conditions.first(where: { $0.type == ConditionType.ready.rawValue })?.message != obstacle.message {
            events.record(.warning, reason: obstacle.reason.rawValue, message: obstacle.message, on: about)
        }
        if before?.startTime == nil, after?.startTime != nil, let matrix = pass.matrix {
            events.record(
                .normal, reason: Reason.trialsRunning.rawValue,
                message: "\(matrix.count) trials at commit \((pass.source ?? "").prefix(12)), \(pass.job.spec.parallelism) at a time", on: about)
        }
        if let ending = pass.ending, before?.phase?.isFinal != true {
            let trials = after?.trials
            events.record(
                ending == .complete ? .normal : .warning, reason: ending.reason.rawValue,
                message: "\(trials?.completed ?? 0) completed, \(trials?.failed ?? 0) failed, \(trials?.skipped ?? 0) skipped", on: about)
        }
    }
}

/// A job's next status from its last one and what a pass found out. Pure, so that a conflict costs a second computation
/// and nothing else.
enum JobStatusComputation {
    /// nil when there is nothing to write.
    static func next(of job: EvalJob, after pass: JobPass) -> EvalJobStatus? {
        // A job begins with the spec that was looked at; one that was edited meanwhile is looked at again.
        if job.status?.startTime == nil, job.metadata.generation != pass.job.metadata.generation { return nil }
        return status(of: job, after: pass)
    }

    static func status(of job: EvalJob, after pass: JobPass) -> EvalJobStatus {
        var status = job.status ?? EvalJobStatus()
        // What was found out was found out about the spec that the pass saw.
        let generation = pass.job.metadata.generation
        var conditions = JobConditions(status, generation: generation, now: pass.now)
        setArtifacts(&status, &conditions, pass)
        status.observedGeneration = generation
        if status.phase?.isFinal == true {
            status.conditions = conditions.all
            return status
        }
        if let commit = pass.source {
            status.source = SourceStatus(commit: commit)
            conditions.set(.sourceReady, .yes, .sourceResolved, "pinned to commit \(commit)")
        }
        if let matrix = pass.matrix {
            if status.startTime == nil { status.startTime = pass.now }
            TrialCounting.count(pass.recorded, into: &status, agents: matrix.agents, total: matrix.count)
            TrialCounting.setRunning(pass.running, in: &status)
            conditions.set(.targetReady, .yes, .targetFound)
            conditions.set(.overlaysReady, .yes, .noOverlays)
        }
        if let obstacle = pass.obstacle, pass.ending == nil {
            conditions.apply(obstacle)
            if status.phase == nil || status.phase == .preparing { status.phase = .pending }
        } else {
            conditions.clear(.stalled)
            setPhase(&status, &conditions, pass)
        }
        status.conditions = conditions.all
        return status
    }

    private static func setPhase(_ status: inout EvalJobStatus, _ conditions: inout JobConditions, _ pass: JobPass) {
        if let ending = pass.ending {
            if ending != .complete, let matrix = pass.matrix { TrialCounting.skipRemaining(in: &status, matrix: matrix) }
            TrialCounting.setRunning(0, in: &status)
            status.phase = ending.phase
            status.completionTime = pass.now
            conditions.set(.ready, ending == .complete ? .yes : .no, ending.reason)
            conditions.set(ending == .complete ? .complete : .failed, .yes, ending.reason)
        } else if let pause = pass.pause {
            status.phase = .suspended
            switch pause {
            case .suspended: conditions.set(.ready, .no, .suspended, "spec.suspend is true: no new trial starts")
            case .interrupted:
                conditions.set(
                    .ready, .no, .interrupted,
                    "trials that ran were stopped; they run again when the annotation \(AssayNames.interruptedAnnotation) is taken away")
            }
        } else if pass.matrix != nil {
            status.phase = .running
            if let refusal = pass.failure as? KubeError, refusal.isForbidden {
                conditions.set(.ready, .no, .trialPodRefused, "\(refusal)")
            } else {
                conditions.set(.ready, .no, .trialsRunning)
            }
        } else {
            status.phase = .preparing
            conditions.set(.ready, .no, .progressing)
        }
    }

    private static func setArtifacts(_ status: inout EvalJobStatus, _ conditions: inout JobConditions, _ pass: JobPass) {
        guard let recorder = pass.recorder else { return }
        var artifacts = status.artifacts ?? ArtifactsStatus()
        artifacts.branch = recorder.branch
        artifacts.head = recorder.head ?? artifacts.head
        artifacts.pending = recorder.pending
        artifacts.runs = TrialCounting.counted(in: status).count
        status.artifacts = artifacts
        if let failure = recorder.failure {
            let reason: Reason = switch failure.kind {
            case .branchIsDefault: .branchIsDefault
            case .refused: .remoteRejected
            default: .remoteUnreachable
            }
            conditions.set(.artifactsReady, .no, reason, failure.message)
        } else {
            conditions.set(.artifactsReady, .yes, recorder.branch == nil ? .storedLocally : .pushed, recorder.notice ?? "")
        }
    }
}
