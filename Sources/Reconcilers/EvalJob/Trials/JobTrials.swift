import AssayAPI
import Base
import EvalModel
import KubeClient
import KubeCore
import KubeRuntime
import Planning
import TrialPods

/// A job's trials as pods: reads their state, and starts, stops and releases them. It needs the prepared plan and the pods, but neither the
/// source nor the results backend.
struct JobTrials: Sendable {
    let pods: StoreIndex<TrialPod, String>
    let podWriter: TrialPodWriter
    let configuration: OperatorConfiguration
    let slots: TargetSlots
    let load: TargetLoad
    let metrics: TrialMetrics
    let events: EventRecorder
    let log: Log
    /// Asks for a reconcile of another job.
    let wake: @Sendable (ObjectKey) -> Void

    typealias Found = (pod: TrialPod, fate: PodFate)

    /// A job's pods at one moment.
    struct Observation: Sendable {
        var byName: [String: Found] = [:]
        var planned: [PlannedPod] = []
        /// Names of pods that are gone from the cluster and were not counted.
        var vanished: Set<String> = []

        /// Pods that have not started.
        func starting(at now: Timestamp) -> [PendingCause.Pod] {
            byName.values.compactMap { pod, fate in
                guard case .waiting(let reason, let message, _) = fate else { return nil }
                let age = pod.snapshot.metadata.creationTimestamp.map { now - $0 } ?? 0
                return .init(name: pod.name, index: pod.identity.index, reason: reason, message: message, age: age)
            }
        }

        func found(_ names: [String]) -> [Found] { names.compactMap { byName[$0] } }
        /// The named pods that are still in the cluster.
        func present(_ names: [String]) -> [Found] { found(names.filter { !vanished.contains($0) }) }
    }

    /// The planner's mode for the job's trials.
    static func mode(stopping: JobEnding?, pause: JobPass.Pause?, isHeld: Bool) -> TrialPlanner.Mode {
        if stopping != nil { return .stop }
        return switch pause {
        case .interrupted: .interrupt
        case .suspended: .suspend
        case nil: isHeld ? .suspend : .run
        }
    }

    // MARK: State of the trials

    /// Reads the fates of the job's pods. An unchanged ended pod is not read again in each pass.
    func observe(_ pass: inout JobPass, mode: TrialPlanner.Mode) -> Observation {
        var observation = Observation()
        let known = pass.memory.state.withLock { $0.ended }
        var ended: [String: JobMemory.EndedPod] = [:]
        ended.reserveCapacity(known.count)
        for pod in pods.unordered(pass.identity.uid) where pod.key.namespace == pass.identity.namespace {
            let version = pod.snapshot.metadata.resourceVersion
            let same = known[pod.uid].flatMap { $0.version == version ? $0.fate : nil }
            let fate = same ?? PodFate.of(pod.snapshot, at: pass.now, bounds: configuration.bounds)
            if fate.end != nil { ended[pod.uid] = .init(version: version, fate: fate) }
            observation.byName[pod.name] = (pod, fate)
            observation.planned.append(pod.planned(fate: fate, mode: mode))
            pass.wake(at: fate.recheck)
        }
        let vanished = pass.memory.state.withLock { state in
            state.ended = ended
            // A new pod has the name of the vanished one.
            for name in Array(state.vanished.keys) where observation.byName[name] != nil { state.vanished.removeValue(forKey: name) }
            return state.vanished
        }
        for (name, gone) in vanished {
            let fate = PodFate.ended(PodFate.of(gone.pod.snapshot, at: pass.now, bounds: configuration.bounds).end ?? PodFate.vanished)
            observation.byName[name] = (gone.pod, fate)
            observation.planned.append(gone.pod.planned(fate: fate, mode: mode, vanishedAt: gone.noticedAt))
            observation.vanished.insert(name)
        }
        metrics.set(phases(of: observation, counted: TrialCounting.counted(in: pass.latest.status)), of: pass.identity.uid)
        return observation
    }

    private func phases(of observation: Observation, counted: TrialIndexSet) -> [TrialMetrics.Phase: Int] {
        observation.byName.values.reduce(into: [:]) { phases, found in
            guard !counted.contains(found.pod.identity.index) else { return }
            switch found.fate {
            case .waiting: phases[.pending, default: 0] += 1
            case .running: phases[.running, default: 0] += 1
            case .ended, .stuck: phases[.ended, default: 0] += 1
            }
        }
    }

    // MARK: Slots of the target

