import Artifacts
import AssayAPI
import Base
import EvalModel
import KubeClient
import KubeCore
import Planning
import TrialPods

/// Carries out the planner's decisions for a job that has begun.
extension EvalJobReconciler {
    /// One pass over the trials. Stopping, pausing and releasing happen even when the source or the results remote is unavailable. Starting
    /// trials and recording them both need the plan and a results backend.
    func continueTrials(_ pass: inout JobPass, deleting: Bool = false) async throws {
        let memory = pass.memory
        // Without its target no new trial starts; trials that run are still collected.
        var target = configuration.defaultTarget
        do throws(ReconcileError) { target = try requirements.target(of: pass.job, pass.identity) } catch {
            // A job that is being deleted starts no trial, so it needs no target.
            if !deleting { pass.add(error) }
        }
        let backend = await backends.current(of: pass.job, pass.identity)
        if let seconds = backend.wakeAfter { pass.wake(after: seconds) }
        if let error = backend.error { pass.add(error) }
        let prepared = try await plan(of: &pass)
        if let prepared { pass.use(prepared) }
        if prepared != nil { pass.plan = memory.state.withLock { $0.plan } }
        guard let total = pass.total else { return }

        let stopping = deleting ? JobEnding.cancelled : stopping(&pass)
        pass.stopping = stopping
        pass.pause = JobPass.Pause(pass.job)
        pass.recorder = await backend.recorder?.state()
        var mayCreate = true
        if let prepared, stopping == nil { mayCreate = await holdNetwork(&pass, prepared, target) }
        let isHeld = !mayCreate || !pass.errors.isEmpty || prepared == nil || backend.recorder == nil
        let mode = JobTrials.mode(stopping: stopping, pause: pass.pause, isHeld: isHeld)
        let images = prepared.map { self.images(of: $0, target: target, mode: mode, &pass) } ?? JobImages()
        let place = prepared.flatMap { prepared in
            backend.recorder.map { recorder in
                TrialRecording.Place(
                    context: .init(job: pass.identity, spec: pass.job.spec, prepared: prepared, target: target, images: images), recorder: recorder,
                    memory: memory)
            }
        }
        pass.refusal = memory.state.withLock { $0.refusal }
        let observation = trials.observe(&pass, mode: mode)
        let counted = TrialCounting.counted(in: pass.job.status)
        let refusals = stopping == nil ? prepared.map { self.refusals($0, pass, target, images) } : nil
        let settled = memory.state.withLock { state in
            var settled = TrialIndexSet(state.submitted.keys)
            for case .run(let index) in state.recording { settled.insert(index) }
            if stopping == nil { for index in state.startFailures.keys { settled.insert(index) } }
            return refusals.map { settled.union($0.indexes) } ?? settled
        }
        let planner = TrialPlanner(
            total: total, parallelism: pass.job.spec.parallelism, retry: pass.job.spec.retry.policy, counted: counted, settled: settled, mode: mode,
            uncountedRoom: room(pass, observation, counted), unready: prepared.map { Self.unready($0, images, pass) } ?? TrialIndexSet())
        var plan = planner.plan(pods: observation.planned, now: pass.now)
        let starting = observation.starting(at: pass.now)
        pass.running = plan.running - starting.count
        pass.wake(at: plan.wakeAt)

        // These steps come first, because they must happen even if later ones fail.
        try await trials.stop(plan, observation, &pass)
        if let place {
            do { try await trials.remakeShared(for: starting, context: place.context, &pass) } catch is CancellationError {
                throw CancellationError()
            } catch { pass.failure = pass.failure ?? error }
            // The record of a trial has the log of its image's build, which is looked up after a restart.
            let ended = observation.found(plan.record).filter { pod, _ in
                guard mode == .run, let trial = place.context.prepared.matrix.coordinate(at: pod.identity.index) else { return true }
                return !images.unready.contains(trial.taskIndex)
            }
            offer(ended, refusals, counted, stopping, mode, place, &pass)
            if mode == .run { lookAgain(Array(observation.byName.values), images, place.context, pass) }
            await collect(place, &pass)
            if plan.running == 0, plan.create.isEmpty { flush(place, pass) }
            keepCreatable(&plan, observation, place, &pass)
        } else {
            plan.limitCreations(to: 0)
        }
        if plan.create.count > Self.creations {
            plan.limitCreations(to: Self.creations)
            pass.wake(after: 0)
        }
        trials.takeSlots(&plan, &pass, limit: target.maxConcurrentTrials)
        pass.work = TrialWork(planner: planner, observation: observation, release: plan.release, create: plan.create, context: place?.context)
        if let place, plan.isFinished { try await end(&pass, as: stopping, place) }
        pass.pendingCause = pendingCause(pass, starting: starting, retrying: observation.found(plan.waitForRetry), room: planner.uncountedRoom)
        pass.recorder = await backend.recorder?.state()
        if pass.recorder?.pending ?? 0 > 0 { pass.wake(after: 5) }
        if pass.ending == nil { pass.resultsWait = Self.whyResultsWait(pass, hasPlace: place != nil) }
    }

