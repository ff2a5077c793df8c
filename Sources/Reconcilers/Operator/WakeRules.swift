import AssayAPI
import KubeCore
import KubeRuntime

/// Which changes of objects wake which keys. Only the operator writes a status, so a change of a status wakes no key; when more work
/// follows from a write, the pass that wrote asks for another pass itself.
struct WakeRules: Sendable {
    /// Why a change of a job wakes it; nil when it does not.
    /// - Parameter awaitsCache: whether the job waits until the cache shows the operator's own write.
    func job(_ change: StoreChange<EvalJob>, awaitsCache: () -> Bool) -> WakeCause? {
        guard case .updated(let old, let new) = change else { return .specChanged }
        if old.object.metadata.generation != new.object.metadata.generation || old.isDeleting != new.isDeleting { return .specChanged }
        // Users set annotations: interrupted, abandoned. Of the finalizers, somebody may have removed ours.
        if old.object.metadata.annotations != new.object.metadata.annotations { return .specChanged }
        if old.object.metadata.finalizers != new.object.metadata.finalizers { return .event }
        return awaitsCache() ? .event : nil
    }

    /// The jobs that a push wakes, whether it succeeded or not: those whose records were in it.
    func pushed(_ uids: Set<String>, among jobs: [StoreEntry<EvalJob>]) -> [ObjectKey] { jobs.filter { uids.contains($0.uid) }.map(\.key) }

    /// Whether more than the object's status has changed.
    func changesSpec<Object: AssayObject>(_ change: StoreChange<Object>) -> Bool {
        guard case .updated(let old, let new) = change else { return true }
        return old.object.metadata.generation != new.object.metadata.generation || old.isDeleting != new.isDeleting
    }

    /// Whether the entries that an overlay offers, or its position, have changed.
    func changesOffers(_ change: StoreChange<OverlaySource>) -> Bool {
        guard case .updated(let old, let new) = change else { return true }
        func offers(_ entry: StoreEntry<OverlaySource>) -> [[String]?] {
            let status = entry.object.status
            return [status?.tools, status?.workflows, status?.skills, status?.personas]
        }
        return old.object.spec.order != new.object.spec.order || offers(old) != offers(new)
    }

    /// The targets whose number of running trials a change of a job may change.
    func targets(_ change: StoreChange<EvalJob>) -> [ObjectKey] {
        func target(_ entry: StoreEntry<EvalJob>) -> ObjectKey { JobRequirements.targetKey(of: entry.object.spec, in: entry.key.namespace) }
        func running(_ entry: StoreEntry<EvalJob>) -> Int { entry.object.status?.trials?.running ?? 0 }
        switch change {
        case .added(let entry), .deleted(let entry): return running(entry) > 0 ? [target(entry)] : []
        case .updated(let old, let new):
            if target(old) != target(new) { return [target(old), target(new)] }
            return running(old) == running(new) ? [] : [target(new)]
        }
    }
}
