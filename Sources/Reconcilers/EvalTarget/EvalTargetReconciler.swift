import AssayAPI
import Base
import Dependencies
import EvalModel
import KubeClient
import KubeCore
import KubeRuntime
import Planning

/// Writes the status of an EvalTarget: whether trials can run on it, and how many do.
final class EvalTargetReconciler: Sendable {
    private let targets: Store<EvalTarget>
    private let load: TargetLoad
    private let onCluster: Bool
    private let programs: ProgramCheck
    /// nil when pods build no images.
    private let probes: BuildProbes?
    /// nil when the operator has no egress proxy for a cluster, and so needs no policies enforced.
    private let networkChecks: NetworkChecks?
    private let syncs: TargetSyncs
    private let hosts: HostChecks
    private let writer: StatusWriter<EvalTarget>
    private let time: any TimeSource

    /// Seconds for which changes of the jobs on a target are collected before its status is written. The number of running trials is only
    /// for people, so it need not be immediate.
    static let gatherSeconds = 2.0

    init(
        client: KubeClient, targets: Store<EvalTarget>, load: TargetLoad, onCluster: Bool, programs: ProgramCheck, probes: BuildProbes?,
        networkChecks: NetworkChecks?, syncs: TargetSyncs, hosts: HostChecks, time: any TimeSource
    ) {
        self.programs = programs
        self.syncs = syncs
        self.hosts = hosts
        self.probes = probes
        self.networkChecks = networkChecks
        self.targets = targets
        self.load = load
        self.onCluster = onCluster
        self.time = time
        writer = StatusWriter(client: client, gate: WriteGate(time: time))
    }

    func reconcile(_ key: ObjectKey) async -> ReconcileOutcome {
        guard let target = targets.get(key), !target.metadata.isDeleting else {
            probes?.forget(key)
            networkChecks?.forget(EvalTarget.resource.kind, key)
            syncs.forget(key)
            hosts.forget(key)
            return .done
        }
        guard writer.gate.isCurrent(key, in: targets) else { return .waiting(afterSeconds: 0.05) }
        let jobs = load.jobs(on: key)
        let active = jobs.reduce(0) { $0 + ($1.status?.trials?.running ?? 0) }
        let onCluster = onCluster
        let now = time.now()
        let isSupported = UnsupportedFields.check(target.spec, onCluster: onCluster).isEmpty
        if !isSupported { probes?.forget(key) }
        let probe = isSupported ? probes?.state(of: target, known: Self.known(target)) : nil
        let network = isSupported ? networkState(of: target) : nil
        let host = isSupported ? hosts.state(of: target) : nil
        let sync = isSupported ? syncs.state(of: target, jobs: jobs) : nil
        // A program that only some jobs need is looked for when such a job is on the target.
        let uses = jobs.filter { $0.status?.isOver != true }.reduce(into: Set<TargetPrograms.Use>()) { $0.formUnion(TargetPrograms.uses($1.spec)) }
        let found = isSupported ? await programs.look(for: TargetPrograms.needed(by: target.spec, for: uses, runsPods: !onCluster)) : []
        do {
            _ = try await writer.write(target) {
                Self.status(
                    of: $0, activeTrials: active, onCluster: onCluster, programs: found, probe: probe, network: network, host: host, sync: sync,
                    now: now)
            }
            // A check that failed is made again.
            let failed =
                TargetPrograms.problem(of: found) != nil
                || [probe, network].contains { if case .answered(.fails)? = $0 { true } else { false } }
            let next = [failed ? Preflight.retrySeconds : nil, host.map(HostChecks.seconds), sync?.nextSeconds].compactMap { $0 }.min()
            return next.map { .requeue(afterSeconds: $0) } ?? .done
        } catch {
            return .retry(error)
        }
    }

    private func networkState(of target: EvalTarget) -> Preflight.State? {
        guard let networkChecks, let uid = target.metadata.uid else { return nil }
        let owner = OwnerReference(apiVersion: EvalTarget.resource.apiVersion, kind: EvalTarget.resource.kind, name: target.metadata.name, uid: uid)
        return networkChecks.state(.init(namespace: target.key.namespace, owner: owner, template: target.spec.podTemplate, ownsNothingElse: true))
    }

