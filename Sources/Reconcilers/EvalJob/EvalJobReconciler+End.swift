import Artifacts
import AssayAPI
import Base
import EvalModel
import KubeClient
import KubeCore
import KubeRuntime
import TrialPods

/// The end of a job: its own record, its clean-up, its deletion.
extension EvalJobReconciler {
    /// Every trial is counted and no pod is left: writes the job's record. The job ends when that is recorded.
    func end(_ pass: inout JobPass, as ending: JobEnding, context: TrialCollection.Context, recorder: any RunRecorder) async throws {
        let matrix = context.prepared.matrix
        var status = pass.job.status ?? EvalJobStatus()
        TrialCounting.count(pass.recorded, into: &status, agents: matrix.agents, total: matrix.count)
        if ending != .complete { TrialCounting.skipRemaining(in: &status, matrix: matrix) }

        let name: String
        if let known = pass.memory.state.withLock({ $0.jobRecord }) {
            name = known
        } else {
            let record = JobRecord(
                runId: RunID(jobUID: context.uid), jobName: pass.job.metadata.name, jobUid: context.uid,
                namespace: pass.job.metadata.namespace ?? "", totalTrials: matrix.count, cancelled: ending == .cancelled,
                reason: ending == .complete ? nil : ending.reason.rawValue,
                agents: (status.agents ?? []).map { (name: $0.name, figures: $0.aggregate) },
                config: .init(
                    agents: pass.job.spec.agents.map { .init(name: $0.name, model: $0.model) },
                    datasets: matrix.tasks.reduce(into: []) { if !$0.contains($1.dataset) { $0.append($1.dataset) } },
                    attempts: pass.job.spec.attempts, timeoutMultiplier: pass.job.spec.timeoutMultiplier),
                sourceRepo: context.prepared.source.url.repositoryName, sourceCommit: context.prepared.source.commit.hex,
                sourceRef: context.prepared.source.ref,
                startedAt: status.startTime, timestamp: pass.now)
            let run = try PendingRun(job: record)
            try await recorder.submit(run)
            pass.memory.state.withLock { $0.jobRecord = run.name }
            name = run.name
        }
        await pushNow(recorder, job: pass.job)
        guard await recorder.isRecorded(name) else { return pass.wake(after: 2) }
        pass.ending = ending
    }

    /// An end is worth a push of its own: whoever waits for it reads the branch next. A remote that did not take the last
    /// push is left to the ledger, which knows when to ask it again.
    func pushNow(_ recorder: any RunRecorder, job: EvalJob) async {
        guard await recorder.state().failure == nil else { return }
        do { try await recorder.flush() } catch {
            log.warning("results wait for the remote", ["object": .string(job.key.description), "error": .string(error.message)])
        }
    }

    /// A finished job: nothing of it may keep a finalizer, what waits is pushed, and its time may come to go.
    func afterEnd(_ pass: inout JobPass) async throws {
        let job = pass.job
        pass.memory.state.withLock { $0.vanished = [:] }
        metrics.setRunning(0, of: job.metadata.uid ?? "")
        yieldSlots(job.metadata.uid ?? "")
        let left = pods.objects(for: job.metadata.uid ?? "").filter { $0.isTracked }
        if !left.isEmpty {
            try await release(left.map { ($0, PodFate.of($0.snapshot, at: pass.now, bounds: configuration.bounds)) }, job: job)
        }
        if job.status?.artifacts?.pending ?? 0 > 0 {
            do {
                // What is left from before is pushed as soon as its ledger is there.
                let recorder = try await recorder(for: &pass)
                pass.recorder = await recorder.state()
                if pass.recorder?.pending ?? 0 > 0 { pass.wake(after: 30) }
            } catch {
                pass.wake(after: 60)
            }
            try await writeStatus(&pass)
        } else if job.status?.observedGeneration != job.metadata.generation {
            // An edit that changes nothing any more was seen all the same; whoever waits for that (kstatus) shall not wait for ever.
            try await writeStatus(&pass)
        }
        if left.isEmpty, job.status?.artifacts?.pending ?? 0 == 0 { try await letGo(job) }
        guard let ttl = job.spec.ttlSecondsAfterFinished, let completed = job.status?.completionTime, pass.wakeAfter == nil else { return }
        let due = completed.adding(seconds: Double(max(ttl, configuration.keepsFinishedSeconds)))
        guard due <= pass.now else { return pass.wake(at: due) }
        do {
            try await client.delete(.evalJobs, job.key, options: DeleteOptions(propagation: .background, uid: job.metadata.uid))
        } catch {
            guard error.isNotFound || error.isConflict else { throw error }
        }
    }

    /// Everything is counted and pushed: the job may be deleted without an operator, and nothing of it need be remembered.
    private func letGo(_ job: EvalJob) async throws {
        memories.withLock { _ = $0.removeValue(forKey: job.metadata.uid ?? "") }
        guard job.metadata.finalizers?.contains(AssayNames.jobFinalizer) == true else { return }
        let version = try await Finalizers(client: client).remove(
            AssayNames.jobFinalizer, from: job.key, of: .evalJobs, present: job.metadata.finalizers ?? [], version: job.metadata.resourceVersion)
        if let version { status.gate.record(job.key, resourceVersion: version) }
    }

    /// The job is being deleted: stop its pods, keep and push what ended, let go of the pods, then of the job.
    func finalize(_ pass: inout JobPass) async throws {
        let job = pass.job
        guard job.metadata.finalizers?.contains(AssayNames.jobFinalizer) == true else {
            pass.isGone = true
            return
        }
        if job.status?.phase?.isFinal != true, job.status?.startTime != nil {
            do {
                let recorder = try await recorder(for: &pass)
                let prepared = try await prepared(&pass)
                // Nothing is started any more, so the target, which may be gone already, does not matter.
                let target = (try? target(of: job)) ?? configuration.defaultTarget
                let context = TrialCollection.Context(job: job, prepared: prepared, target: target)
                try await runTrials(&pass, context: context, recorder: recorder, deleting: true)
                try await writeStatus(&pass)
                if pass.ending == nil { return pass.wake(after: 1) }
            } catch let obstacle as JobObstacle {
                if case .waiting(let reason, _, _, let seconds) = obstacle, reason != .secretNotFound {
                    // The source or the remote will be back; what ended is not thrown away because it is away just now.
                    pass.obstacle = obstacle
                    try await writeStatus(&pass)
                    return pass.wake(after: seconds)
                }
                // Without its credential nothing can be recorded any more; holding the namespace up helps nobody.
                events.record(
                    .warning, reason: "ResultsDropped",
                    message: "the job is deleted and what was not recorded yet cannot be: \(obstacle.message)", on: subject(job))
                log.error("a deleted job's results cannot be recorded", ["object": .string(job.key.description), "error": .string(obstacle.message)])
            }
        }
        let left = pods.objects(for: job.metadata.uid ?? "")
        for pod in left where pod.isTracked || !pod.snapshot.metadata.isDeleting {
            try await podWriter.release(pod, .gone, jobUID: job.metadata.uid ?? "")
        }
        do {
            _ = try await Finalizers(client: client).remove(
                AssayNames.jobFinalizer, from: job.key, of: .evalJobs, present: job.metadata.finalizers ?? [], version: job.metadata.resourceVersion)
        } catch {
            // The list of finalizers is written whole, so only as it was read: the next pass has what changed meanwhile.
            guard error.isConflict || error.isInvalid else { throw error }
            return pass.wake(after: 0.1)
        }
        pass.isGone = true
    }
}
