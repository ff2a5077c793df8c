import Artifacts
import AssayAPI
import Base
import EvalModel
import SourceSync

/// Computes a job's next status from its last one and the findings of a pass. Pure, so that after a conflict it can simply be computed
/// again.
enum JobStatusComputation {
    /// nil when there is nothing to write.
    static func next(of job: EvalJob, after pass: JobPass) -> EvalJobStatus? {
        // The spec must not change between the pass and the start of the job; if it did, the next pass looks at the new spec.
        if job.status?.startTime == nil, job.metadata.generation != pass.job.metadata.generation { return nil }
        return status(of: job, after: pass)
    }

    /// Seconds after the last write for which a change is held back, so that several become one write: each is a line of `kubectl get -w`. Only
    /// what no decision depends on is held back, and only until the job is over: how many trials run and wait, how far the branch is, and the reason
    /// of a condition that is neither more nor less true than before.
    static func gatherSeconds(_ old: EvalJobStatus?, _ new: EvalJobStatus?) -> Double {
        guard var old, let new, old != new, !new.isOver else { return 0 }
        old.artifacts?.head = new.artifacts?.head
        old.artifacts?.pending = new.artifacts?.pending
        old.takeReason(of: .artifactsReady, from: new)
        if old == new { return 10 }
        old.trials?.running = new.trials?.running ?? 0
        old.trials?.pending = new.trials?.pending ?? 0
        old.takeReason(of: .ready, from: new)
        // The commit is in the write that begins the job, too.
        old.source = new.source
        old.takeReason(of: .sourceReady, from: new)
        if !old.conditions.contains(where: { $0.type == ConditionType.sourceReady.rawValue }) {
            old.conditions += new.conditions.filter { $0.type == ConditionType.sourceReady.rawValue }
        }
        return old == new ? 1 : 0
    }

    static func status(of job: EvalJob, after pass: JobPass) -> EvalJobStatus {
        var status = job.status ?? EvalJobStatus()
        // The findings apply to the spec that the pass saw.
        let generation = pass.job.metadata.generation
        var conditions = JobConditions(status, generation: generation, now: pass.now)
        status.observedGeneration = generation
        if status.isOver {
            setArtifacts(&status, &conditions, pass)
            for error in pass.errors where error.condition == .artifactsReady { conditions.apply(error, isReady: false) }
            status.conditions = conditions.all
            return status
        }
        if let commit = pass.source {
            // The write that begins the job also names its plan.
            status.source = SourceStatus(commit: commit)
            conditions.set(.sourceReady, .yes, .sourceResolved, "pinned to commit \(commit)")
        }
        if let total = pass.total, pass.matrix != nil || pass.hasStarted {
            if status.startTime == nil { status.startTime = pass.now }
            status.plan = pass.plan ?? status.plan
            status.images = pass.images ?? status.images
            let new = TrialCounting.count(pass.recorded, into: &status, agents: pass.agents, total: total, metrics: pass.job.spec.metricTypes)
            if !new.isEmpty {
                var artifacts = status.artifacts ?? ArtifactsStatus()
                artifacts.runs = (artifacts.runs ?? 0) + new.count
                status.artifacts = artifacts
            }
            TrialCounting.setRunning(pass.running, in: &status)
            if !pass.errors.contains(where: { $0.condition == .targetReady }) { conditions.set(.targetReady, .yes, .targetFound) }
            if let overlays = pass.overlays { setOverlays(overlays, &status, &conditions) }
        }
        // Until the job begins, each pass asks for these again: one that is not reported now was found meanwhile, or was not reached.
        if status.startTime == nil {
            for type in [ConditionType.targetReady, .overlaysReady] where !pass.errors.contains(where: { $0.condition == type }) {
                conditions.clear(type)
            }
        }
        setArtifacts(&status, &conditions, pass)
        conditions.clear(.stalled)
        setPhase(&status, &conditions, pass)
        status.conditions = conditions.all
        return status
    }

    private static func setOverlays(_ overlays: [PinnedOverlay], _ status: inout EvalJobStatus, _ conditions: inout JobConditions) {
        guard !overlays.isEmpty else { return conditions.set(.overlaysReady, .yes, .noOverlays) }
        status.overlays = overlays.map { OverlayStatus(name: $0.name, revision: $0.source.commit.hex) }
        let set = OverlaySet(overlays.map(\.offers))
        var words = ["pinned: " + overlays.map { "\($0.name) at \($0.source.commit.hex.prefix(12))" }.joined(separator: ", ")]
        let shadows = set.shadows
        if !shadows.isEmpty { words.append(Self.listed(shadows.map { "\($0.overlay) shadows \($0)" })) }
        let similar = set.similarities
        if !similar.isEmpty {
            words.append("names that differ only in case or Unicode form: " + Self.listed(similar.map { "\($0.overlay): \($0)" }))
        }
        let notes = overlays.flatMap { overlay in overlay.notes.map { "\(overlay.name): \($0)" } }
        if !notes.isEmpty { words.append("skipped: " + Self.listed(notes)) }
        conditions.set(.overlaysReady, .yes, .overlaysPinned, words.joined(separator: "; "))
    }

