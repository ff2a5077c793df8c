import Artifacts
import AssayAPI
import Base
import EvalModel
import KubeClient
import KubeCore
import KubeRuntime
import Planning
import TrialPods

/// The end of a job: its own record, its clean-up and its deletion.
extension EvalJobReconciler {
    /// Writes the job's own record once every trial is counted and no pod is left. The job ends when that record is kept.
    ///
    /// - Parameter stopping: why the job was ended early; nil when its trials ran to their end.
    func end(_ pass: inout JobPass, as stopping: JobEnding?, _ place: TrialRecording.Place) async throws {
        let ending = stopping ?? .ofTrials(pass.job.status?.trials)
        guard let name = pass.memory.state.withLock({ $0.jobRecord }) else {
            if let seconds = recording.record(record(of: pass, ending, place.context.prepared), place) {
                pass.wake(after: seconds)
            }
            return
        }
        // Whoever sees the job's end reads the branch next, so the end waits for one push, whether or not it succeeds.
        let isFirst = pass.memory.state.withLock { state in
            defer { state.endFlushBegan = true }
            return !state.endFlushBegan
        }
        if isFirst { recording.flush(place) }
        guard !pass.memory.state.withLock({ $0.recording.contains(.flush) }) else { return pass.wake(after: 30) }
        guard await place.recorder.isRecorded(name) else { return pass.wake(after: 2) }
        pass.ending = ending
    }

    private func record(of pass: JobPass, _ ending: JobEnding, _ prepared: PreparedJob) -> JobRecord {
        let (job, matrix) = (pass.job, prepared.matrix)
        var status = job.status ?? EvalJobStatus()
        TrialCounting.count(pass.recorded, into: &status, agents: matrix.agents, total: matrix.count, metrics: job.spec.metricTypes)
        if !ending.isSuccess { TrialCounting.skipRemaining(in: &status, agents: matrix.agents, total: matrix.count, metrics: job.spec.metricTypes) }
        return JobRecord(
            runId: RunID(jobUID: pass.identity.uid), jobName: pass.identity.name, jobUid: pass.identity.uid, namespace: pass.identity.namespace,
            totalTrials: matrix.count, cancelled: ending == .cancelled, reason: ending.isSuccess ? nil : ending.reason,
            agents: (status.agents ?? []).map { (name: $0.name, figures: $0.aggregate) },
            metrics: job.spec.metricTypes,
            config: .init(
                agents: job.spec.agents.map { .init(name: $0.name, model: $0.model) },
                datasets: matrix.tasks.reduce(into: []) { if !$0.contains($1.dataset) { $0.append($1.dataset) } },
                attempts: job.spec.attempts, timeoutMultiplier: job.spec.timeoutMultiplier),
            sourceRepo: prepared.source.repositoryName, sourceCommit: prepared.source.commit.hex, sourceRef: prepared.source.ref,
            sourceSnapshot: prepared.source.snapshot.map { .init(head: $0.head) },
            startedAt: status.startTime, timestamp: pass.now)
    }

    /// Handles a finished job: releases its pods and its finalizer, pushes results that still wait, and deletes the job when its TTL is
    /// over.
    func afterEnd(_ pass: inout JobPass) async throws {
        let (job, identity) = (pass.job, pass.identity)
        pass.memory.state.withLock { $0.vanished = [:] }
        metrics.forget(identity.uid)
        trials.yieldSlots(identity.uid)
        images.release(identity)
        let left = trials.pods.unordered(identity.uid).filter { $0.isTracked || !($0.snapshot.metadata.isDeleting || $0.isPreserved) }
        // When the namespace is being deleted, the job's finalizer goes first: the operator's Role may go with the last pod.
        await lookForNamespaceEnd(&pass)
        if pass.memory.namespaceEndSeen != nil { return }
        if !left.isEmpty {
            let held = left.filter { !trials.podWriter.releases.isKnown($0.uid) || $0.snapshot.metadata.isDeleting }
            try await trials.release(held.map { ($0, PodFate.of($0.snapshot, at: pass.now, bounds: configuration.bounds)) }, of: job, identity)
            pass.wake(after: 1)
        }
        let pending = try await finishPushing(&pass)
        if !pending, job.status?.observedGeneration != job.metadata.generation {
            // The spec was edited after the end. That changes nothing, but the status must show that the edit was seen: tools such as
            // kstatus wait for it.
            try await writeStatus(&pass)
            return pass.wake(after: 0)
        }
        if left.isEmpty, !pending { try await removeFinalizer(&pass) }
        guard let ttl = job.spec.ttlSecondsAfterFinished, let completed = job.status?.completionTime, !pending, left.isEmpty else { return }
        let due = completed.adding(seconds: Double(max(ttl, configuration.keepsFinishedSeconds)))
        guard due <= pass.now else { return pass.wake(at: due) }
        do {
            try await client.delete(.evalJobs, job.key, options: DeleteOptions(propagation: .background, uid: identity.uid))
        } catch {
            guard error.isNotFound || error.isConflict else { throw error }
        }
    }

