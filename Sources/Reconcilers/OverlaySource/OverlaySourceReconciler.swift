import AssayAPI
import Base
import KubeClient
import KubeCore
import KubeRuntime

/// Writes the status of an OverlaySource. Overlays are not delivered yet, and the status says so.
final class OverlaySourceReconciler: Sendable {
    private let overlays: Store<OverlaySource>
    private let writer: StatusWriter<OverlaySource>
    private let time: any TimeSource

    init(client: KubeClient, overlays: Store<OverlaySource>, time: any TimeSource) {
        self.overlays = overlays
        self.time = time
        writer = StatusWriter(client: client, gate: WriteGate(time: time))
    }

    func reconcile(_ key: ObjectKey) async -> ReconcileOutcome {
        guard let overlay = overlays.get(key), !overlay.metadata.isDeleting else { return .done }
        guard writer.gate.isCurrent(key, in: overlays) else { return .waiting(afterSeconds: 0.05) }
        let now = time.now()
        do {
            _ = try await writer.write(overlay) { Self.status(of: $0, now: now) }
            return .done
        } catch {
            return .retry(error)
        }
    }

    static func status(of overlay: OverlaySource, now: Timestamp) -> OverlaySourceStatus {
        var status = overlay.status ?? OverlaySourceStatus()
        var conditions = Conditions(status.conditions)
        let generation = overlay.metadata.generation
        let message = UnsupportedFields.check(overlay.spec).map(\.message).joined(separator: "; ")
        conditions.set(
            ConditionType.ready.rawValue, .no, reason: Reason.unsupportedField.rawValue, message: message, observedGeneration: generation, now: now)
        conditions.set(
            ConditionType.stalled.rawValue, .yes, reason: Reason.unsupportedField.rawValue, message: message, observedGeneration: generation,
            now: now)
        status.conditions = conditions.all
        status.observedGeneration = generation
        return status
    }
}
