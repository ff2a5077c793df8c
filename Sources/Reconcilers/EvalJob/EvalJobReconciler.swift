import Artifacts
import AssayAPI
import Base
import EvalModel
import KubeClient
import KubeCore
import KubeRuntime
import Planning
import SourceSync
import TrialPods

/// Reconciles one EvalJob from its present state.
///
/// A pass runs its steps in a fixed order: it decides, writes all its findings as one status, then starts and releases pods. No pass waits for a source or for a results
/// remote: preparing (`PreparationPool`), opening a results backend (`ResultsBackends`) and recording (`TrialRecording`) run outside the
/// passes and wake the job when they are done. A kill at any moment does no harm because of the order of the writes: record, count in the
/// status, take the finalizer off, delete.
public final class EvalJobReconciler: Sendable {
    let client: KubeClient
    let configuration: OperatorConfiguration
    let jobs: Store<EvalJob>
    let events: EventRecorder
    let time: any TimeSource
    let log = Log("evaljob")

    let status: StatusWriter<EvalJob>
    let requirements: JobRequirements
    let plans: PlanStore
    let sources: JobPreparation
    let credentials: CredentialSource
    let preparation: PreparationPool
    /// nil without a cache service, which takes the files of claims.
    let claims: ClaimPods?
    let images: ImageBuilds
    let backends: ResultsBackends
    let recording: TrialRecording
    let trials: JobTrials
    /// nil when the operator makes no NetworkPolicies.
    let networks: JobNetworks?
    let orphans: OrphanedPods
    let metrics: TrialMetrics
    private let podStore: Store<TrialPod>
    let wakeLater: @Sendable (ObjectKey, Double) -> Void
    private let memories = Locked<[String: JobMemory]>([:])
    /// Jobs that wait until the cache shows the operator's own write.
    private let awaitingCache = Locked<Set<ObjectKey>>([])
    /// Jobs for which this process has completed a pass.
    private let looked = Locked<Set<JobIdentity>>([])

    /// - Parameters:
    ///   - wake: asks for a reconcile of a job.
    ///   - wakeLater: asks for a reconcile of a job after some seconds.
    init(
        client: KubeClient, configuration: OperatorConfiguration, jobs: Store<EvalJob>, pods: Store<TrialPod>, targets: Store<EvalTarget>,
        overlays: JobOverlays, hosts: HostChecks, networks: JobNetworks?, resolver: SourceResolver, credentials: CredentialSource, load: TargetLoad,
        events: EventRecorder, ledgers: LedgerPool,
        metrics registry: MetricsRegistry, time: any TimeSource,
        wake: @escaping @Sendable (ObjectKey, WakeCause) -> Void, wakeLater: @escaping @Sendable (ObjectKey, Double) -> Void
    ) {
        self.wakeLater = wakeLater
        self.client = client
        self.configuration = configuration
        self.jobs = jobs
        self.events = events
        metrics = TrialMetrics(registry)
        self.networks = networks
        self.time = time
        podStore = pods
        status = StatusWriter(client: client, gate: WriteGate(time: time))
        self.credentials = credentials
        let gathered: @Sendable (ObjectKey) -> Void = { wake($0, .gathered) }
        requirements = JobRequirements(client: client, configuration: configuration, targets: targets, overlays: overlays, hosts: hosts)
        // The addresses in a plan were checked when it was made. Those of snapshots are of this operator's own disk.
        plans = PlanStore(maps: OwnedConfigMaps(client: client), policy: configuration.urlPolicy.union(.local))
        claims = configuration.cache.map { ClaimPods(client: client, settings: configuration.pods, cache: $0, time: time) }
        sources = JobPreparation(resolver: resolver)
        preparation = PreparationPool(
            preparation: sources, plans: plans, credentials: credentials, time: time, wake: { wake($0, .event) })
        images = ImageBuilds(
            configuration.imageBuilder ?? ClusterImageBuilder(client: client, configuration: configuration, time: time),
            metrics: ImageMetrics(registry, time: time), time: time,
            wake: { wake($0, .event) })
        backends = ResultsBackends(
            client: client, configuration: configuration, ledgers: ledgers, credentials: credentials, time: time, wake: { wake($0, .event) })
        recording = TrialRecording(
            collection: TrialCollection(client: client, log: log), setting: configuration.setting, events: events,
            traces: configuration.traces, time: time, wake: gathered)
        let podWriter = TrialPodWriter(
            client: client, expectations: Expectations(time: time), pace: ReleasePace(quietSeconds: configuration.releaseQuietSeconds), time: time,
            log: log, reconcile: { wake($0, .event) })
        trials = JobTrials(
            pods: pods.index { entry in
                // Anybody who may create pods can set the label, so the pod's owner is checked too.
                let uid = entry.object.identity.jobUID
                return entry.object.snapshot.metadata.controller?.uid == uid ? [uid] : []
            }, podWriter: podWriter, configuration: configuration, slots: TargetSlots(), load: load, metrics: metrics, events: events, log: log,
            wake: { wake($0, .event) })
        orphans = OrphanedPods(client: client, podWriter: podWriter, pods: pods, podsByUID: trials.pods, log: log)
    }

