import Artifacts
import AssayAPI
import Base
import EvalModel
import Git
import KubeClient
import KubeCore
import KubeRuntime
import SourceSync
import TrialPods

/// Brings one EvalJob forward, from what is there now.
///
/// A pass has ordered steps, each of which may end it with an obstacle; whatever it found out is written as one status at
/// its end. The order of the writes is what makes a kill at any moment harmless: record, count in the status, take the
/// finalizer off, delete.
public final class EvalJobReconciler: Sendable {
    let client: KubeClient
    let configuration: OperatorConfiguration
    let jobs: Store<EvalJob>
    let pods: StoreIndex<TrialPod, String>
    let podStore: Store<TrialPod>
    let targets: Store<EvalTarget>
    let overlays: Store<OverlaySource>
    let events: EventRecorder
    let time: any TimeSource
    let log = Log("evaljob")

    let status: StatusWriter<EvalJob>
    let podWriter: TrialPodWriter
    let expectations: Expectations<String>
    let collection: TrialCollection
    let preparation: JobPreparation
    let ledgers: LedgerPool
    let localLedger: LocalLedger?
    let credentials: CredentialSource
    let memories = Locked<[String: JobMemory]>([:])
    let slots = TargetSlots()
    let enqueue: @Sendable (ObjectKey) -> Void
    let metrics: TrialMetrics
    private let podsByOwner: StoreIndex<TrialPod, ObjectKey>

    /// - Parameter enqueue: asks for another job to be looked at.
    init(
        client: KubeClient, configuration: OperatorConfiguration, jobs: Store<EvalJob>, pods: Store<TrialPod>, targets: Store<EvalTarget>,
        overlays: Store<OverlaySource>, events: EventRecorder, ledgers: LedgerPool, metrics: TrialMetrics, time: any TimeSource,
        enqueue: @escaping @Sendable (ObjectKey) -> Void
    ) {
        self.client = client
        self.configuration = configuration
        self.jobs = jobs
        self.podStore = pods
        // A label can be written by anybody who may create pods; the owner makes the pod ours.
        self.pods = pods.index { entry in
            let uid = entry.object.identity.jobUID
            return entry.object.snapshot.metadata.controller?.uid == uid ? [uid] : []
        }
        podsByOwner = pods.index { entry in entry.object.jobKey.map { [$0] } ?? [] }
        self.targets = targets
        self.overlays = overlays
        self.events = events
        self.ledgers = ledgers
        self.metrics = metrics
        self.time = time
        self.enqueue = enqueue
        expectations = Expectations(time: time)
        status = StatusWriter(client: client, gate: WriteGate(time: time))
        podWriter = TrialPodWriter(client: client, expectations: expectations)
        collection = TrialCollection(client: client, log: log)
        credentials = CredentialSource(client: client, configuration: configuration)
        let resolver = SourceResolver(
            cacheDirectory: configuration.cacheDirectory, cacheLimit: configuration.cacheLimit, policy: configuration.urlPolicy)
        preparation = JobPreparation(resolver: resolver)
        localLedger = configuration.resultsDirectory.map {
            LocalLedger(directory: $0, scratch: "\(configuration.stateDirectory)/unpack")
        }
    }

    public func reconcile(_ key: ObjectKey) async -> ReconcileOutcome {
        do { try await releaseOrphans(of: key) } catch { return .retry(error) }
        guard let job = jobs.get(key), let uid = job.metadata.uid else {
            return .done
        }
        // Nothing is decided from a cache that is older than what was done last (docs/design.md, section 4).
        guard status.gate.isCurrent(key, in: jobs) else {
            log.debug(
                "the cache is older than the last write",
                ["object": .string(key.description), "cached": .string(jobs.resourceVersion(of: key) ?? "-"), "cache": .string(jobs.version ?? "-")])
            return .requeue(afterSeconds: 0.05)
        }
        guard expectations.areMet(for: uid, in: podStore) else {
            log.debug("the pods' cache is older than the last write", ["object": .string(key.description)])
            return .requeue(afterSeconds: 0.05)
        }
        let memory = memory(of: uid)
        do {
            var pass = JobPass(job: job, memory: memory, now: time.now())
            if job.metadata.isDeleting {
                try await finalize(&pass)
            } else if job.status?.phase?.isFinal == true {
                try await afterEnd(&pass)
            } else {
                try await advance(&pass)
            }
            if pass.isGone {
                forget(uid, key)
                return .done
            }
            if let failure = pass.failure { return .retry(failure) }
            return pass.wakeAfter.map { .requeue(afterSeconds: max(0.02, $0)) } ?? .done
        } catch {
            return .retry(error)
        }
    }