    /// Limits the creations to the slots that the job gets of its target, which the jobs on the target share.
    func takeSlots(_ plan: inout TrialPlan, _ pass: inout JobPass, limit: Int) {
        let (job, uid, running) = (pass.identity, pass.identity.uid, plan.running)
        let before = pass.memory.state.withLock { state in
            defer { state.running = running }
            return state.running
        }
        guard limit > 0 else { return slots.withdraw(uid) }
        let target = JobRequirements.targetKey(of: pass.job.spec, in: job.namespace)
        let granted = slots.take(
            plan.create.count, running: running, limit: limit, of: target, for: uid, job: job.key, others: load.running(on: target, beside: uid))
        // A pod of another job may end without an event for this job.
        if granted < plan.create.count {
            pass.fullTarget = .init(target: target.name, limit: limit)
            pass.wake(after: 1)
        }
        plan.limitCreations(to: granted)
        if running < before { slots.waiting(beside: uid).forEach(wake) }
    }

    /// Frees the slots that this job holds or waits for, and wakes the jobs that wait for them.
    func yieldSlots(_ uid: String) {
        let waiting = slots.waiting(beside: uid)
        slots.withdraw(uid)
        waiting.forEach(wake)
    }

    func forget(_ uid: String) {
        metrics.forget(uid)
        podWriter.expectations.forget(uid)
        yieldSlots(uid)
    }

    // MARK: Stopping and releasing

    /// Asks the nodes to end pods, and releases the stopped pods whose trials are to run again.
    func stop(_ plan: TrialPlan, _ observation: Observation, _ pass: inout JobPass) async throws {
        let uid = pass.identity.uid
        try await pass.attempt {
            try await forEach(observation.found(plan.stop)) { try await podWriter.stop($0.pod, jobUID: uid) }
        }
        try await pass.attempt {
            try await forEach(observation.present(plan.interrupt)) { try await podWriter.release($0.pod, .interrupt, jobUID: uid) }
        }
        let done = (plan.release + plan.interrupt).filter { observation.vanished.contains($0) }
        pass.memory.state.withLock { state in for name in done { state.vanished.removeValue(forKey: name) } }
        // These pods are gone, so no event of theirs will wake the job.
        if !done.isEmpty { pass.wake(after: 0) }
    }

    /// Releases pods whose trial is counted or has a successor pod.
    func release(_ found: [Found], of job: EvalJob, _ identity: JobIdentity) async throws {
        let policy = job.spec.environment.preserveEnv
        try await forEach(found) { pod, fate in
            let failed = fate.end?.error.map { !$0.type.isAdvisory } ?? false
            let preserve = policy == .always || (policy == .onFailure && failed)
            try await podWriter.release(pod, preserve && fate.end != nil ? .preserve : .deleteLater, jobUID: identity.uid)
        }
    }

    /// Releases all pods of a job that is being deleted, counted or not.
    func releaseAll(of identity: JobIdentity) async throws {
        let left = pods.objects(for: identity.uid).filter { $0.isTracked || !$0.snapshot.metadata.isDeleting }
        try await forEach(left.map { ($0, .running(recheck: nil)) }) { try await podWriter.release($0.pod, .delete, jobUID: identity.uid) }
    }

    /// Tasks of one pass that call the API server at the same time. Each costs memory, also while it waits for the client's budget.
    private static let width = 64

    /// Runs `body` for all pods and then throws the first failure.
    private func forEach(_ found: [Found], _ body: @escaping @Sendable (Found) async throws -> Void) async throws {
        let first = await withTaskGroup(of: (any Error)?.self) { group in
            var first: (any Error)?
            for (number, one) in found.enumerated() {
                if number >= Self.width, let outcome = await group.next() { first = first ?? outcome }
                group.addTask {
                    do {
                        try await body(one)
                        return nil
                    } catch {
                        return error
                    }
                }
            }
            return await group.reduce(first) { $0 ?? $1 }
        }
        if let first { throw first }
    }

    // MARK: Starting

    /// Creates pods with a slow start (`SlowStart`), which goes on where the job's last pass has left it.
    ///
    /// When a trial's pod can never be created, the trial ends with that error: see `JobMemory.State.startFailures`.
    func start(_ creations: [TrialPlan.Creation], context: TrialCollection.Context, _ pass: JobPass) async throws {
        var pace = pass.memory.state.withLock { $0.pace }
        let first = await withTaskGroup(of: (any Error)?.self) { group -> (any Error)? in
            var rest = creations[...]
            var underWay = 0
            var first: (any Error)?
            while true {
                while !pace.isOver, !(first is CancellationError), underWay < pace.width, let creation = rest.popFirst() {
                    underWay += 1
                    group.addTask {
                        do {
                            try await self.start(creation, context, pass)
                            return nil
                        } catch {
                            return error
                        }
                    }
                }
                guard let outcome = await group.next() else { return first }
                underWay -= 1
                guard let error = outcome else {
                    pace.succeeded()
                    continue
                }
                pace.failed()
                first = error is CancellationError ? error : first ?? error
            }
        }
        let next = first == nil ? pace : SlowStart()
        pass.memory.state.withLock { $0.pace = next }
        if let first { throw first }
    }