    public func reconcile(_ key: ObjectKey) async -> ReconcileOutcome {
        do { try await orphans.release(of: key, owner: jobs.get(key)?.metadata.uid) } catch { return .retry(error) }
        guard let job = jobs.get(key), let identity = job.identity else { return .done }
        // No decision is based on a cache that is older than the last write (docs/design.md, section 4).
        guard status.gate.isCurrent(key, in: jobs) else {
            awaitingCache.withLock { _ = $0.insert(key) }
            log.debug(
                "the cache is older than the last write",
                ["object": .string(key.description), "cached": .string(jobs.resourceVersion(of: key) ?? "-"), "cache": .string(jobs.version ?? "-")])
            return .waiting(afterSeconds: 0.05)
        }
        awaitingCache.withLock { _ = $0.remove(key) }
        guard trials.podWriter.expectations.areMet(for: identity.uid, in: podStore) else {
            log.debug("the pods' cache is older than the last write", ["object": .string(key.description)])
            return .waiting(afterSeconds: 0.01)
        }
        do {
            var pass = JobPass(job: job, identity: identity, memory: memory(of: identity.uid), now: time.now())
            recording.takeFinished(identity, pass.memory)
            if job.metadata.isDeleting {
                try await finalize(&pass)
            } else if pass.memory.namespaceEndSeen != nil {
                try await endWithNamespace(&pass)
            } else if job.status?.isOver == true {
                try await afterEnd(&pass)
            } else {
                try await advance(&pass)
            }
            if !pass.isPreliminary { looked.withLock { _ = $0.insert(identity) } }
            if pass.isGone {
                forget(identity)
                return .done
            }
            if let failure = pass.failure {
                // A step failed, but a wake-up that other steps asked for is still needed.
                if let seconds = pass.wakeAfter { wakeLater(key, seconds) }
                return .retry(failure)
            }
            guard let seconds = pass.wakeAfter else { return .done }
            // A pass with errors that wait is no progress, so the backoff of earlier failures stays.
            return pass.errors.isEmpty ? .requeue(afterSeconds: max(0.02, seconds)) : .waiting(afterSeconds: max(0.02, seconds))
        } catch {
            return .retry(error)
        }
    }

    /// Whether the conditions in the job's status were found by this process, not by an earlier one.
    func hasLooked(at job: JobIdentity) -> Bool { looked.withLock { $0.contains(job) } }

    /// How long events of a job's pods and of its records are gathered, in seconds: the more pods there are, the more events one pass
    /// answers.
    func gatherSeconds(_ job: ObjectKey) -> Double { min(0.25, 0.02 + 0.002 * Double(orphans.podCount(of: job))) }

    /// Whether the job waits until the cache shows the operator's own write.
    func awaitsCache(_ key: ObjectKey) -> Bool { awaitingCache.withLock { $0.contains(key) } }

    func forget(_ job: JobIdentity) {
        if let memory = memories.withLock({ $0.removeValue(forKey: job.uid) }) {
            recording.forget(job, memory)
            if let generation = memory.state.withLock({ $0.generation }) { preparation.forget(.init(job: job, generation: generation)) }
        }
        backends.forget(job)
        images.release(job)
        trials.forget(job.uid)
        networks?.forget(job)
        status.gate.forget(job.key)
        awaitingCache.withLock { _ = $0.remove(job.key) }
        looked.withLock { _ = $0.remove(job) }
    }

    /// Remembers a deleted pod whose trial is not counted, so that the deletion can be recorded as the pod's end.
    func podDeleted(_ pod: TrialPod) {
        trials.podWriter.releases.forget(pod.uid)
        let uid = pod.identity.jobUID
        guard let owner = pod.snapshot.metadata.controller, owner.uid == uid,
            let job = jobs.get(ObjectKey(namespace: pod.key.namespace, name: owner.name)), job.metadata.uid == uid,
            !pod.isInterrupted, job.status?.isOver != true, !TrialCounting.counted(in: job.status).contains(pod.identity.index)
        else { return }
        let now = time.now()
        memory(of: uid).state.withLock { $0.vanished[pod.name] = .init(pod: pod, noticedAt: now) }
    }