    /// The most pods that one pass creates. While a thousand pods are created, ended trials must still be recorded and a cancellation noticed.
    private static let creations = 250

    /// Releases and starts pods. The status is written before, so trials that this pass has counted are released at once.
    func carryOut(_ pass: inout JobPass) async throws {
        guard let work = pass.work, !pass.isGone else { return }
        let (job, identity, memory, trials, now) = (pass.job, pass.identity, pass.memory, trials, pass.now)
        let started = pass
        let failuresBefore = memory.state.withLock { $0.startFailures.count }
        async let releasing = Self.failure {
            try await trials.release(work.due(TrialCounting.counted(in: started.latest.status), now: now), of: job, identity)
        }
        async let starting = Self.failure {
            if let context = work.context { try await trials.start(work.create, context: context, started) }
        }
        let (releaseFailure, startFailure) = (await releasing, await starting)
        for failure in [releaseFailure, startFailure] { try await pass.attempt { if let failure { throw failure } } }
        // Trials whose pods cannot be created are recorded by the next pass.
        if memory.state.withLock({ $0.startFailures.count }) > failuresBefore { pass.wake(after: 0) }
        let refusal = (startFailure as? KubeError).flatMap { $0.isForbidden && !$0.isNamespaceTerminating ? PendingCause.refused($0) : nil }
        guard refusal != pass.refusal else { return }
        memory.state.withLock { $0.refusal = refusal }
        pass.refusal = refusal
        try await writeStatus(&pass)
    }

    private static func failure(_ step: () async throws -> Void) async -> (any Error)? {
        do {
            try await step()
            return nil
        } catch {
            return error
        }
    }

    /// Pushes waiting results early when no trial runs and all that ended are recorded: users read the branch then, and on a cluster no trial
    /// is counted before.
    private func flush(_ place: TrialRecording.Place, _ pass: JobPass) {
        guard let recorder = pass.recorder, recorder.pending > 0 else { return }
        let push = JobMemory.EarlyPush(head: recorder.head, pending: recorder.pending)
        // A person waits for a deletion and may have repaired the remote meanwhile, so it does not wait for the ledger's next regular attempt.
        let isWaitedFor = pass.job.metadata.isDeleting || pass.memory.namespaceEndSeen != nil
        let now = time.monotonic()
        let isDue = pass.memory.state.withLock { state in
            guard state.recording.isEmpty else { return false }
            let isLongAgo = state.earlyPushAskedAt.map { now - $0 >= GitLedger.secondsAfterFailure } ?? true
            // The ledger limits early pushes. What it does not push now waits for the next regular push.
            guard state.earlyPush != push || (isWaitedFor && isLongAgo) else { return false }
            state.earlyPush = push
            state.earlyPushAskedAt = now
            return true
        }
        if isDue { recording.flush(place) }
    }

    /// Why trials that could run do not run yet.
    private func pendingCause(_ pass: JobPass, starting: [PendingCause.Pod], retrying: [JobTrials.Found], room: Int?) -> PendingCause? {
        let failed = retrying.compactMap { pod, fate in
            fate.end?.error.map {
                PendingCause.Pod(name: pod.name, index: pod.identity.index, reason: $0.type.rawValue, message: $0.message, isRetried: true)
            }
        }
        return .find(
            pods: starting + failed, slots: pass.fullTarget,
            unconfirmed: room == 0 ? "no trial starts until the remote has more of the results that wait for it" : nil, running: pass.running,
            parallelism: pass.job.spec.parallelism)
    }

    private func stopping(_ pass: inout JobPass) -> JobEnding? {
        if pass.job.spec.cancel { return .cancelled }
        guard let limit = pass.job.spec.activeDeadlineSeconds, let start = pass.job.status?.startTime else { return nil }
        let deadline = start.adding(seconds: Double(limit))
        if deadline <= pass.now { return .deadlineExceeded }
        pass.wake(at: deadline)
        return nil
    }

    /// How many more trials may start; nil for no limit. When too many runs are not confirmed by the remote, no new trial starts, so that
    /// unconfirmed results do not pile up.
    private func room(_ pass: JobPass, _ observation: JobTrials.Observation, _ counted: TrialIndexSet) -> Int? {
        guard configuration.setting == .cluster, let recorder = pass.recorder, recorder.branch != nil else { return nil }
        // Ended trials that are still being recorded are not yet among the recorder's pending runs. A try that has a successor is recorded.
        let newest = Dictionary(observation.planned.map { ($0.index, $0.retry) }, uniquingKeysWith: max)
        let ended = observation.planned.count { $0.stage != .active && !counted.contains($0.index) && $0.retry == newest[$0.index] }
        return max(0, max(100, 2 * pass.job.spec.parallelism) - max(recorder.pending, ended))
    }