    /// What the status says of the target's builds, for its present spec.
    private static func known(_ target: EvalTarget) -> Preflight.Answer? {
        let condition = target.status?.conditions.first { $0.type == ConditionType.preflight.rawValue }
        guard let condition, condition.observedGeneration == target.metadata.generation else { return nil }
        if condition.status == Condition.Status.yes.rawValue { return .works }
        return condition.reason == Reason.buildRefused.rawValue ? .fails(condition.message ?? "") : nil
    }

    /// - Parameters:
    ///   - programs: what the target needs on the operator's machine.
    ///   - probe: the check of the target's builds; nil when it builds none.
    ///   - network: the check of the namespace's network; nil when there is none.
    ///   - host: the check of a vm target's host; nil for another type.
    ///   - sync: the target's benchmarks; nil when they are not kept up to date.
    static func status(
        of target: EvalTarget, activeTrials: Int, onCluster: Bool, programs: [ProgramStatus] = [], probe: Preflight.State? = nil,
        network: Preflight.State? = nil, host: HostChecks.State? = nil, sync: TargetSyncs.Report? = nil, now: Timestamp
    ) -> EvalTargetStatus {
        var status = target.status ?? EvalTargetStatus()
        var conditions = Conditions(status.conditions)
        let generation = target.metadata.generation
        let unsupported = UnsupportedFields.check(target.spec, onCluster: onCluster).first
        let ready = Self.ready(unsupported, host, sync)
        conditions.set(
            ConditionType.ready.rawValue, ready.status, reason: ready.reason.rawValue, message: ready.message, observedGeneration: generation,
            now: now)
        conditions.setNegative(
            ConditionType.stalled.rawValue, unsupported != nil, reason: Reason.unsupportedField.rawValue, message: unsupported?.message ?? "",
            observedGeneration: generation, now: now)
        let (preflight, reason, message) = Self.preflight(programs, probe, network: network, host: host)
        conditions.set(
            ConditionType.preflight.rawValue, preflight, reason: reason.rawValue, message: message, observedGeneration: generation, now: now)
        status.conditions = conditions.all
        status.observedGeneration = generation
        status.activeTrials = activeTrials
        status.dependencies = programs.map {
            .init(name: $0.program.name, version: $0.version, path: $0.path, found: $0.path != nil)
        }
        if let commit = sync?.commit { (status.syncedCommit, status.lastSyncTime, status.lagSeconds) = (commit, sync?.time, sync?.lagSeconds) }
        if target.spec.sync != .continuous { (status.syncedCommit, status.lastSyncTime, status.lagSeconds) = (nil, nil, nil) }
        return status
    }

    /// A target whose host cannot run trials is not ready; with the other checks it depends on the job whether trials run.
    private static func ready(
        _ unsupported: UnsupportedField?, _ host: HostChecks.State?, _ sync: TargetSyncs.Report?
    ) -> (status: Condition.Status, reason: Reason, message: String) {
        if let unsupported { return (.no, .unsupportedField, unsupported.message) }
        switch host {
        case .unfit(let reason, let why)?: return (.no, reason, why)
        case .checking?: return (.unknown, .progressing, "the host is being checked")
        case .fit?, nil: return (.yes, .succeeded, sync?.failure.map { "the last sync failed: \($0)" } ?? "")
        }
    }

    /// Apart from programs, builds, the network and a host, a target needs no check by the operator: the scheduler and the kubelet check it when a pod starts.
    private static func preflight(
        _ programs: [ProgramStatus], _ probe: Preflight.State?, network: Preflight.State?, host: HostChecks.State?
    ) -> (Condition.Status, Reason, String) {
        if let problem = TargetPrograms.problem(of: programs) { return (.no, .dependencyMissing, problem) }
        switch host {
        case .unfit(let reason, let why)?: return (.no, reason, why)
        case .checking?: return (.unknown, .progressing, "the host is being checked")
        case .fit?, nil: break
        }
        switch probe {
        case .answered(.fails(let why))?, .running(last: .fails(let why)?)?: return (.no, .buildRefused, why)
        case .running(last: nil)?: return (.unknown, .progressing, "an image of three lines is being built")
        case nil, .answered(.works)?, .running(last: .works?)?: break
        }
        switch network {
        case .answered(.fails(let why))?, .running(last: .fails(let why)?)?:
            return (.no, .networkNotEnforced, "trials with a restricted network are refused: \(why)")
        case .running(last: nil)?: return (.unknown, .progressing, "a pod checks whether the cluster enforces NetworkPolicies")
        case nil, .answered(.works)?, .running(last: .works?)?: return (.yes, .succeeded, "")
        }
    }
}