    func forget(_ uid: String, _ key: ObjectKey) {
        memories.withLock { _ = $0.removeValue(forKey: uid) }
        metrics.forget(uid)
        expectations.forget(uid)
        status.gate.forget(key)
        yieldSlots(uid)
    }

    /// Others may use what this job holds of a target, or waits for.
    func yieldSlots(_ uid: String) {
        let waiting = slots.waiting(beside: uid)
        slots.withdraw(uid)
        waiting.forEach(enqueue)
    }

    /// A pod is gone from the cluster. If nobody counted it, that is the end it came to.
    func noteGone(_ pod: TrialPod) {
        let uid = pod.identity.jobUID
        guard let owner = pod.snapshot.metadata.controller, owner.uid == uid,
            let job = jobs.get(ObjectKey(namespace: pod.key.namespace, name: owner.name)), job.metadata.uid == uid,
            !pod.isInterrupted, job.status?.phase?.isFinal != true, !TrialCounting.counted(in: job.status).contains(pod.identity.index)
        else { return }
        let now = time.now()
        memory(of: uid).state.withLock { $0.vanished[pod.name] = .init(pod: pod, noticedAt: now) }
    }

    private func memory(of uid: String) -> JobMemory {
        memories.withLock { memories in
            let known = memories[uid] ?? JobMemory()
            memories[uid] = known
            return known
        }
    }

    /// Pods whose job is gone for good: their finalizer would keep them, and their namespace, for ever.
    private func releaseOrphans(of key: ObjectKey) async throws {
        let present = jobs.get(key)?.metadata.uid
        // Without an owner nobody waits for it: whoever took the owner away wanted it kept, and can delete it from now on.
        for pod in podsByOwner.objects(for: key) where pod.isOrphaned {
            log.warning("letting go of a pod without owner", ["object": .string(key.description), "pod": .string(pod.name)])
            try await podWriter.release(pod, .preserved, jobUID: pod.identity.jobUID)
        }
        let orphans = podsByOwner.objects(for: key).filter { $0.isTracked && !$0.isOrphaned && $0.identity.jobUID != present }
        guard !orphans.isEmpty else { return }
        // The cache of jobs may be behind that of pods: the server knows which job there is.
        var actual: String?
        do { actual = try await client.get(.evalJobs, key).at("metadata", "uid")?.string } catch {
            guard error.isNotFound else { throw error }
        }
        for pod in orphans where pod.identity.jobUID != actual {
            log.warning("letting go of a pod whose job is gone", ["object": .string(key.description), "pod": .string(pod.name)])
            try await podWriter.release(pod, .gone, jobUID: pod.identity.jobUID)
        }
    }

    // MARK: A job that is not at its end

    private func advance(_ pass: inout JobPass) async throws {
        forgetOldSpec(pass)
        do {
            try await ensureFinalizer(pass.job)
            if pass.hasStarted { try await goOn(&pass) } else { try await begin(&pass) }
        } catch let obstacle as JobObstacle {
            pass.obstacle = obstacle
            if case .waiting(_, _, _, let seconds) = obstacle { pass.wake(after: seconds) }
            // What cannot be begun can be cancelled all the same.
            if pass.job.spec.cancel, !pass.hasStarted { pass.ending = .cancelled }
            yieldSlots(pass.job.metadata.uid ?? "")
        }
        try await writeStatus(&pass)
    }

    /// The pinned commit and the number of trials are in the status, and the spec is fixed with that, before the first pod is
    /// made: whoever goes on after a kill runs the same (catalogue 48).
    private func begin(_ pass: inout JobPass) async throws {
        try checkSupport(pass.job)
        _ = try target(of: pass.job)
        try checkOverlays(pass.job)
        try await checkSecrets(pass.job)
        _ = try await recorder(for: &pass)
        let prepared = try await prepared(&pass)
        pass.memory.state.withLock { $0.wasRunning = false }
        pass.matrix = prepared.matrix
        pass.pause = JobPass.Pause(pass.job)
        pass.wake(after: 0)
    }

    private func goOn(_ pass: inout JobPass) async throws {
        // Without its target nothing new is started; what runs is collected all the same.
        var target = configuration.defaultTarget
        var hold: JobObstacle?
        do throws(JobObstacle) { target = try self.target(of: pass.job) } catch { hold = error }
        let recorder = try await recorder(for: &pass)
        let prepared = try await prepared(&pass)
        let context = TrialCollection.Context(job: pass.job, prepared: prepared, target: target)
        try await runTrials(&pass, context: context, recorder: recorder, isHeld: hold != nil)
        if let hold, pass.ending == nil {
            pass.obstacle = hold
            if case .waiting(_, _, _, let seconds) = hold { pass.wake(after: seconds) }
        }
    }

