import AssayAPI
import Base
import EvalModel
import KubeCore
import KubeRuntime
import SourceSync

/// Computes the status of an OverlaySource. Pure; equal findings give an equal status, so that a check which finds nothing new writes
/// nothing.
struct OverlayStatusComputation {
    /// The result of the last look at the present spec; nil while there is none.
    var outcome: OverlayChecks.Outcome?
    /// The other overlays of the namespace.
    var others: [OverlaySource]
    /// Whether trial pods can read from a cache service. Jobs with overlays are refused without one, and each overlay says so too.
    var hasCache: Bool
    var now: Timestamp

    func status(of overlay: OverlaySource) -> OverlaySourceStatus {
        let old = overlay.status ?? OverlaySourceStatus()
        var status = old
        var conditions = Conditions(old.conditions)
        let generation = overlay.metadata.generation
        let refused = hasCache ? nil : Self.undelivered
        func ready(_ value: Condition.Status, _ reason: Reason, _ message: String) {
            let (value, reason, message) = refused.map { (Condition.Status.no, $0.reason, $0.message) } ?? (value, reason, message)
            conditions.set(ConditionType.ready.rawValue, value, reason: reason.rawValue, message: message, observedGeneration: generation, now: now)
        }
        if status.revision != nil, status.origin != .init(overlay.spec) { Self.forgetRevision(&status) }
        var failure = refused
        switch outcome {
        case .success(let found)?:
            fill(&status, found, overlay.spec)
            ready(.yes, .sourceResolved, Self.message(found))
            status.observedGeneration = generation
        case .failure(let error)?:
            failure = refused ?? error
            let kept = status.revision.map { "; jobs get the last good revision \($0.prefix(12))" } ?? "; there is no revision to use"
            ready(.no, error.reason, error.message + kept)
            status.observedGeneration = generation
        case nil where overlay.spec.suspend:
            // Nothing is tried, so nothing is stalled.
            failure = nil
            let known = status.revision.map { "jobs get revision \($0.prefix(12))" }
            let consequence = refused?.message ?? known ?? "there is no revision to use"
            conditions.set(
                ConditionType.ready.rawValue, refused == nil && known != nil ? .yes : .no, reason: Reason.suspended.rawValue,
                message: "not checked while spec.suspend is true; \(consequence)", observedGeneration: generation, now: now)
            status.observedGeneration = generation
        case nil:
            // What an earlier process found stays until this one has looked.
            if refused != nil || conditions[ConditionType.ready.rawValue]?.observedGeneration != generation {
                ready(.unknown, .progressing, "reading the repository")
            }
        }
        conditions.setNegative(
            ConditionType.stalled.rawValue, failure?.isStalled == true, reason: failure?.reason.rawValue ?? "", message: failure?.message ?? "",
            observedGeneration: generation, now: now)
        status.conditions = conditions.all
        compare(&status, overlay)
        return status
    }

    private static let undelivered = OverlayFailure(
        .unsupportedField, "\(JobOverlays.withoutCache); start the operator with --cache-service: until then jobs with this overlay are refused",
        isStalled: true)

    private static func forgetRevision(_ status: inout OverlaySourceStatus) {
        (status.revision, status.origin, status.lastSyncTime) = (nil, nil, nil)
        (status.tools, status.workflows, status.skills, status.personas, status.prompt) = (nil, nil, nil, nil, nil)
    }

    private func fill(_ status: inout OverlaySourceStatus, _ found: PinnedOverlay, _ spec: OverlaySourceSpec) {
        let old = status
        func names(_ surface: OverlaySurface) -> [String]? {
            found.offers.names[surface].map { $0.prefix(OverlaySourceStatus.namesLimit).map(\.text) }
        }
        status.revision = found.source.commit.hex
        status.origin = .init(spec)
        (status.tools, status.workflows, status.skills, status.personas) = (names(.tools), names(.workflows), names(.skills), names(.personas))
        status.prompt = found.paths[.prompt]?.text
        if status != old || status.lastSyncTime == nil { status.lastSyncTime = now }
    }

    private static func message(_ found: PinnedOverlay) -> String {
        let ref = found.source.ref.map { " of \($0)" } ?? ""
        let counts = OverlaySurface.allCases.compactMap { surface in
            found.offers.names[surface].map { Count.of($0.count, surface.entry) }
        }
        let offers = counts.isEmpty ? "it offers nothing" : counts.joined(separator: ", ")
        return (["revision \(found.source.commit.hex.prefix(12))\(ref): \(offers)"] + found.notes.prefix(10)).joined(separator: "; ")
    }

    // MARK: Other overlays

    /// What the overlay shadows, and which names are similar, among the overlays of its namespace.
    private func compare(_ status: inout OverlaySourceStatus, _ overlay: OverlaySource) {
        var own = overlay
        own.status = status
        let ordered = OverlayOrder.sorted(others.filter { $0.key != overlay.key } + [own])
        let set = OverlaySet(ordered.map(Self.offers))
        guard let position = ordered.firstIndex(where: { $0.key == overlay.key }) else { return }
        func texts(_ found: [some CustomStringConvertible]) -> [String]? {
            found.isEmpty ? nil : found.prefix(OverlaySourceStatus.namesLimit).map(\.description)
        }
        status.shadows = texts(set.shadows(ofOverlayAt: position))
        status.similarNames = texts(set.similarities(ofOverlayAt: position))
    }

    private static func offers(_ overlay: OverlaySource) -> OverlayOffers {
        let status = overlay.status
        let lists: [(OverlaySurface, [String]?)] = [
            (.tools, status?.tools), (.workflows, status?.workflows), (.skills, status?.skills), (.personas, status?.personas),
        ]
        var names: [OverlaySurface: [EntryName]] = [:]
        for (surface, list) in lists { names[surface] = list?.map { EntryName($0) } }
        return OverlayOffers(overlay: overlay.key.name, names: names)
    }
}

/// The order of the overlays of a namespace.
enum OverlayOrder {
    /// By `spec.order`, then by name.
    static func sorted(_ overlays: [OverlaySource]) -> [OverlaySource] {
        overlays.sorted { ($0.spec.order, $0.key.name) < ($1.spec.order, $1.key.name) }
    }
}
