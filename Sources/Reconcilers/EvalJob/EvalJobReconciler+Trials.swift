import Artifacts
import AssayAPI
import Base
import EvalModel
import KubeClient
import KubeCore
import KubeRuntime
import TrialPods
import TrialRuntime

/// Running a job's trials: what the planner decided, carried out.
extension EvalJobReconciler {
    /// - Parameters:
    ///   - deleting: the job itself is being deleted, which ends it like a cancellation.
    ///   - isHeld: nothing new may start.
    func runTrials(
        _ pass: inout JobPass, context: TrialCollection.Context, recorder: any RunRecorder, deleting: Bool = false, isHeld: Bool = false
    ) async throws {
        let job = pass.job
        let matrix = context.prepared.matrix
        let memory = pass.memory
        pass.matrix = matrix
        let stopping = deleting ? JobEnding.cancelled : stopping(&pass)
        pass.pause = JobPass.Pause(job)
        let mode: TrialPlanner.Mode =
            switch pass.pause {
            case _ where stopping != nil: .stop
            case .interrupted: .interrupt
            case .suspended: .suspend
            case nil: isHeld ? .suspend : .run
            }
        let counted = TrialCounting.counted(in: job.status)
        let wasRunning = memory.state.withLock { state in
            let known = state.wasRunning ?? true
            state.wasRunning = known
            return known
        }

        let mine = pods.objects(for: context.uid).filter { $0.key.namespace == job.metadata.namespace }
        var byName: [String: (pod: TrialPod, fate: PodFate)] = [:]
        var planned: [PlannedPod] = []
        let known = memory.state.withLock { $0.ended }
        var ended: [String: JobMemory.EndedPod] = [:]
        for pod in mine {
            let version = pod.snapshot.metadata.resourceVersion
            let same = known[pod.uid].flatMap { $0.version == version ? $0.fate : nil }
            let fate = same ?? PodFate.of(pod.snapshot, at: pass.now, bounds: configuration.bounds)
            if fate.end != nil { ended[pod.uid] = .init(version: version, fate: fate) }
            byName[pod.name] = (pod, fate)
            planned.append(pod.planned(fate: fate, mode: mode))
            pass.wake(at: fate.recheck)
        }
        let vanished = memory.state.withLock { state in
            state.ended = ended
            // Another one has come under its name.
            for name in byName.keys { state.vanished.removeValue(forKey: name) }
            return state.vanished
        }
        for (name, gone) in vanished {
            let fate = PodFate.ended(PodFate.of(gone.pod.snapshot, at: pass.now, bounds: configuration.bounds).end ?? PodFate.vanished)
            byName[name] = (gone.pod, fate)
            planned.append(gone.pod.planned(fate: fate, mode: mode, vanishedAt: gone.noticedAt))
        }

        let refused = stopping == nil ? refusals(context, counted: counted, memory: memory) : [:]
        var settled = TrialIndexSet(memory.state.withLock { Array($0.submitted.keys) })
        for index in refused.keys { settled.insert(index) }
        let planner = TrialPlanner(
            total: matrix.count, parallelism: job.spec.parallelism, retry: job.spec.retry.policy, counted: counted, settled: settled,
            mode: mode, uncountedRoom: room(pass))
        var plan = planner.plan(pods: planned, now: pass.now)
        pass.running = plan.running
        pass.wake(at: plan.wakeAt)
        takeSlots(&plan, &pass, context)
        let (due, now) = (plan, pass.now)

        func found(_ names: [String]) -> [(pod: TrialPod, fate: PodFate)] { names.compactMap { byName[$0] } }
        try await pass.attempt {
            try await keepFailed(found(due.keepFailed), context: context, recorder: recorder, memory: memory)
            try await create(due.create, context: context, recorder: recorder, memory: memory, mayBeRecorded: wasRunning, now: now)
        }
        for one in found(due.stop) {
            try await pass.attempt { try await podWriter.stop(one.pod, jobUID: context.uid) }
        }
        for one in found(due.interrupt) where vanished[one.pod.name] == nil {
            try await pass.attempt { try await podWriter.release(one.pod, .interrupted, jobUID: context.uid) }
        }
        for name in due.release + due.interrupt where vanished[name] != nil { memory.state.withLock { _ = $0.vanished.removeValue(forKey: name) } }
        try await pass.attempt { try await release(found(due.release.filter { vanished[$0] == nil }), job: job) }
        try await pass.attempt {
            try await record(found(due.record), context: context, recorder: recorder, memory: memory, mode: mode)
        }
        try await pass.attempt {
            for (index, error) in refused.sorted(by: { $0.key < $1.key }).prefix(500) {
                try await record(index, error, context: context, recorder: recorder, memory: memory, now: now)
            }
        }

        for (name, trial) in memory.state.withLock({ Array($0.submitted.values) }) {
            if await recorder.isRecorded(name) { pass.recorded.append(trial) } else { pass.wake(after: 1) }
        }
        if mode == .interrupt, plan.running == 0 { await pushNow(recorder, job: job) }
        if plan.isFinished { try await end(&pass, as: stopping ?? .complete, context: context, recorder: recorder) }
        pass.recorder = await recorder.state()
        if pass.recorder?.pending ?? 0 > 0 { pass.wake(after: 5) }
    }