    /// Until a job has begun its spec may change, and with it everything that was worked out from it.
    private func forgetOldSpec(_ pass: JobPass) {
        let (generation, hasStarted) = (pass.job.metadata.generation, pass.hasStarted)
        pass.memory.state.withLock { state in
            if !hasStarted, state.generation != generation {
                state.prepared = nil
                state.recorder = nil
                state.artifactsChecked = false
                state.artifactsCheckDue = 0
            }
            state.generation = generation
        }
    }

    private func ensureFinalizer(_ job: EvalJob) async throws {
        let present = job.metadata.finalizers ?? []
        guard !present.contains(AssayNames.jobFinalizer) else { return }
        let version = try await Finalizers(client: client).add(
            AssayNames.jobFinalizer, to: job.key, of: .evalJobs, present: present, version: job.metadata.resourceVersion)
        if let version { status.gate.record(job.key, resourceVersion: version) }
    }

    private func checkSupport(_ job: EvalJob) throws(JobObstacle) {
        let found = UnsupportedFields.check(job.spec)
        guard let first = found.first else { return }
        let more = found.count > 1 ? " (and \(found.count - 1) more: \(found.dropFirst().map(\.path).joined(separator: ", ")))" : ""
        throw .stalled(.unsupportedField, first.message + more, on: .ready)
    }

    func target(of job: EvalJob) throws(JobObstacle) -> EvalTargetSpec {
        let namespace = job.metadata.namespace ?? ""
        let name = job.spec.targetRef?.name ?? AssayNames.defaultTarget
        guard let target = targets.get(ObjectKey(namespace: namespace, name: name)) else {
            guard job.spec.targetRef == nil else {
                throw .waiting(
                    .targetNotFound, "there is no EvalTarget \"\(name)\" in namespace \(namespace); create it or change spec.targetRef",
                    on: .targetReady, retryAfterSeconds: 60)
            }
            return configuration.defaultTarget
        }
        if let field = UnsupportedFields.check(target.spec).first {
            throw .waiting(.targetNotReady, "EvalTarget \"\(name)\": \(field.message)", on: .targetReady, retryAfterSeconds: 60)
        }
        return target.spec
    }

    /// Overlays are not delivered yet: a job that would get some must not run without them unnoticed.
    private func checkOverlays(_ job: EvalJob) throws(JobObstacle) {
        guard job.spec.overlays == nil else { return }
        let namespace = job.metadata.namespace ?? ""
        let names = overlays.entries().filter { $0.key.namespace == namespace && !$0.object.spec.suspend }.map(\.key.name)
        guard names.isEmpty else {
            throw .stalled(
                .unsupportedField,
                "spec.overlays: omitted, it means every OverlaySource of the namespace (\(names.joined(separator: ", "))), and overlays "
                    + "are not delivered yet; set it to [] to run without", on: .overlaysReady)
        }
    }

    // MARK: Where results go

    func recorder(for pass: inout JobPass) async throws(JobObstacle) -> any RunRecorder {
        let recorder: any RunRecorder
        if let known = pass.memory.state.withLock({ $0.recorder }) {
            recorder = known
            await renewCredential(of: pass.job, pass.memory, recorder)
        } else {
            recorder = try await makeRecorder(pass.job)
            pass.memory.state.withLock { $0.recorder = recorder }
        }
        let now = time.monotonic()
        if pass.memory.state.withLock({ !$0.artifactsChecked && $0.artifactsCheckDue <= now }) {
            do {
                try await recorder.check()
                pass.memory.state.withLock { $0.artifactsChecked = true }
            } catch {
                // A remote that does not answer takes its time over that; a job that goes on without it does not wait each time.
                let due = time.monotonic() + (pass.hasStarted ? 15 : 0)
                pass.memory.state.withLock { $0.artifactsCheckDue = due }
                try Self.judge(error, needsRemote: configuration.setting == .cluster, started: pass.hasStarted)
            }
        }
        pass.recorder = await recorder.state()
        return recorder
    }

