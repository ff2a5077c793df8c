import AssayAPI
import Base
import EvalModel
import KubeClient
import KubeCore
import KubeRuntime

/// Writes the status of an EvalTarget: whether trials can run on it, and how many do.
final class EvalTargetReconciler: Sendable {
    private let targets: Store<EvalTarget>
    private let load: TargetLoad
    private let onCluster: Bool
    private let writer: StatusWriter<EvalTarget>
    private let time: any TimeSource

    /// Seconds for which changes of the jobs on a target are collected before its status is written. The number of running trials is only
    /// for people, so it need not be immediate.
    static let gatherSeconds = 2.0

    init(client: KubeClient, targets: Store<EvalTarget>, load: TargetLoad, onCluster: Bool, time: any TimeSource) {
        self.targets = targets
        self.load = load
        self.onCluster = onCluster
        self.time = time
        writer = StatusWriter(client: client, gate: WriteGate(time: time))
    }

    func reconcile(_ key: ObjectKey) async -> ReconcileOutcome {
        guard let target = targets.get(key), !target.metadata.isDeleting else { return .done }
        guard writer.gate.isCurrent(key, in: targets) else { return .waiting(afterSeconds: 0.05) }
        let active = load.jobs(on: key).reduce(0) { $0 + ($1.status?.trials?.running ?? 0) }
        let onCluster = onCluster
        let now = time.now()
        do {
            _ = try await writer.write(target) { Self.status(of: $0, activeTrials: active, onCluster: onCluster, now: now) }
            return .done
        } catch {
            return .retry(error)
        }
    }

    static func status(of target: EvalTarget, activeTrials: Int, onCluster: Bool, now: Timestamp) -> EvalTargetStatus {
        var status = target.status ?? EvalTargetStatus()
        var conditions = Conditions(status.conditions)
        let generation = target.metadata.generation
        let unsupported = UnsupportedFields.check(target.spec, onCluster: onCluster).first
        conditions.set(
            ConditionType.ready.rawValue, unsupported == nil ? .yes : .no,
            reason: (unsupported == nil ? Reason.succeeded : .unsupportedField).rawValue,
            message: unsupported?.message ?? "", observedGeneration: generation, now: now)
        conditions.setNegative(
            ConditionType.stalled.rawValue, unsupported != nil, reason: Reason.unsupportedField.rawValue, message: unsupported?.message ?? "",
            observedGeneration: generation, now: now)
        // A target on a cluster needs no check by the operator: the scheduler and the kubelet check it when a pod starts.
        conditions.set(
            ConditionType.preflight.rawValue, .yes, reason: Reason.succeeded.rawValue, observedGeneration: generation, now: now)
        status.conditions = conditions.all
        status.observedGeneration = generation
        status.activeTrials = activeTrials
        return status
    }
}