    /// Where the target takes only so many trials at a time, the jobs on it share its slots.
    private func takeSlots(_ plan: inout TrialPlan, _ pass: inout JobPass, _ context: TrialCollection.Context) {
        let (job, uid, running) = (context.job, context.uid, plan.running)
        let before = pass.memory.state.withLock { state in
            defer { state.running = running }
            return state.running
        }
        metrics.setRunning(running, of: uid)
        let limit = context.target.maxConcurrentTrials
        guard limit > 0 else { return slots.withdraw(uid) }
        let target = Self.targetKey(of: job)
        let granted = slots.take(
            plan.create.count, running: running, limit: limit, of: target, for: uid, job: job.key,
            others: othersRunning(on: target, beside: uid, at: pass.now))
        // Somebody else's pod may end without this job being told.
        if granted < plan.create.count { pass.wake(after: 1) }
        plan.limitCreations(to: granted)
        if running < before { slots.waiting(beside: uid).forEach(enqueue) }
    }

    private static func targetKey(of job: EvalJob) -> ObjectKey {
        ObjectKey(namespace: job.metadata.namespace ?? "", name: job.spec.targetRef?.name ?? AssayNames.defaultTarget)
    }

    private func othersRunning(on target: ObjectKey, beside uid: String, at now: Timestamp) -> [String: Int] {
        var found: [String: Int] = [:]
        for entry in jobs.entries() where entry.uid != uid && Self.targetKey(of: entry.object) == target {
            // What that job's own passes have found out already need not be read again in each of all others'.
            let ended = memories.withLock { $0[entry.uid] }?.state.withLock { $0.ended } ?? [:]
            found[entry.uid] = pods.objects(for: entry.uid).count { pod in
                if let known = ended[pod.uid], known.version == pod.snapshot.metadata.resourceVersion { return false }
                return PodFate.of(pod.snapshot, at: now, bounds: configuration.bounds).end == nil
            }
        }
        return found
    }

    private func stopping(_ pass: inout JobPass) -> JobEnding? {
        if pass.job.spec.cancel { return .cancelled }
        guard let limit = pass.job.spec.activeDeadlineSeconds, let start = pass.job.status?.startTime else { return nil }
        let deadline = start.adding(seconds: Double(limit))
        if deadline <= pass.now { return .deadlineExceeded }
        pass.wake(at: deadline)
        return nil
    }

    /// Past a bound of runs that the remote has not confirmed no new trial starts: results pile up in one place only.
    private func room(_ pass: JobPass) -> Int? {
        guard configuration.setting == .cluster, let recorder = pass.recorder, recorder.branch != nil else { return nil }
        return max(0, max(100, 2 * pass.job.spec.parallelism) - recorder.pending)
    }

    /// Trials whose task cannot run: they need no pod to fail.
    private func refusals(_ context: TrialCollection.Context, counted: TrialIndexSet, memory: JobMemory) -> [Int: TrialError] {
        let spec = context.job.spec
        let submitted = memory.state.withLock { Set($0.submitted.keys) }
        var found: [Int: TrialError] = [:]
        for (taskIndex, task) in context.prepared.tasks.enumerated() {
            let image = task.task?.image(override: spec.environment.image, targetDefault: context.target.image?.default)
            for (agentIndex, agent) in spec.agents.enumerated() {
                guard let error = task.refusal(for: agent.agent, image: image) else { continue }
                let first = (agentIndex * context.prepared.tasks.count + taskIndex) * spec.attempts
                for index in first..<(first + spec.attempts) where !counted.contains(index) && !submitted.contains(index) { found[index] = error }
            }
        }
        return found
    }

    // MARK: Pods

    /// With the backoff of a job's key these are some 20 s, after which a log that breaks off each time is taken for lost.
    private static let logAttempts = 12