    /// Stops the work that runs outside the passes.
    func stop() async {
        await preparation.stop()
        await images.stop()
        await networks?.stop()
        await recording.stop()
        await trials.podWriter.releases.stop()
        await backends.stop()
    }

    func memory(of uid: String) -> JobMemory {
        memories.withLock { memories in
            let known = memories[uid] ?? JobMemory()
            memories[uid] = known
            return known
        }
    }

    // MARK: A job that has not ended

    private func advance(_ pass: inout JobPass) async throws {
        forgetOldSpec(pass)
        do {
            try await ensureFinalizer(pass.job)
            if pass.hasStarted { try await continueTrials(&pass) } else { try await begin(&pass) }
        } catch let error as ReconcileError {
            pass.add(error)
            trials.yieldSlots(pass.identity.uid)
        }
        try await writeStatus(&pass)
        try await carryOut(&pass)
        await lookForNamespaceEnd(&pass)
    }

    /// Begins the job. Before the first pod is created, the pinned commit and the number of trials are in the status, the plan is kept and
    /// the spec is fixed. So an operator that continues after a kill runs the same trials (catalogue 48), even when the source is gone
    /// (catalogue 61).
    private func begin(_ pass: inout JobPass) async throws {
        if pass.job.spec.cancel {
            forgetPreparation(pass)
            pass.ending = .cancelled
            return
        }
        let now = time.monotonic()
        let moment = pass.memory.state.withLock { state in
            let moment = state.overlaysWantedAt ?? now
            state.overlaysWantedAt = moment
            return moment
        }
        let pins = try await requirements.check(pass.job, pass.identity, since: moment) {
            images.place(of: pass.job.spec, namespace: pass.identity.namespace, $0) != nil
        }
        // The backend is opened and the job prepared at the same time.
        let backend = await backends.current(of: pass.job, pass.identity)
        let prepared = prepare(&pass) { pins }
        if let seconds = backend.wakeAfter { pass.wake(after: seconds) }
        if let error = backend.error { pass.add(error) }
        guard pass.errors.isEmpty, backend.isReady, let prepared,
            await holdNetwork(&pass, prepared, try requirements.target(of: pass.job, pass.identity))
        else { return trials.yieldSlots(pass.identity.uid) }
        pass.recorder = await backend.recorder?.state()
        pass.memory.state.withLock { $0.wasRunning = false }
        pass.use(prepared)
        pass.plan = pass.memory.state.withLock { $0.plan }
        pass.pause = JobPass.Pause(pass.job)
        let target = try requirements.target(of: pass.job, pass.identity)
        if images.place(of: pass.job.spec, namespace: pass.identity.namespace, target) != nil {
            let contexts = Set(prepared.imagesToBuild(pass.job.spec, defaultImage: target.defaultImage).values.map(\.context))
            if !contexts.isEmpty { pass.images = ImagesStatus(total: contexts.count, ready: 0, failed: 0) }
        }
        pass.wake(after: 0)
    }

    /// Forgets what was derived from an older spec: until a job has begun, its spec may change.
    private func forgetOldSpec(_ pass: JobPass) {
        let (generation, hasStarted) = (pass.job.metadata.generation, pass.hasStarted)
        let isOld = pass.memory.state.withLock { !hasStarted && $0.generation != nil && $0.generation != generation }
        if isOld { forgetPreparation(pass) }
        pass.memory.state.withLock { state in
            // Once a job has begun, the key of its preparation stays the same.
            if !hasStarted || state.generation == nil { state.generation = generation }
        }
    }

    private func forgetPreparation(_ pass: JobPass) {
        let old = pass.memory.state.withLock { state in
            (state.prepared, state.plan, state.preparationFailure, state.refusals, state.images) = (nil, nil, nil, nil, nil)
            state.overlaysWantedAt = nil
            return state.generation
        }
        if let old { preparation.forget(.init(job: pass.identity, generation: old)) }
    }