    /// Whether results of the finished job still wait for their remote.
    ///
    /// On one machine, results count as soon as they are stored there. So a job that an earlier process finished is checked once, and
    /// results that the remote has lost since are pushed again.
    private func finishPushing(_ pass: inout JobPass) async throws -> Bool {
        let known = pass.job.status?.artifacts?.pending ?? 0
        let isUnchecked =
            configuration.setting == .laptop && pass.job.spec.artifacts.backend == .git
            && !pass.memory.state.withLock { $0.resultsWereChecked }
        guard known > 0 || isUnchecked else { return false }
        let backend = await backends.current(of: pass.job, pass.identity)
        if let seconds = backend.wakeAfter { pass.wake(after: seconds) }
        pass.wake(after: 30)
        guard let recorder = backend.recorder, backend.isReady || known > 0 else {
            if let error = backend.error {
                pass.add(error)
                try await writeStatus(&pass)
            } else {
                pass.isPreliminary = true
            }
            return true
        }
        pass.recorder = await recorder.state()
        if backend.isReady { pass.memory.state.withLock { $0.resultsWereChecked = true } } else { pass.isPreliminary = true }
        try await writeStatus(&pass)
        // The next pass does the rest, based on the status that was just written.
        if pass.recorder?.pending ?? 0 == 0, backend.isReady { pass.wake(after: 0) }
        return true
    }

    /// Called when everything is counted and pushed: removes the finalizer, so that the job can be deleted without an operator, and forgets
    /// most of what was remembered of the job.
    private func removeFinalizer(_ pass: inout JobPass) async throws {
        let job = pass.job
        if job.metadata.finalizers?.contains(AssayNames.jobFinalizer) == true, try await !releaseNetwork(&pass) { return }
        backends.forget(pass.identity)
        pass.memory.state.withLock { state in
            let wereChecked = state.resultsWereChecked
            state = JobMemory.State()
            state.resultsWereChecked = wereChecked
        }
        guard job.metadata.finalizers?.contains(AssayNames.jobFinalizer) == true else { return }
        let version = try await Finalizers(client: client).remove(
            AssayNames.jobFinalizer, from: job.key, of: .evalJobs, present: job.metadata.finalizers ?? [], version: job.metadata.resourceVersion)
        if let version { status.gate.record(job.key, resourceVersion: version) }
    }

    // MARK: Deletion

    /// Handles a job that is being deleted: stops its pods, records and pushes the trials that ended, releases the pods, then the job.
    func finalize(_ pass: inout JobPass) async throws {
        guard pass.job.metadata.finalizers?.contains(AssayNames.jobFinalizer) == true else {
            pass.isGone = true
            return
        }
        // Once the pods are released, the only step left is the deletion of the policies.
        if !pass.memory.state.withLock({ $0.isReleasing }) {
            guard try await recordDeleted(&pass), !pass.isGone else { return }
        }
        try await releaseJob(&pass)
    }