    /// Slow start, as in the Job controller: a mistake that every pod shares is met once, not a thousand times. One that some pods
    /// have (a quota that is too small for a large task) keeps none of the others from starting.
    private func create(
        _ creations: [TrialPlan.Creation], context: TrialCollection.Context, recorder: any RunRecorder, memory: JobMemory,
        mayBeRecorded: Bool, now: Timestamp
    ) async throws {
        var rest = creations[...]
        var size = 1
        var hasStarted = false
        var first: (any Error)?
        // One at a time to begin with, so that some trials' own mistake is told from everybody's.
        var patience = 8
        while !rest.isEmpty, hasStarted || patience > 0 {
            let batch = rest.prefix(size)
            rest = rest.dropFirst(batch.count)
            let failures = await withTaskGroup(of: (any Error)?.self, returning: [any Error].self) { group in
                for creation in batch {
                    group.addTask {
                        do {
                            try await self.create(creation, context, recorder, memory, mayBeRecorded: mayBeRecorded, now: now)
                            return nil
                        } catch {
                            return error
                        }
                    }
                }
                var failures: [any Error] = []
                for await failure in group { if let failure { failures.append(failure) } }
                return failures
            }
            if let stopped = failures.first(where: { $0 is CancellationError }) { throw stopped }
            first = first ?? failures.first
            if failures.count < batch.count {
                hasStarted = true
                size = min(16, size * 2)
            } else {
                guard !hasStarted || batch.count == 1 else { break }
                patience -= 1
            }
        }
        if let first { throw first }
    }

    private func create(
        _ creation: TrialPlan.Creation, _ context: TrialCollection.Context, _ recorder: any RunRecorder, _ memory: JobMemory,
        mayBeRecorded: Bool, now: Timestamp
    ) async throws {
        let trial = context.prepared.matrix[creation.index]
        // Before a trial runs again the ledger is asked: its record may be there though nobody counted it.
        if mayBeRecorded || creation.retry > 0, let known = try await earlierRecord(of: trial, context, recorder) {
            let recorded = RecordedTrial(index: trial.index, agentIndex: trial.agentIndex, outcome: known.trialOutcome)
            memory.state.withLock { $0.submitted[trial.index] = (known.runId.rawValue, recorded) }
            return
        }
        guard let request = context.request(trial, retry: creation.retry) else { return }
        let pod: JSONValue
        do {
            pod = try TrialPodBuilder(configuration.pods).pod(for: request)
        } catch {
            return try await record(trial.index, error, context: context, recorder: recorder, memory: memory, now: now)
        }
        let namespace = context.job.metadata.namespace ?? ""
        try await makeShared(request, memory)
        do {
            guard try await podWriter.create(pod, namespace: namespace, jobUID: context.uid) else {
                log.warning("a pod of another owner has the name of a trial", ["object": .string(context.job.key.description), "index": JSONValue(trial.index)])
                return
            }
        } catch let error as KubeError where error.isInvalid {
            // It would be refused again: that is how this trial ends.
            let why = TrialError(
                .environmentStartFailed, "the API server refuses the trial's pod, look at the job's podTemplate and the task's environment: \(error)")
            return try await record(trial.index, why, context: context, recorder: recorder, memory: memory, now: now)
        } catch let error as KubeError where error.isForbidden {
            // A quota or an admission rule: the next pass tries again, and a user is told.
            events.record(.warning, reason: Reason.trialPodRefused.rawValue, message: "pod of trial \(trial.index): \(error)", on: subject(context.job))
            throw error
        }
        log.debug("started a trial", ["object": .string(context.job.key.description), "index": JSONValue(trial.index), "retry": JSONValue(creation.retry)])
        if creation.retry > 0 {
            events.record(
                .normal, reason: Reason.trialRetried.rawValue,
                message: "trial \(trial.index) (\(trial.agent), \(trial.task)) is tried again, try \(creation.retry + 1)", on: subject(context.job))
        }
    }

    /// Makes the ConfigMaps that the pod needs, once a job and process; before a retry again, since a pod that waits for one that somebody
    /// deleted ends as a failed start.
    private func makeShared(_ request: TrialPodRequest, _ memory: JobMemory) async throws {
        guard let identity = request.job.identity else { return }
        for map in request.shared.configMaps where request.retry > 0 || !memory.state.withLock({ $0.sharedMade.contains(map.name) }) {
            try await OwnedConfigMaps(client: client).ensure(map.name, data: map.data, for: identity)
            memory.state.withLock { _ = $0.sharedMade.insert(map.name) }
        }
    }

    private func earlierRecord(of trial: TrialCoordinate, _ context: TrialCollection.Context, _ recorder: any RunRecorder) async throws -> RunRecord? {
        do {
            let known = try await recorder.record(of: trial.runID(jobUID: context.uid))
            return known?.kind == "run" ? known : nil
        } catch {
            // On the laptop an unreachable remote holds nothing up; on a cluster nothing runs twice because it was not asked.
            guard configuration.setting == .laptop else { throw error }
            return nil
        }
    }

