import AssayAPI
import KubeCore
import KubeRuntime

/// Which changes of objects wake which keys. A status is what the operator itself has written, so its change wakes nobody; what the
/// operator has to do after a write it does in a pass that it asks for itself.
struct WakeRules: Sendable {
    /// Why a change of a job wakes it; nil: it does not.
    /// - Parameter awaitsCache: whether the job waits for the cache to show the operator's own write.
    func job(_ change: StoreChange<EvalJob>, awaitsCache: () -> Bool) -> WakeCause? {
        guard case .updated(let old, let new) = change else { return .specChanged }
        if old.object.metadata.generation != new.object.metadata.generation || old.isDeleting != new.isDeleting { return .specChanged }
        // Annotations are a user's: interrupted, abandoned. Of the finalizers ours may have been taken off.
        if old.object.metadata.annotations != new.object.metadata.annotations { return .specChanged }
        if old.object.metadata.finalizers != new.object.metadata.finalizers { return .event }
        return awaitsCache() ? .event : nil
    }

    /// Whether more than the status of an object has changed.
    func changesSpec<Object: AssayObject>(_ change: StoreChange<Object>) -> Bool {
        guard case .updated(let old, let new) = change else { return true }
        return old.object.metadata.generation != new.object.metadata.generation || old.isDeleting != new.isDeleting
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
