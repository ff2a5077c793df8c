import AssayAPI
import KubeCore
import KubeRuntime
import Planning

/// Which overlays a job gets, and at which revisions.
struct JobOverlays: Sendable {
    /// As many as `spec.overlays` may name.
    static let limit = 32

    /// Said by jobs and by the overlays themselves, so that the two agree.
    static let withoutCache = "overlays are delivered by the operator's cache service, which this operator does not run"

    let overlays: Store<OverlaySource>
    let checks: OverlayChecks
    /// Whether trial pods read from the cache service: they have no credential of an overlay, and no git.
    let hasCache: Bool
    /// Asks for a look at an overlay's repository.
    let wake: @Sendable (ObjectKey) -> Void

    /// The overlays of a job that begins, in order, at the revisions that they have now.
    ///
    /// - Parameter moment: revisions that were found before this moment of the monotonic clock are not used, unless nothing newer can be had.
    func pins(for spec: EvalJobSpec, in namespace: String, since moment: Double) throws(ReconcileError) -> [OverlayPin] {
        let chosen = try chosen(spec, namespace)
        guard hasCache || chosen.isEmpty else {
            throw .stalled(
                .unsupportedField,
                "spec.overlays: \(Self.withoutCache); set it to [], or start the operator with --cache-service", on: .overlaysReady)
        }
        // All are asked for before the first one is waited for.
        for overlay in chosen where needsLook(overlay, since: moment) && checks.want(overlay, since: moment) { wake(overlay.key) }
        var pins: [OverlayPin] = []
        for overlay in chosen {
            pins.append(OverlayPin(name: overlay.key.name, spec: overlay.spec, revision: try revision(of: overlay, since: moment)))
        }
        return pins
    }

    /// The overlays of a job that has begun, at the revisions in its status. Only needed when its plan is lost.
    func pins(_ pinned: [OverlayStatus], in namespace: String) throws(ReconcileError) -> [OverlayPin] {
        var pins: [OverlayPin] = []
        for status in pinned {
            pins.append(OverlayPin(name: status.name, spec: try named(status.name, namespace).spec, revision: status.revision))
        }
        return pins
    }

    private func chosen(_ spec: EvalJobSpec, _ namespace: String) throws(ReconcileError) -> [OverlaySource] {
        if let names = spec.overlays {
            var found: [OverlaySource] = []
            for reference in names { found.append(try named(reference.name, namespace)) }
            return found
        }
        let all = overlays.entries().filter { $0.key.namespace == namespace && !$0.isDeleting }.map(\.object)
        guard all.count <= Self.limit else {
            throw .stalled(
                .invalidSpec,
                "spec.overlays: omitted, it means every OverlaySource of the namespace; there are \(all.count), and a job can have \(Self.limit): "
                    + "name those that it needs", on: .overlaysReady)
        }
        return OverlayOrder.sorted(all)
    }

    private func named(_ name: String, _ namespace: String) throws(ReconcileError) -> OverlaySource {
        guard let found = overlays.get(ObjectKey(namespace: namespace, name: name)), !found.metadata.isDeleting else {
            throw .waiting(
                .overlayNotFound, "there is no OverlaySource \"\(name)\" in namespace \(namespace); create it or change spec.overlays",
                on: .overlaysReady, retryAfterSeconds: 60)
        }
        return found
    }

    private func needsLook(_ overlay: OverlaySource, since moment: Double) -> Bool {
        !overlay.spec.suspend && !checks.check(of: overlay).isDone(since: moment)
    }

    /// The revision that was found last; while the repository cannot be read, the last good one.
    private func revision(of overlay: OverlaySource, since moment: Double) throws(ReconcileError) -> String {
        let name = overlay.key.name
        guard !needsLook(overlay, since: moment) else {
            throw .waiting(.progressing, "OverlaySource \"\(name)\": its repository is being checked", on: .overlaysReady, retryAfterSeconds: 30)
        }
        let check = checks.check(of: overlay)
        if !overlay.spec.suspend, case .success(let found)? = check.outcome { return found.source.commit.hex }
        if let revision = overlay.status?.revision, overlay.status?.origin == .init(overlay.spec) { return revision }
        var why = "spec.suspend is true, and it has no revision yet; set it to false"
        if !overlay.spec.suspend, case .failure(let failure)? = check.outcome { why = failure.message }
        throw .waiting(.overlayNotReady, "OverlaySource \"\(name)\": \(why)", on: .overlaysReady, retryAfterSeconds: 30)
    }
}