    func release(_ found: [(pod: TrialPod, fate: PodFate)], job: EvalJob) async throws {
        let policy = job.spec.environment.preserveEnv
        let uid = job.metadata.uid ?? ""
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (pod, fate) in found {
                let failed = fate.end?.error.map { !$0.type.isAdvisory } ?? false
                let preserve = policy == .always || (policy == .onFailure && failed)
                group.addTask { try await self.podWriter.release(pod, preserve && fate.end != nil ? .preserved : .gone, jobUID: uid) }
            }
            try await group.waitForAll()
        }
    }

    // MARK: Records

    private func record(
        _ found: [(pod: TrialPod, fate: PodFate)], context: TrialCollection.Context, recorder: any RunRecorder, memory: JobMemory, mode: TrialPlanner.Mode
    ) async throws {
        let new = found.filter { pod, _ in memory.state.withLock { $0.submitted[pod.identity.index] == nil } }
        // A few at a time: each holds its pack in memory.
        var rest = new[...]
        var first: (any Error)?
        while !rest.isEmpty {
            let batch = rest.prefix(8)
            rest = rest.dropFirst(batch.count)
            let failure = await withTaskGroup(of: (any Error)?.self) { group in
                for (pod, fate) in batch {
                    guard let end = fate.end, let trial = context.prepared.matrix.coordinate(at: pod.identity.index) else { continue }
                    let error = pod.error(of: end, mode: mode)
                    group.addTask {
                        do {
                            let (run, recorded) = try await self.submit(
                                pod, end: end, error: error, slot: .final, trial: trial, context: context, recorder: recorder, memory: memory)
                            memory.state.withLock { $0.submitted[trial.index] = (run.name, recorded) }
                            return nil
                        } catch {
                            return error
                        }
                    }
                }
                return await group.reduce(nil) { $0 ?? $1 }
            }
            // One pod that cannot be read does not keep the others from being counted.
            first = first ?? failure
            try Task.checkCancellation()
        }
        if let first { throw first }
    }

    private func submit(
        _ pod: TrialPod, end: PodFate.End, error: TrialError?, slot: PendingRun.Slot, trial: TrialCoordinate, context: TrialCollection.Context,
        recorder: any RunRecorder, memory: JobMemory
    ) async throws -> (PendingRun, RecordedTrial) {
        var (run, recorded): (PendingRun, RecordedTrial)
        // The verdict stands without the outputs; what is wrong with them is part of the record.
        var cut = end
        cut.report?.pack = nil
        do {
            (run, recorded) = try await collection.pendingRun(of: pod, end: end, error: error, slot: slot, trial: trial, context: context)
        } catch let failure as KubeError {
            let failures = memory.state.withLock { state in
                state.readFailures[pod.uid, default: 0] += 1
                return state.readFailures[pod.uid] ?? 0
            }
            guard failures >= Self.logAttempts else { throw failure }
            let why = error ?? TrialError(.artifactTruncated, "the collector's log could not be read at \(failures) attempts: \(failure)")
            (run, recorded) = try await collection.pendingRun(of: pod, end: cut, error: why, slot: slot, trial: trial, context: context)
        }
        do {
            try await recorder.submit(run)
        } catch {
            guard error.kind == .damaged, run.pack != nil else { throw error }
            let why = recorded.outcome.error ?? TrialError(.artifactTruncated, error.message)
            (run, recorded) = try await collection.pendingRun(of: pod, end: cut, error: why, slot: slot, trial: trial, context: context)
            try await recorder.submit(run)
        }
        memory.state.withLock { _ = $0.readFailures.removeValue(forKey: pod.uid) }
        if let error = recorded.outcome.error, error.isInfrastructure {
            events.record(
                .warning, reason: Reason.trialFailed.rawValue, message: "trial \(trial.index) (\(trial.agent), \(trial.task)): \(error)",
                on: subject(context.job))
        }
        return (run, recorded)
    }

    private func record(
        _ index: Int, _ error: TrialError, context: TrialCollection.Context, recorder: any RunRecorder, memory: JobMemory, now: Timestamp
    ) async throws {
        let trial = context.prepared.matrix[index]
        let (run, recorded) = try collection.pendingRun(without: error, trial: trial, context: context, now: now)
        try await recorder.submit(run)
        memory.state.withLock { $0.submitted[index] = (run.name, recorded) }
    }

    /// A try that infrastructure ended is kept beside the run before the next one begins.
    private func keepFailed(
        _ found: [(pod: TrialPod, fate: PodFate)], context: TrialCollection.Context, recorder: any RunRecorder, memory: JobMemory
    ) async throws {
        for (pod, fate) in found where !memory.state.withLock({ $0.keptRetries.contains(pod.uid) }) {
            guard let end = fate.end, let trial = context.prepared.matrix.coordinate(at: pod.identity.index) else { continue }
            _ = try await submit(
                pod, end: end, error: end.error, slot: .retry(pod.identity.retry), trial: trial, context: context, recorder: recorder, memory: memory)
            memory.state.withLock { _ = $0.keptRetries.insert(pod.uid) }
        }
    }
}