    /// At most ten of the texts.
    private static func listed(_ texts: [String]) -> String {
        texts.prefix(10).joined(separator: ", ") + (texts.count > 10 ? " and \(texts.count - 10) more" : "")
    }

    private static func setPhase(_ status: inout EvalJobStatus, _ conditions: inout JobConditions, _ pass: JobPass) {
        if let ending = pass.ending {
            if !ending.isSuccess, let total = pass.total {
                TrialCounting.skipRemaining(in: &status, agents: pass.agents, total: total, metrics: pass.job.spec.metricTypes)
            }
            TrialCounting.setRunning(0, in: &status)
            status.phase = ending.phase
            status.completionTime = pass.now
            conditions.end(ending, ending.message(status.trials ?? TrialsStatus(), pass.job.spec))
            return
        }
        let isPaused = pass.stopping != nil || pass.pause != nil
        for (position, error) in pass.errors.enumerated() { conditions.apply(error, isReady: position == 0 && !isPaused) }
        if let stopping = pass.stopping {
            // All trials are stopped, which is what the phase tells users. `completionTime` tells that the job is over.
            if pass.resultsWait != nil { status.phase = stopping.phase }
            let uncounted = (status.trials?.running ?? 0) + (status.trials?.pending ?? 0)
            conditions.set(
                .ready, .no, stopping.reason,
                pass.resultsWait.map { "no trial runs any more; up to \(uncounted) of \(pass.total ?? 0) wait to be counted: \($0)" }
                    ?? "the trials are being stopped")
        } else if let pause = pass.pause {
            status.phase = .suspended
            switch pause {
            case .suspended: conditions.set(.ready, .no, .suspended, "spec.suspend is true: no new trial starts")
            case .interrupted:
                conditions.set(
                    .ready, .no, .interrupted,
                    "trials that ran were stopped; they run again when the annotation \(AssayNames.interruptedAnnotation) is taken away")
            }
        } else if pass.hasStarted || pass.matrix != nil {
            let building = pass.images?.building ?? 0
            let hasTrials = pass.running > 0 || !TrialCounting.counted(in: status).isEmpty
            status.phase = building > 0 && !hasTrials ? .preparing : .running
            guard pass.errors.isEmpty else { return }
            if let held = pass.heldBy, building == 0 || pass.refusal != nil {
                let before = status.conditions.first { $0.type == ConditionType.ready.rawValue && $0.reason == held.reason.rawValue }
                conditions.set(.ready, .no, held.reason, held.message(replacing: before?.message))
            } else if building > 0 {
                conditions.set(.ready, .no, .buildingImages, "building \(building) of \(pass.images?.total ?? building) images")
            } else {
                conditions.set(.ready, .no, .trialsRunning, "the trials are running")
            }
        } else if pass.errors.isEmpty {
            status.phase = .preparing
            conditions.set(.ready, .no, .progressing, "reading the source and asking the results backend")
        } else {
            status.phase = .pending
        }
    }

    private static func setArtifacts(_ status: inout EvalJobStatus, _ conditions: inout JobConditions, _ pass: JobPass) {
        guard let recorder = pass.recorder else { return }
        var artifacts = status.artifacts ?? ArtifactsStatus()
        artifacts.branch = recorder.branch
        artifacts.head = recorder.head ?? artifacts.head
        artifacts.pending = recorder.pending
        artifacts.runs = artifacts.runs ?? 0
        status.artifacts = artifacts
        if let failure = recorder.failure {
            let reason: Reason =
                switch failure.kind {
                case .branchIsDefault: .branchIsDefault
                case .refused: .remoteRejected
                default: .remoteUnreachable
                }
            conditions.set(.artifactsReady, .no, reason, failure.message)
        } else {
            let (reason, words) = place(of: recorder, runs: artifacts.runs ?? 0)
            conditions.set(.artifactsReady, .yes, reason, recorder.notice ?? words)
        }
    }

    /// Describes where a job's results are when there is no error. The text changes once or twice in a job's life, not with each run.
    private static func place(of recorder: RecorderState, runs: Int) -> (Reason, String) {
        guard recorder.branch != nil else { return (.storedLocally, "the results are in the local store") }
        if runs > recorder.pending { return (.pushed, "the results are pushed to the remote as trials end") }
        if recorder.pending > 0 { return (.pushPending, "results are recorded; the next push takes them to the remote") }
        return (.remoteReady, "the remote can be reached; nothing is recorded yet")
    }
}

extension EvalJobStatus {
    /// Takes over another status's condition if it is as true there as here.
    fileprivate mutating func takeReason(of type: ConditionType, from other: EvalJobStatus) {
        guard let index = conditions.firstIndex(where: { $0.type == type.rawValue }),
            let theirs = other.conditions.first(where: { $0.type == type.rawValue }), theirs.status == conditions[index].status
        else { return }
        conditions[index] = theirs
    }
}