    private func ensureFinalizer(_ job: EvalJob) async throws {
        let present = job.metadata.finalizers ?? []
        guard !present.contains(AssayNames.jobFinalizer) else { return }
        let version = try await Finalizers(client: client).add(
            AssayNames.jobFinalizer, to: job.key, of: .evalJobs, present: present, version: job.metadata.resourceVersion)
        if let version { status.gate.record(job.key, resourceVersion: version) }
    }

    // MARK: The plan

    /// The job's plan, from memory, from the ConfigMaps that keep it, or from the source; nil while it is being prepared or cannot be.
    func plan(of pass: inout JobPass) async throws -> PreparedJob? {
        let commit = pass.job.status?.source?.commit
        if let known = pass.memory.state.withLock({ $0.prepared }), commit == nil || known.source.commit.hex == commit {
            pass.source = known.source.commit.hex
            return known
        }
        let isUnreadable = pass.memory.state.withLock { $0.planIsUnreadable }
        if let kept = pass.job.status?.plan, !isUnreadable {
            do {
                let prepared = try await plans.read(kept, for: pass.identity, spec: pass.job.spec)
                guard prepared.source.commit.hex == commit else { throw PlanUnreadable(why: "it is of commit \(prepared.source.commit.hex)") }
                pass.memory.state.withLock { ($0.prepared, $0.plan) = (prepared, kept) }
                pass.source = commit
                return prepared
            } catch let error as PlanUnreadable {
                log.warning(
                    "the job's plan is read from the source again", ["object": .string(pass.identity.description), "error": .string("\(error)")])
                pass.memory.state.withLock { $0.planIsUnreadable = true }
            }
        }
        let (pinned, namespace) = (pass.job.status?.overlays ?? [], pass.identity.namespace)
        return prepare(&pass) { () throws(ReconcileError) in try requirements.overlays.pins(pinned, in: namespace) }
    }

    /// The plan from the source; nil while the source is being read, or when it cannot be read (`pass.errors` then says why).
    /// - Parameter overlays: the job's overlays at their revisions.
    private func prepare(_ pass: inout JobPass, overlays: () throws(ReconcileError) -> [OverlayPin]) -> PreparedJob? {
        let pinned = pass.job.status?.source?.commit
        if let known = pass.memory.state.withLock({ $0.prepared }), pinned == nil || known.source.commit.hex == pinned {
            pass.source = known.source.commit.hex
            return known
        }
        let key = PreparationPool.Key(job: pass.identity, generation: pass.memory.state.withLock { $0.generation } ?? 0)
        let now = time.monotonic()
        if case .finished(let outcome)? = preparation.progress(of: key) {
            preparation.forget(key)
            switch outcome {
            case .success(let plan):
                for task in plan.prepared.tasks {
                    for warning in task.warnings {
                        log.warning(warning, ["object": .string(pass.identity.description), "task": .string(task.reference.name)])
                    }
                }
                pass.memory.state.withLock { ($0.prepared, $0.plan, $0.preparationFailure) = (plan.prepared, plan.kept, nil) }
                pass.source = plan.prepared.source.commit.hex
                return plan.prepared
            case .failure(let error):
                pass.memory.state.withLock { $0.preparationFailure = (error, error.retryAfterSeconds.map { now + $0 }) }
            }
        }
        let failure = pass.memory.state.withLock { $0.preparationFailure }
        // A failure is reported until a preparation succeeds, also while it is being tried again.
        if let failure { pass.errors.append(failure.error) }
        if let failure, failure.retryAt.map({ $0 > now }) ?? true {
            if let retryAt = failure.retryAt { pass.wake(after: retryAt - now) }
            return nil
        }
        do throws(ReconcileError) {
            let sync = try strategy(of: try requirements.target(of: pass.job, pass.identity), for: pass.identity)
            preparation.start(key, job: pass.job, pinnedTo: pinned, sync: sync, overlays: try overlays())
        } catch {
            if !pass.errors.contains(error) { pass.add(error) }
        }
        return nil
    }

    private func strategy(of target: EvalTargetSpec, for job: JobIdentity) throws(ReconcileError) -> any SyncStrategy {
        guard let claim = target.claim, configuration.setting == .cluster else { return try target.syncStrategy(time: time) }
        guard let claims else {
            throw .stalled(
                .unsupportedField,
                "spec.claim of the EvalTarget: the files of a claim reach the operator through its cache service; start it with "
                    + "--cache-service", on: .ready)
        }
        return ClaimSync(claim: claim, template: target.podTemplate, job: job, pods: claims)
    }

    func subject(_ job: JobIdentity) -> EventSubject { EventSubject(.evalJobs, job.key, uid: job.uid) }
}
