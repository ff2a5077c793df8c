import Base

/// Deletes objects whose owners no longer exist, and does the work of the finalizers `orphan` and `foregroundDeletion`.
///
/// Owners are identified by uid: an owner that was deleted and created again under its old name is a different owner.
struct GarbageCollector: Sendable {
    static let orphanFinalizer = "orphan"
    static let foregroundFinalizer = "foregroundDeletion"

    let core: APICore

    /// Processes the dependents of an owner that was deleted, is being deleted, or has just been named as an owner.
    func settleDependents(ofUID uid: String) {
        let owner = core.store.object(uid: uid)
        if let owner, owner.object.isDeleting { finish(owner.reference) }
        for reference in core.store.dependents(ofUID: uid) {
            guard let dependent = core.store.get(reference.resource, reference.key), !isValid(owner, for: dependent, reference)
            else { continue }
            release(reference, dependent)
        }
    }

    /// Whether an owner exists and is in the dependent's namespace or in no namespace, as the API requires.
    private func isValid(
        _ owner: (reference: ObjectReference, object: StoredObject)?, for dependent: StoredObject, _ reference: ObjectReference
    ) -> Bool {
        guard let owner else { return false }
        return owner.object.namespace.isEmpty || owner.object.namespace == dependent.namespace
    }

    /// Deletes a dependent that has no remaining owner. One that has another owner only loses its references to missing owners.
    private func release(_ reference: ObjectReference, _ dependent: StoredObject) {
        guard let kind = core.registry.kind(of: reference.resource), !dependent.owners.isEmpty else { return }
        let existing = Set(dependent.owners.filter { isValid(core.store.object(uid: $0), for: dependent, reference) })
        if existing.isEmpty {
            guard !dependent.isDeleting else { return }
            var options = DeletionOptions()
            options.uid = dependent.uid
            // The precondition on the revision fails when a new owner was added in the meantime, because that changed the object.
            options.resourceVersion = String(dependent.revision)
            options.propagation = .background
            do {
                _ = try core.remove(kind, reference.key, options)
            } catch  where error.code == 409 {
                if let current = core.store.get(reference.resource, reference.key), current.revision != dependent.revision {
                    release(reference, current)
                }
            } catch {
                return  // the object is already deleted
            }
        } else if existing.count < dependent.owners.count {
            dropReferences(kind, reference.key) { uid in !existing.contains(uid) }
        }
    }

    private func dropReferences(_ kind: ServedKind, _ key: StoreKey, where isGone: (String) -> Bool) {
        _ = try? core.mutateInside(kind, key) { old in
            var value = old
            let rest = (old.at("metadata", "ownerReferences")?.array ?? []).filter { !isGone($0["uid"]?.string ?? "") }
            value.set(["metadata", "ownerReferences"], to: rest.isEmpty ? nil : .array(rest))
            return value
        }
    }

    /// Does the work of the garbage collector's own finalizers on an object that is being deleted.
    func finish(_ reference: ObjectReference) {
        guard let object = core.store.get(reference.resource, reference.key), object.isDeleting,
            let kind = core.registry.kind(of: reference.resource)
        else { return }
        let finalizers = (object.value.at("metadata", "finalizers")?.array ?? []).compactMap(\.string)
        if finalizers.contains(Self.orphanFinalizer) {
            for dependent in core.store.dependents(ofUID: object.uid) {
                guard let kind = core.registry.kind(of: dependent.resource) else { continue }
                dropReferences(kind, dependent.key) { $0 == object.uid }
            }
            dropFinalizer(kind, reference.key, Self.orphanFinalizer)
        }
        if finalizers.contains(Self.foregroundFinalizer) {
            var isBlocked = false
            for dependent in core.store.dependents(ofUID: object.uid) {
                guard let kind = core.registry.kind(of: dependent.resource),
                    let child = core.store.get(dependent.resource, dependent.key)
                else { continue }
                if !child.isDeleting {
                    var options = DeletionOptions()
                    options.uid = child.uid
                    options.propagation = .foreground
                    _ = try? core.remove(kind, dependent.key, options)
                }
                guard let rest = core.store.get(dependent.resource, dependent.key) else { continue }
                let blocks = (rest.value.at("metadata", "ownerReferences")?.array ?? []).contains {
                    $0["uid"]?.string == object.uid && $0["blockOwnerDeletion"]?.bool == true
                }
                if blocks { isBlocked = true }
            }
            if !isBlocked { dropFinalizer(kind, reference.key, Self.foregroundFinalizer) }
        }
    }

    private func dropFinalizer(_ kind: ServedKind, _ key: StoreKey, _ finalizer: String) {
        _ = try? core.mutateInside(kind, key) { old in
            var value = old
            let rest = (old.at("metadata", "finalizers")?.array ?? []).filter { $0 != .string(finalizer) }
            value.set(["metadata", "finalizers"], to: rest.isEmpty ? nil : .array(rest))
            return value
        }
    }
}
