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
    /// nil when pods build no images.
    private let probes: BuildProbes?
    private let writer: StatusWriter<EvalTarget>
    private let time: any TimeSource

    /// Seconds for which changes of the jobs on a target are collected before its status is written. The number of running trials is only
    /// for people, so it need not be immediate.
    static let gatherSeconds = 2.0

    init(client: KubeClient, targets: Store<EvalTarget>, load: TargetLoad, onCluster: Bool, probes: BuildProbes?, time: any TimeSource) {
        self.probes = probes
        self.targets = targets
        self.load = load
        self.onCluster = onCluster
        self.time = time
        writer = StatusWriter(client: client, gate: WriteGate(time: time))
    }

    func reconcile(_ key: ObjectKey) async -> ReconcileOutcome {
        guard let target = targets.get(key), !target.metadata.isDeleting else {
            probes?.forget(key)
            return .done
        }
        guard writer.gate.isCurrent(key, in: targets) else { return .waiting(afterSeconds: 0.05) }
        let active = load.jobs(on: key).reduce(0) { $0 + ($1.status?.trials?.running ?? 0) }
        let onCluster = onCluster
        let now = time.now()
        let probe = UnsupportedFields.check(target.spec, onCluster: onCluster).isEmpty ? probes?.state(of: target, known: Self.known(target)) : nil
        do {
            _ = try await writer.write(target) { Self.status(of: $0, activeTrials: active, onCluster: onCluster, probe: probe, now: now) }
            // A check that failed is made again.
            if case .answered(.fails)? = probe { return .requeue(afterSeconds: Preflight.retrySeconds) }
            return .done
        } catch {
            return .retry(error)
        }
    }

    /// The answer that the status has for the present spec.
    private static func known(_ target: EvalTarget) -> Preflight.Answer? {
        let condition = target.status?.conditions.first { $0.type == ConditionType.preflight.rawValue }
        guard let condition, condition.observedGeneration == target.metadata.generation else { return nil }
        return switch condition.status {
        case Condition.Status.yes.rawValue: .works
        case Condition.Status.no.rawValue: .fails(condition.message ?? "")
        default: nil
        }
    }

    /// - Parameter probe: the check of the target's builds; nil when it builds none.
    static func status(
        of target: EvalTarget, activeTrials: Int, onCluster: Bool, probe: Preflight.State? = nil, now: Timestamp
    ) -> EvalTargetStatus {
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
        let (preflight, reason, message) = Self.preflight(probe)
        conditions.set(
            ConditionType.preflight.rawValue, preflight, reason: reason.rawValue, message: message, observedGeneration: generation, now: now)
        status.conditions = conditions.all
        status.observedGeneration = generation
        status.activeTrials = activeTrials
        return status
    }

    /// Apart from builds, a target on a cluster needs no check by the operator: the scheduler and the kubelet check it when a pod starts.
    private static func preflight(_ probe: Preflight.State?) -> (Condition.Status, Reason, String) {
        switch probe {
        case nil, .answered(.works)?, .running(last: .works?)?: (.yes, .succeeded, "")
        case .answered(.fails(let why))?, .running(last: .fails(let why)?)?: (.no, .buildRefused, why)
        case .running(last: nil)?: (.unknown, .progressing, "an image of two lines is being built")
        }
    }
}