    /// Trials whose task cannot run, or whose image could not be built. They fail without a pod.
    private func refusals(_ prepared: PreparedJob, _ pass: JobPass, _ target: EvalTargetSpec, _ images: JobImages) -> TrialRefusals {
        let image = target.defaultImage
        return pass.memory.refusals(basis: TrialRefusals.basis(image, images)) {
            TrialRefusals(
                prepared, spec: pass.job.spec, defaultImage: image, images: images,
                canBuild: self.images.place(of: pass.job.spec, namespace: pass.identity.namespace, target) != nil,
                networks: configuration.networkAbility, host: requirements.hostAbility(of: pass.job, target, pass.identity))
        }
    }

    // MARK: The ledger

    /// Keeps only the creations that may happen now. A failed try must be recorded before its successor is created. The ledger is asked for
    /// a record of the trial before a retry, and before any trial when this operator does not know whether it ran already.
    private func keepCreatable(_ plan: inout TrialPlan, _ observation: JobTrials.Observation, _ place: TrialRecording.Place, _ pass: inout JobPass) {
        let memory = pass.memory
        let wasRunning = memory.state.withLock { state in
            let known = state.wasRunning ?? true
            state.wasRunning = known
            return known
        }
        var predecessors: [TrialPlan.Creation: JobTrials.Found] = [:]
        for (name, creation) in zip(plan.keepFailed, plan.create) { predecessors[creation] = observation.byName[name] }
        var ready: [TrialPlan.Creation] = []
        for creation in plan.create {
            guard let trial = place.context.prepared.matrix.coordinate(at: creation.index) else { continue }
            var isReady = true
            if let (pod, fate) = predecessors[creation], let end = fate.end, !memory.state.withLock({ $0.keptRetries.contains(pod.uid) }) {
                wake(&pass, recording.keep(pod, end: end, trial: trial, place))
                isReady = false
            }
            if wasRunning || creation.retry > 0, !memory.state.withLock({ $0.notRecorded.contains(creation) }) {
                wake(&pass, recording.lookUp(creation, trial: trial, place))
                isReady = false
            }
            if isReady { ready.append(creation) }
        }
        plan.keepFailed = []
        plan.create = ready
    }

    /// Gives ended trials to the recording.
    private func offer(
        _ ended: [JobTrials.Found], _ refusals: TrialRefusals?, _ counted: TrialIndexSet, _ stopping: JobEnding?, _ mode: TrialPlanner.Mode,
        _ place: TrialRecording.Place, _ pass: inout JobPass
    ) {
        let matrix = place.context.prepared.matrix
        for (pod, fate) in ended {
            guard let end = fate.end, let trial = matrix.coordinate(at: pod.identity.index) else { continue }
            wake(&pass, recording.record(pod, end: end, error: pod.error(of: end, mode: mode), trial: trial, place))
        }
        // A trial that cannot run fails only when it would have started. If the job is cancelled before that, the trial is skipped.
        guard stopping == nil, pass.pause == nil else { return }
        let (taken, failures) = pass.memory.state.withLock { state in
            var taken = counted.union(TrialIndexSet(state.submitted.keys))
            for case .run(let index) in state.recording { taken.insert(index) }
            return (taken, state.startFailures)
        }
        // Limited per pass: all trials of a job of 100,000 may be refused.
        var open = refusals?.open(atMost: 500, except: taken) ?? []
        open += failures.filter { !taken.contains($0.key) }.map { (index: $0.key, error: $0.value) }
        for (index, error) in open {
            guard let trial = matrix.coordinate(at: index) else { continue }
            wake(&pass, recording.record(error, trial: trial, now: pass.now, place))
        }
    }

    private func wake(_ pass: inout JobPass, _ seconds: Double?) {
        if let seconds { pass.wake(after: seconds) }
    }

    /// Counts the trials in this pass whose record is kept safely.
    private func collect(_ place: TrialRecording.Place, _ pass: inout JobPass) async {
        for submitted in pass.memory.state.withLock({ Array($0.submitted.values) }) {
            if await place.recorder.isRecorded(submitted.name) { pass.recorded.append(submitted.trial) } else { pass.wake(after: 5) }
        }
    }

    /// Why ended trials are not counted yet; nil when nothing prevents counting.
    private static func whyResultsWait(_ pass: JobPass, hasPlace: Bool) -> String? {
        if let error = pass.errors.first(where: { $0.condition != .targetReady }) { return error.message }
        if let failure = pass.recorder?.failure { return failure.message }
        return hasPlace ? nil : "the job's plan and its results backend are not there yet"
    }
}
