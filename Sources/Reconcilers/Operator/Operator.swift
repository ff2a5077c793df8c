import Artifacts
import AssayAPI
import Base
import KubeClient
import KubeCore
import KubeRuntime
import Planning
import SourceSync
import TrialPods

/// The operator: watches its resources and the trial pods, and reconciles what changed.
///
/// It works the same on a cluster and on a laptop: it knows only an API server and its configuration. Run it on one replica at a time
/// (`LeaderElection`). A second one would do no harm, because all writes are idempotent, but would do the same work twice.
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
    private let overlayReconciler: OverlaySourceReconciler
    private let jobReconciler: EvalJobReconciler
    private let load: TargetLoad
    private let probes: BuildProbes?
    private let syncs: TargetSyncs
    private let warming: RepositoryWarming?
    private let hosts: HostChecks

    public init(
        client: KubeClient, configuration: OperatorConfiguration, instance: String, metrics: MetricsRegistry = MetricsRegistry(),
        liveness: Liveness = Liveness(), time: any TimeSource = SystemTime()
    ) {
        self.client = client
        self.configuration = configuration
        self.metrics = metrics
        self.time = time
        let namespace = configuration.namespace
        jobs = Reflector(
            client: client, type: .evalJobs, namespace: namespace, options: configuration.watches, time: time, metrics: metrics, liveness: liveness
        ) {
            try EvalJob(json: $0)
        }
        targets = Reflector(
            client: client, type: .evalTargets, namespace: namespace, options: configuration.watches, time: time, metrics: metrics, liveness: liveness
        ) {
            try EvalTarget(json: $0)
        }
        overlays = Reflector(
            client: client, type: .overlaySources, namespace: namespace, options: configuration.watches, time: time, metrics: metrics,
            liveness: liveness
        ) {
            try OverlaySource(json: $0)
        }
        pods = Reflector(
            client: client, type: .pods, namespace: namespace,
            labelSelector: Self.trialPodSelector,
            keeping: PodSnapshot.projection, options: configuration.watches, time: time, metrics: metrics, liveness: liveness
        ) { pod in
            guard let trial = TrialPod(pod) else { throw NotATrialPod() }
            return trial
        }
        events = EventRecorder(client: client, component: "assay", instance: instance, time: time, metrics: metrics)

        let wake = Locked<(@Sendable (ObjectKey, WakeCause) -> Void)?>(nil)
        let later = Locked<(@Sendable (ObjectKey, Double) -> Void)?>(nil)
        let pushed = Locked<GitLedger.ChangeHandler?>(nil)
        ledgers = LedgerPool(
            directory: configuration.stateDirectory, committer: configuration.committer, pushInterval: configuration.pushInterval, time: time,
            metrics: LedgerMetrics(metrics, time: time), onChange: { jobs in pushed.withLock { $0 }?(jobs) },
            onPush: { [traces = configuration.traces] push in traces?.record(JobTraces.push(push)) })
        let jobStore = jobs.store
        load = TargetLoad(jobs: jobStore, bounds: configuration.bounds, time: time)
        let resolver = SourceResolver(
            cacheDirectory: configuration.cacheDirectory, cacheLimit: configuration.cacheLimit, policy: configuration.urlPolicy, metrics: metrics)
        let credentials = CredentialSource(client: client, configuration: configuration)
        let checks = OverlayChecks()
        let wakeOverlay = Locked<(@Sendable (ObjectKey) -> Void)?>(nil)
        let hasChecked = Locked<(@Sendable (ObjectKey) -> Void)?>(nil)
        let targetStore = targets.store
        let wakeTarget = Locked<(@Sendable (ObjectKey) -> Void)?>(nil)
        let clusterNetwork = configuration.clusterNetwork.map { ClusterNetwork(client: client, settings: $0, time: time) }
        let policies = TrialNetworkPolicies(client: client, time: time)
        let networkChecks = clusterNetwork.map { network in
            NetworkChecks(client: client, settings: configuration.pods, network: network, policies: policies, time: time) { namespace in
                for entry in jobStore.entries() where entry.key.namespace == namespace && entry.object.status?.isOver != true {
                    wake.withLock { $0 }?(entry.key, .event)
                }
                for entry in targetStore.entries() where entry.key.namespace == namespace { wakeTarget.withLock { $0 }?(entry.key) }
            }
        }
        let networks = clusterNetwork.flatMap { network in
            networkChecks.map { JobNetworks(network: network, policies: policies, checks: $0, time: time) }
        }
        let (targetLoad, checkedHosts) = (load, Locked<(@Sendable (ObjectKey) -> Void)?>(nil))
        let hosts = HostChecks(client: client, time: time) { key in checkedHosts.withLock { $0 }?(key) }
        checkedHosts.withLock { slot in
            slot = { key in
                wakeTarget.withLock { $0 }?(key)
                for job in targetLoad.jobs(on: key) where job.status?.isOver != true { wake.withLock { $0 }?(job.key, .event) }
            }
        }
        self.hosts = hosts
        let reconciler = EvalJobReconciler(
            client: client, configuration: configuration, jobs: jobStore, pods: pods.store, targets: targets.store,
            overlays: JobOverlays(
                overlays: overlays.store, checks: checks, hasCache: configuration.cache != nil, wake: { key in wakeOverlay.withLock { $0 }?(key) }),
            hosts: hosts, networks: networks, resolver: resolver,
            credentials: credentials, load: load, events: events, ledgers: ledgers, metrics: metrics, time: time,
            wake: { key, cause in wake.withLock { $0 }?(key, cause) }, wakeLater: { key, seconds in later.withLock { $0 }?(key, seconds) })
        jobReconciler = reconciler
        // At most a minute: a user who fixes the cause of a refusal by the API server (a quota, a label of the namespace) does not wait
        // long.
        jobController = Controller(
            name: "evaljob", workers: configuration.workers, time: time, backoff: BackoffPolicy(initialSeconds: 0.005, capSeconds: 60),
            gatherSeconds: { reconciler.gatherSeconds($0) }, metrics: metrics, liveness: liveness, reconcileBound: configuration.reconcileBound
        ) {
            await reconciler.reconcile($0)
        }
        probes =
            configuration.imageBuilder == nil
            ? BuildProbes(
                pods: BuildPods(client: client, settings: configuration.pods, bounds: configuration.bounds, cache: nil, time: time), time: time,
                wake: { key in wakeTarget.withLock { $0 }?(key) }) : nil
        warming = configuration.repositoriesFile.map {
            RepositoryWarming(file: $0, resolver: resolver, credentials: credentials, time: time)
        }
        syncs = TargetSyncs(resolver: resolver, credentials: credentials, time: time, wake: { key in wakeTarget.withLock { $0 }?(key) })
        let targetReconciler = EvalTargetReconciler(
            client: client, targets: targets.store, load: load, onCluster: configuration.setting == .cluster, programs: configuration.programs,
            probes: probes, networkChecks: configuration.clusterNetwork?.egress == nil ? nil : networkChecks, syncs: syncs, hosts: hosts, time: time)
        targetController = Controller(
            name: "evaltarget", workers: 1, time: time, metrics: metrics, liveness: liveness, reconcileBound: configuration.reconcileBound
        ) {
            await targetReconciler.reconcile($0)
        }
        let overlayReconciler = OverlaySourceReconciler(
            client: client, overlays: overlays.store, checks: checks, hasCache: configuration.cache != nil, resolver: resolver,
            credentials: credentials, events: events, time: time, wake: { key in wakeOverlay.withLock { $0 }?(key) },
            hasChecked: { key in hasChecked.withLock { $0 }?(key) })
        self.overlayReconciler = overlayReconciler
        overlayController = Controller(
            name: "overlaysource", workers: 1, time: time, metrics: metrics, liveness: liveness, reconcileBound: configuration.reconcileBound
        ) {
            await overlayReconciler.reconcile($0)
        }

        let overlayWorkers = overlayController
        wakeOverlay.withLock { $0 = { overlayWorkers.enqueue($0) } }
        let (controller, targetQueue) = (jobController, targetController)
        wakeTarget.withLock { $0 = { targetQueue.enqueue($0) } }
        // Jobs that have not begun may wait for what was found.
        hasChecked.withLock { slot in
            slot = { overlay in
                for entry in jobStore.entries() where entry.key.namespace == overlay.namespace && entry.object.status?.startTime == nil {
                    controller.enqueue(entry.key)
                }
            }
        }
        wake.withLock { $0 = { controller.enqueue($0, $1) } }
        later.withLock { $0 = { controller.enqueue($0, afterSeconds: $1) } }
        pushed.withLock { slot in
            slot = { jobs in
                for key in WakeRules().pushed(jobs, among: jobStore.entries()) { controller.enqueue(key, .gathered) }
            }
        }
    }

    private struct NotATrialPod: Error, CustomStringConvertible {
        var description: String { "the pod carries our label but not those of a trial" }
    }

    /// The pods of trials, without those of builds and of checks.
    static let trialPodSelector = "\(AssayNames.managedByLabel)=\(AssayNames.managedByValue),!\(BuildPodBuilder.label),!\(NetworkCheckPod.label)"

    /// Why the operator does not know the present state of what it follows, one sentence for each resource; empty when it does. No decision is made
    /// before every cache has its first complete state.
    var unready: [String] { [jobs.unready, targets.unready, overlays.unready, pods.unready].compactMap { $0 } }

    /// Works until the task is cancelled. Running work then finishes, and results that are not pushed stay in the local store.
    public func run() async {
        await jobReconciler.sources.resolver.mirrors.clean()
        configuration.cache?.lead(
            resolver: jobReconciler.sources.resolver, credentials: jobReconciler.credentials, pods: pods.store,
            overlays: { [checks = overlayReconciler.checks] in checks.found }, repositories: { [warming] in warming?.wanted ?? [] })
        defer { configuration.cache?.follow() }
        subscribe()
        let following = Task {
            await withTaskGroup(of: Void.self) { group in
                // The pods' cache starts before the jobs' cache: a job looked at before its pods are known would start them again.
                group.addTask { await self.pods.run() }
                group.addTask { await self.jobs.run() }
                group.addTask { await self.targets.run() }
                group.addTask { await self.overlays.run() }
                group.addTask { await self.events.run() }
                if let warming = self.warming { group.addTask { await warming.run() } }
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
        await overlayReconciler.stop()
        await jobReconciler.stop()
        await probes?.stop()
        await syncs.stop()
        await hosts.stop()
        await ledgers.stop()
        events.finish()
        following.cancel()
        await following.value
    }

    /// The records of a job's first trials, in order, for the summary that a person sees in the terminal at the end.
    public func records(of job: EvalJob, limit: Int) async throws -> [RunRecord] {
        try await jobReconciler.records(of: job, limit: limit)
    }

    /// What is ignored in the files of a job's tasks, each sentence once.
    public func warnings(of job: EvalJob) async throws -> [JobPlan.Warning] { try await jobReconciler.warnings(of: job) }

    /// Whether the conditions in a job's status were found by this process, not left by an earlier one.
    public func hasLooked(at job: JobIdentity) -> Bool { jobReconciler.hasLooked(at: job) }

    private func subscribe() {
        let (jobController, targetController, overlayController) = (jobController, targetController, overlayController)
        let (reconciler, load, wakes) = (jobReconciler, load, WakeRules())
        jobs.store.subscribe { change in
            if case .deleted(let entry) = change, let job = entry.object.identity { reconciler.forget(job) }
            if let cause = wakes.job(change, awaitsCache: { reconciler.awaitsCache(change.key) }) { jobController.enqueue(change.key, cause) }
            // The status of a target shows how many trials run on it.
            for target in wakes.targets(change) { targetController.enqueue(target, afterSeconds: EvalTargetReconciler.gatherSeconds) }
        }
        pods.store.subscribe { change in
            load.follow(change)
            if case .deleted(let entry) = change { reconciler.podDeleted(entry.object) }
            if let job = change.latest.object.jobKey { jobController.enqueue(job, .gathered) }
        }
        targets.store.subscribe { change in
            guard wakes.changesSpec(change) else { return }
            targetController.enqueue(change.key)
            for job in load.jobs(on: change.key) where job.status?.isOver != true { jobController.enqueue(job.key) }
        }
        overlays.store.subscribe { change in
            if wakes.changesSpec(change) {
                overlayController.enqueue(change.key)
                self.wakeWaiting(in: change.key.namespace)
            }
            // What an overlay shadows depends on the overlays before it.
            guard wakes.changesOffers(change) else { return }
            for entry in self.overlays.store.entries() where entry.key.namespace == change.key.namespace && entry.key != change.key {
                overlayController.enqueue(entry.key, .gathered)
            }
        }
    }

    /// Wakes the jobs that may wait for an overlay: those that have not begun.
    private func wakeWaiting(in namespace: String) {
        for entry in jobs.store.entries() where entry.key.namespace == namespace && entry.object.status?.startTime == nil {
            jobController.enqueue(entry.key)
        }
    }
}