    /// Stops the pods of a job that is being deleted, or whose namespace is, and records the trials that ended.
    /// - Returns: whether nothing is left to wait for: everything is recorded, or the rest cannot be.
    func recordDeleted(_ pass: inout JobPass) async throws -> Bool {
        guard pass.job.status?.isOver != true, pass.hasStarted else { return true }
        do { try await continueTrials(&pass, deleting: true) } catch let error as ReconcileError { pass.add(error) }
        try await writeStatus(&pass)
        if pass.isGone { return true }
        try await carryOut(&pass)
        if pass.ending != nil { return true }
        guard let why = try await whyAbandoned(&pass) else {
            pass.wake(after: 1)
            return false
        }
        abandon(pass, why)
        return true
    }

    /// Takes the finalizers off the job's pods and then off the job.
    ///
    /// In a namespace that is being deleted the job comes first. Once its pods are gone, the job and the operator's role there may be deleted at any moment.
    func releaseJob(_ pass: inout JobPass) async throws {
        let isDeleting = pass.job.metadata.isDeleting
        if isDeleting {
            pass.memory.state.withLock { $0.isReleasing = true }
            try await trials.releaseAll(of: pass.identity)
            guard try await releaseNetwork(&pass) else { return }
        }
        guard try await removeJobFinalizer(pass.latest) else { return pass.wake(after: 0.1) }
        if !isDeleting { try await trials.releaseAll(of: pass.identity) }
        pass.isGone = isDeleting
    }

    /// - Returns: false when the job has changed meanwhile, so that its finalizer is still there.
    func removeJobFinalizer(_ job: EvalJob) async throws -> Bool {
        guard job.metadata.finalizers?.contains(AssayNames.jobFinalizer) == true else { return true }
        do {
            _ = try await Finalizers(client: client).remove(
                AssayNames.jobFinalizer, from: job.key, of: .evalJobs, present: job.metadata.finalizers ?? [], version: job.metadata.resourceVersion)
            return true
        } catch {
            // The whole list of finalizers is replaced, so the write fails when the job has changed; the next pass uses the new list.
            guard error.isConflict || error.isInvalid else { throw error }
            return false
        }
    }

    /// Why results of the job that is being deleted are not waited for; nil when they are.
    private func whyAbandoned(_ pass: inout JobPass) async throws -> String? {
        if await namespaceWaitsTooLong(&pass) { return "the namespace \(pass.identity.namespace) is being deleted and cannot wait longer" }
        if pass.job.metadata.annotations?[AssayNames.abandonResultsAnnotation] != nil {
            return "the job has the annotation \(AssayNames.abandonResultsAnnotation)"
        }
        guard try await backends.secretIsGone(pass.job, pass.identity) else { return nil }
        // Without its credential nothing can be recorded any more, and keeping the job would only block the deletion of its namespace.
        return "the Secret \"\(pass.job.spec.artifacts.git?.secretRef?.name ?? "")\" that results are pushed with is gone"
    }

    /// Reports which runs are lost.
    private func abandon(_ pass: JobPass, _ why: String) {
        let counted = TrialCounting.counted(in: pass.job.status)
        let confirmed = Set(pass.recorded.map(\.index))
        let lost = Set(trials.pods.unordered(pass.identity.uid).map(\.identity.index)).union(pass.memory.state.withLock { Set($0.submitted.keys) })
            .filter { !counted.contains($0) && !confirmed.contains($0) }
        let named = lost.sorted().prefix(10).map { index in
            guard let trial = pass.matrix?.coordinate(at: index) else { return "trial \(index)" }
            return "trial \(index) (\(trial.agent), \(trial.task))"
        }
        let list = named.isEmpty ? "" : ": \(named.joined(separator: ", "))\(lost.count > named.count ? " and \(lost.count - named.count) more" : "")"
        let message = "\(Count.of(lost.count, "run")) of the deleted job \(lost.count == 1 ? "is" : "are") not recorded, as \(why)\(list)"
        events.record(.warning, reason: Reason.resultsAbandoned.rawValue, message: message, on: subject(pass.identity))
        log.error(
            "results of a deleted job are abandoned",
            ["object": .string(pass.identity.description), "why": .string(why), "runs": JSONValue(lost.count)])
    }
}
