import Artifacts
import AssayAPI
import Base
import KubeClient
import KubeCore
import KubeRuntime

/// The operator: watches its resources and the trial pods, and reconciles what changed.
///
/// The same on a cluster and on a laptop: it knows only an API server and its configuration. Start it on one replica at a
/// time (`LeaderElection`); a second one would do no harm, because everything it writes is idempotent, only work twice.
public final class Operator: Sendable {
    private let client: KubeClient
    private let configuration: OperatorConfiguration
    private let metrics: MetricsRegistry
    private let time: any TimeSource
    private let log = Log("operator")

    private let jobs: Reflector<EvalJob>
    private let targets: Reflector<EvalTarget>
    private let overlays: Reflector<OverlaySource>
    private let pods: Reflector<TrialPod>
    private let events: EventRecorder
    private let ledgers: LedgerPool
    private let jobController: Controller<ObjectKey>
    private let targetController: Controller<ObjectKey>
    private let overlayController: Controller<ObjectKey>
    private let jobReconciler: EvalJobReconciler

    public init(
        client: KubeClient, configuration: OperatorConfiguration, instance: String, metrics: MetricsRegistry = MetricsRegistry(),
        liveness: Liveness = Liveness(), time: any TimeSource = SystemTime()
    ) {
        self.client = client
        self.configuration = configuration
        self.metrics = metrics
        self.time = time
        let namespace = configuration.namespace
        jobs = Reflector(client: client, type: .evalJobs, namespace: namespace, time: time, metrics: metrics, liveness: liveness) {
            try EvalJob(json: $0)
        }
        targets = Reflector(client: client, type: .evalTargets, namespace: namespace, time: time, metrics: metrics, liveness: liveness) {
            try EvalTarget(json: $0)
        }
        overlays = Reflector(client: client, type: .overlaySources, namespace: namespace, time: time, metrics: metrics, liveness: liveness) {
            try OverlaySource(json: $0)
        }
        pods = Reflector(
            client: client, type: .pods, namespace: namespace, labelSelector: "\(AssayNames.managedByLabel)=\(AssayNames.managedByValue)",
            time: time, metrics: metrics, liveness: liveness
        ) { pod in
            guard let trial = TrialPod(pod) else { throw NotATrialPod() }
            return trial
        }
        events = EventRecorder(client: client, component: "assay", instance: instance, time: time, metrics: metrics)

        let wake = Locked<GitLedger.ChangeHandler?>(nil)
        let enqueue = Locked<(@Sendable (ObjectKey) -> Void)?>(nil)
        ledgers = LedgerPool(
            directory: configuration.stateDirectory, committer: configuration.committer, pushInterval: configuration.pushInterval, time: time,
            onChange: { jobs in wake.withLock { $0 }?(jobs) })
        let jobStore = jobs.store
        let reconciler = EvalJobReconciler(
            client: client, configuration: configuration, jobs: jobStore, pods: pods.store, targets: targets.store, overlays: overlays.store,
            events: events, ledgers: ledgers, metrics: TrialMetrics(metrics), time: time, enqueue: { key in enqueue.withLock { $0 }?(key) })
        jobReconciler = reconciler
        jobController = Controller(
            name: "evaljob", workers: configuration.workers, time: time, metrics: metrics, liveness: liveness, reconcileBound: Self.reconcileBound
        ) {
            await reconciler.reconcile($0)
        }
        let targetReconciler = EvalTargetReconciler(client: client, targets: targets.store, jobs: jobStore, time: time)
        targetController = Controller(
            name: "evaltarget", workers: 1, time: time, metrics: metrics, liveness: liveness, reconcileBound: Self.reconcileBound
        ) {
            await targetReconciler.reconcile($0)
        }
        let overlayReconciler = OverlaySourceReconciler(client: client, overlays: overlays.store, time: time)
        overlayController = Controller(
            name: "overlaysource", workers: 1, time: time, metrics: metrics, liveness: liveness, reconcileBound: Self.reconcileBound
        ) {
            await overlayReconciler.reconcile($0)
        }

        let controller = jobController
        enqueue.withLock { $0 = { controller.enqueue($0) } }
        wake.withLock { slot in
            slot = { jobs in
                for entry in jobStore.entries() where jobs.contains(entry.uid) { controller.enqueue(entry.key) }
            }
        }
    }

    /// Seconds. A first clone may take two hours, and wait as long for another's (`GitClient`, `MirrorStore`).
    private static let reconcileBound = 5 * 3600.0

    private struct NotATrialPod: Error, CustomStringConvertible {
        var description: String { "the pod carries our label but not those of a trial" }
    }

    /// Whether every cache has been filled: before that nothing is decided.
    public var isReady: Bool { jobs.store.hasSynced && targets.store.hasSynced && overlays.store.hasSynced && pods.store.hasSynced }

    /// Works until the task is cancelled; then what runs is finished, and what is not pushed stays in the local store.
    public func run() async {
        await jobReconciler.preparation.resolver.mirrors.clean()
        subscribe()
        let following = Task {
            await withTaskGroup(of: Void.self) { group in
                // The pods' cache before the jobs': a job that is looked at before its pods are known would start them again.
                group.addTask { await self.pods.run() }
                group.addTask { await self.jobs.run() }
                group.addTask { await self.targets.run() }
                group.addTask { await self.overlays.run() }
                group.addTask { await self.events.run() }
            }
        }
        await withTaskCancellationHandler {
            do {
                try await pods.store.waitUntilSynced()
                try await jobs.store.waitUntilSynced()
                try await targets.store.waitUntilSynced()
                try await overlays.store.waitUntilSynced()
            } catch {
                return
            }
            log.info("the caches are filled", ["evaljobs": JSONValue(jobs.store.count), "pods": JSONValue(pods.store.count)])
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await self.jobController.run() }
                group.addTask { await self.targetController.run() }
                group.addTask { await self.overlayController.run() }
            }
        } onCancel: {
            jobController.stop()
            targetController.stop()
            overlayController.stop()
        }
        await ledgers.stop()
        events.finish()
        following.cancel()
        await following.value
    }

    /// The records of a job's first trials, in order: what a person at a terminal is shown at the end.
    public func records(of job: EvalJob, limit: Int) async throws -> [RunRecord] {
        try await jobReconciler.records(of: job, limit: limit, now: time.now())
    }

    private func subscribe() {
        let (jobController, targetController, overlayController) = (jobController, targetController, overlayController)
        let reconciler = jobReconciler
        jobs.store.subscribe { change in
            if case .deleted(let entry) = change { reconciler.forget(entry.uid, entry.key) }
            jobController.enqueue(change.key)
            // A target shows how many trials run on it.
            let name = change.latest.object.spec.targetRef?.name ?? AssayNames.defaultTarget
            targetController.enqueue(ObjectKey(namespace: change.key.namespace, name: name), afterSeconds: 1)
        }
        pods.store.subscribe { change in
            if case .deleted(let entry) = change { reconciler.noteGone(entry.object) }
            if let job = change.latest.object.jobKey { jobController.enqueue(job) }
        }
        targets.store.subscribe { change in
            targetController.enqueue(change.key)
            self.wakeWaiting(in: change.key.namespace)
        }
        overlays.store.subscribe { change in
            overlayController.enqueue(change.key)
            self.wakeWaiting(in: change.key.namespace)
        }
    }

    /// Jobs that may wait for what has changed.
    private func wakeWaiting(in namespace: String) {
        for entry in jobs.store.entries() where entry.key.namespace == namespace && entry.object.status?.phase?.isFinal != true {
            jobController.enqueue(entry.key)
        }
    }
}