    /// Secrets are rotated while jobs run (a GitHub App's token each hour): read again each minute, and soon after the remote
    /// did not take what it was shown.
    private func renewCredential(of job: EvalJob, _ memory: JobMemory, _ recorder: any RunRecorder) async {
        guard let git = job.spec.artifacts.git, let secret = git.secretRef?.name else { return }
        let now = time.monotonic()
        let hasFailed = await recorder.state().failure != nil
        let isDue = memory.state.withLock { state in
            guard now >= state.credentialDue - (hasFailed ? 55 : 0) else { return false }
            state.credentialDue = now + 60
            return true
        }
        guard isDue, let url = try? GitURL(parsing: git.remote, allowing: configuration.urlPolicy) else { return }
        do {
            await recorder.use(try await credentials.credentials(for: url, secret: secret, namespace: job.metadata.namespace ?? ""))
        } catch {
            // What was read before may still be good; when it is not, the remote says so.
            log.debug("the credential for results could not be read again", ["object": .string(job.key.description), "error": .string("\(error)")])
        }
    }

    /// On the laptop an unreachable remote holds nothing up: results are kept here until it is back.
    private static func judge(_ error: ArtifactError, needsRemote: Bool, started: Bool) throws(JobObstacle) {
        switch error.kind {
        case .branchIsDefault: throw .stalled(.branchIsDefault, "spec.artifacts.git.branch: \(error.message)", on: .artifactsReady)
        case .invalid: throw .stalled(.invalidSpec, "spec.artifacts.git: \(error.message)", on: .artifactsReady)
        case .refused where !started:
            throw .waiting(.remoteRejected, "spec.artifacts.git: \(error.message)", on: .artifactsReady, retryAfterSeconds: 60)
        default:
            if needsRemote, !started {
                throw .waiting(.remoteUnreachable, "spec.artifacts.git.remote: \(error.message)", on: .artifactsReady, retryAfterSeconds: 15)
            }
        }
    }

    private func makeRecorder(_ job: EvalJob) async throws(JobObstacle) -> any RunRecorder {
        let spec = job.spec.artifacts
        guard spec.backend == .git else {
            guard let localLedger else {
                throw .stalled(
                    .noResultsVolume,
                    "spec.artifacts.backend: \"local\" needs a results volume, and this operator has none; use backend: git, or start the "
                        + "operator with --results-dir on a persistent volume", on: .artifactsReady)
            }
            return DirectoryRecorder(ledger: localLedger)
        }
        guard let git = spec.git else {
            throw .stalled(.invalidSpec, "spec.artifacts.git: required for backend: git", on: .artifactsReady)
        }
        do {
            let url = try GitURL(parsing: git.remote, allowing: configuration.urlPolicy)
            let credential = try await credentials.pushCredentials(for: url, secret: git.secretRef?.name, namespace: job.metadata.namespace ?? "")
            let branch = try GitBranch(parsing: git.branch)
            let path = try git.path.map { text throws(GitError) in try GitPath(parsing: text) } ?? .root
            let secret = credential.key.isEmpty ? nil : git.secretRef.map { "\(job.metadata.namespace ?? "")/\($0.name)" }
            let lease = try await ledgers.lease(.init(url, credentials: credential), branch: branch, path: path, secret: secret)
            return GitRecorder(lease: lease, branch: branch, job: job.metadata.uid ?? "", needsRemote: configuration.setting == .cluster)
        } catch let error as GitError {
            throw .stalled(.invalidSpec, "spec.artifacts.git: \(error.message)", on: .artifactsReady)
        } catch let error as JobObstacle {
            throw error
        } catch {
            throw .waiting(.remoteUnreachable, "spec.artifacts.git: \(error)", on: .artifactsReady, retryAfterSeconds: 30)
        }
    }

    // MARK: What is run

    func prepared(_ pass: inout JobPass) async throws(JobObstacle) -> PreparedJob {
        let pinned = pass.job.status?.source?.commit
        if let known = pass.memory.state.withLock({ $0.prepared }), pinned == nil || known.source.commit.hex == pinned {
            pass.source = known.source.commit.hex
            return known
        }
        let job = pass.job
        let credentials = self.credentials
        let prepared = try await preparation.prepare(job, pinnedTo: pinned) { url in
            // A task's own repository is public, or on the host of the source: its credential goes nowhere else.
            try await credentials.credentials(
                for: url, secret: job.spec.source.secretRef?.name, namespace: job.metadata.namespace ?? "", only: job.spec.source.repo)
        }
        for task in prepared.tasks {
            for warning in task.warnings { log.warning(warning, ["object": .string(job.key.description), "task": .string(task.reference.name)]) }
        }
        pass.memory.state.withLock { $0.prepared = prepared }
        pass.source = prepared.source.commit.hex
        return prepared
    }

    func subject(_ job: EvalJob) -> EventSubject { EventSubject(.evalJobs, job.key, uid: job.metadata.uid ?? "") }
}