    private func start(_ creation: TrialPlan.Creation, _ context: TrialCollection.Context, _ pass: JobPass) async throws {
        let identity = pass.identity
        let trial = context.prepared.matrix[creation.index]
        let subject = EventSubject(.evalJobs, identity.key, uid: identity.uid)
        func fails(_ error: TrialError) { pass.memory.state.withLock { $0.startFailures[trial.index] = error } }
        // A task that cannot be read fails without a pod.
        guard let request = context.request(trial, retry: creation.retry) else { return }
        let pod: JSONValue
        do {
            let builder = TrialPodBuilder(configuration.pods)
            let egress = try configuration.networks?.access(for: request, builder, bounds: configuration.bounds, addresses: pass.addresses)
            let cache = try configuration.cache?.access(
                for: request, builder, bounds: configuration.bounds, addresses: egress == nil ? nil : pass.addresses)
            pod = try builder.pod(for: request, cache: cache, egress: egress)
        } catch {
            return fails(error)
        }
        try await makeShared(request, identity, pass.memory)
        do {
            guard try await podWriter.create(pod, namespace: identity.namespace, jobUID: identity.uid) else {
                log.warning(
                    "a pod of another owner has the name of a trial", ["object": .string(identity.description), "index": JSONValue(trial.index)])
                return
            }
        } catch let error as KubeError where error.isInvalid {
            // The server would refuse the pod again, so the trial ends with this error.
            return fails(
                TrialError(
                    .environmentStartFailed,
                    "the API server refuses the trial's pod, look at the job's podTemplate and the task's environment: \(error)"))
        }
        pass.memory.state.withLock { _ = $0.notRecorded.remove(creation) }
        log.debug("started a trial", ["object": .string(identity.description), "index": JSONValue(trial.index), "retry": JSONValue(creation.retry)])
        if creation.retry > 0 {
            events.record(
                .normal, reason: Reason.trialRetried.rawValue,
                message: "trial \(trial.index) (\(trial.agent), \(trial.task)) is tried again, try \(creation.retry + 1)", on: subject)
        }
    }

    /// Creates shared ConfigMaps again that somebody deleted while pods wait for them. A pod that waits for one starts by itself once it is there.
    ///
    /// - Parameter starting: pods that have not started.
    func remakeShared(for starting: [PendingCause.Pod], context: TrialCollection.Context, _ pass: inout JobPass) async throws {
        let waiting = starting.filter { $0.reason == "CreateContainerConfigError" || $0.isOrdinary }
        guard !waiting.isEmpty else { return }
        let now = pass.now
        let next = pass.memory.state.withLock { state -> Timestamp in
            // A pod that was just made needs a moment for its containers.
            let next = (state.sharedCheckedAt ?? now).adding(seconds: Self.sharedCheckSeconds)
            if state.sharedCheckedAt == nil || next <= now { state.sharedCheckedAt = now }
            return next
        }
        guard next <= now else { return pass.wake(at: next) }
        pass.wake(after: Self.sharedCheckSeconds)
        var seen: Set<String> = []
        for pod in waiting.prefix(20) {
            guard let trial = context.prepared.matrix.coordinate(at: pod.index), let request = context.request(trial) else { continue }
            for map in request.shared.configMaps where seen.insert(map.name).inserted {
                try await OwnedConfigMaps(client: podWriter.client).ensure(map.name, data: map.data, for: pass.identity)
            }
        }
    }

    private static let sharedCheckSeconds = 5.0

    /// Creates the ConfigMaps that the pod needs, once per job and process. Before a retry they are ensured again: somebody may have
    /// deleted one, and a pod that waits for a missing ConfigMap ends as a failed start.
    private func makeShared(_ request: TrialPodRequest, _ job: JobIdentity, _ memory: JobMemory) async throws {
        for map in request.shared.configMaps where request.retry > 0 || !memory.state.withLock({ $0.sharedMade.contains(map.name) }) {
            try await OwnedConfigMaps(client: podWriter.client).ensure(map.name, data: map.data, for: job)
            memory.state.withLock { _ = $0.sharedMade.insert(map.name) }
        }
    }
}
