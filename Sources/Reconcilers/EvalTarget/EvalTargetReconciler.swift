import AssayAPI
import Base
import EvalModel
import KubeClient
import KubeCore
import KubeRuntime

/// Says of an EvalTarget whether trials can run on it, and how many do.
final class EvalTargetReconciler: Sendable {
    private let targets: Store<EvalTarget>
    private let jobs: Store<EvalJob>
    private let writer: StatusWriter<EvalTarget>
    private let time: any TimeSource

    init(client: KubeClient, targets: Store<EvalTarget>, jobs: Store<EvalJob>, time: any TimeSource) {
        self.targets = targets
        self.jobs = jobs
        self.time = time
        writer = StatusWriter(client: client, gate: WriteGate(time: time))
    }

    func reconcile(_ key: ObjectKey) async -> ReconcileOutcome {
        guard let target = targets.get(key), !target.metadata.isDeleting else { return .done }
        guard writer.gate.isCurrent(key, in: targets) else { return .requeue(afterSeconds: 0.05) }
        let active = jobs.entries().filter { $0.key.namespace == key.namespace }.reduce(0) { sum, entry in
            let name = entry.object.spec.targetRef?.name ?? AssayNames.defaultTarget
            return sum + (name == key.name ? entry.object.status?.trials?.running ?? 0 : 0)
        }
        let now = time.now()
        do {
            _ = try await writer.write(target) { Self.status(of: $0, activeTrials: active, now: now) }
            return .done
        } catch {
            return .retry(error)
        }
    }

    static func status(of target: EvalTarget, activeTrials: Int, now: Timestamp) -> EvalTargetStatus {
        var status = target.status ?? EvalTargetStatus()
        var conditions = Conditions(status.conditions)
        let generation = target.metadata.generation
        let obstacle = UnsupportedFields.check(target.spec).first
        conditions.set(
            ConditionType.ready.rawValue, obstacle == nil ? .yes : .no, reason: (obstacle == nil ? Reason.succeeded : .unsupportedField).rawValue,
            message: obstacle?.message ?? "", observedGeneration: generation, now: now)
        conditions.setNegative(
            ConditionType.stalled.rawValue, obstacle != nil, reason: Reason.unsupportedField.rawValue, message: obstacle?.message ?? "",
            observedGeneration: generation, now: now)
        // A target on a cluster needs nothing from outside: the scheduler and the kubelet are its preflight.
        conditions.set(
            ConditionType.preflight.rawValue, .yes, reason: Reason.succeeded.rawValue, observedGeneration: generation, now: now)
        status.conditions = conditions.all
        status.observedGeneration = generation
        status.activeTrials = activeTrials
        return status
    }
}
