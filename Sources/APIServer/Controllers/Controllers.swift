import Base
import Dispatch

/// The parts of a controller manager that delete objects: they empty deleted namespaces, remove the resources of deleted definitions, and delete
/// dependents after their owners.
///
/// One thread, woken by changes. Every action is decided from what is stored, so a change that was missed (because the process died) is found
/// again at the next start.
final class Controllers: Sendable {
    private struct Pending {
        var namespaces: Set<String> = []
        var definitions: Set<String> = []
        var owners: Set<String> = []
        var objects: Set<ObjectReference> = []
        /// Namespaces and definitions whose deletion waits until their contents are deleted.
        var waitingNamespaces: Set<String> = []
        var waitingDefinitions: [ResourceID: String] = [:]
        var isStopped = false
        var isEmpty: Bool { namespaces.isEmpty && definitions.isEmpty && owners.isEmpty && objects.isEmpty }
    }

    /// Seconds between two searches for old events.
    private static let sweepSeconds = 300.0

    private let core: APICore
    private let collector: GarbageCollector
    private let condition = ThreadCondition()
    private let pending = Locked(Pending())
    private let done = DispatchSemaphore(value: 0)

    init(core: APICore) {
        self.core = core
        collector = GarbageCollector(core: core)
    }

    func start() {
        core.store.observe { [weak self] resource, event in self?.note(resource, event) }
        pending.withLock { pending in
            pending.namespaces = Set(core.store.references(in: .namespaces).filter(\.isDeleting).map(\.name))
            pending.definitions = Set(core.store.references(in: .customResourceDefinitions).filter(\.isDeleting).map(\.name))
            pending.owners = Set(core.store.ownerUIDs)
            for resource in core.store.resources {
                for object in core.store.references(in: resource) where object.isDeleting {
                    pending.objects.insert(ObjectReference(resource: resource, key: object.key))
                }
            }
        }
        startThread(name: "controllers") { [self] in run() }
    }

    func stop() {
        pending.withLock { $0.isStopped = true }
        wake()
        done.wait()
    }

    /// Called while the store is locked, so it only records the change.
    private func note(_ resource: ResourceID, _ event: StoreEvent) {
        let object = event.object
        let isNew = pending.withLock { pending in
            if resource == .namespaces, object.isDeleting, event.kind != .deleted { pending.namespaces.insert(object.name) }
            if resource == .customResourceDefinitions, object.isDeleting, event.kind != .deleted {
                pending.definitions.insert(object.name)
            }
            if event.kind == .deleted {
                if !object.uid.isEmpty { pending.owners.insert(object.uid) }
                for owner in object.owners { pending.owners.insert(owner) }
                // The deletion of a namespace, a definition or an owner may be waiting for this deletion.
                if pending.waitingNamespaces.contains(object.namespace) { pending.namespaces.insert(object.namespace) }
                if let definition = pending.waitingDefinitions[resource] { pending.definitions.insert(definition) }
            } else {
                if object.isDeleting { pending.objects.insert(ObjectReference(resource: resource, key: object.key)) }
                if event.previous?.owners != object.owners { for owner in object.owners { pending.owners.insert(owner) } }
            }
            return !pending.isEmpty
        }
        if isNew { wake() }
    }

    private func wake() {
        condition.lock()
        condition.broadcast()
        condition.unlock()
    }

    private func run() {
        var swept = core.time.monotonic()
        while let work = next() {
            if core.time.monotonic() - swept > Self.sweepSeconds {
                swept = core.time.monotonic()
                expireEvents()
            }
            for name in work.definitions { cleanDefinition(name) }
            for name in work.namespaces { emptyNamespace(name) }
            for reference in work.objects { collector.finish(reference) }
            for uid in work.owners { collector.settleDependents(ofUID: uid) }
        }
        done.signal()
    }

    /// Waits for work; returns nil when the server stops.
    private func next() -> Pending? {
        condition.lock()
        defer { condition.unlock() }
        while true {
            let work = pending.withLock { pending -> Pending? in
                if pending.isStopped { return pending }
                guard !pending.isEmpty else { return nil }
                defer {
                    pending.namespaces = []
                    pending.definitions = []
                    pending.owners = []
                    pending.objects = []
                }
                return pending
            }
            if let work { return work.isStopped ? nil : work }
            guard condition.wait(until: SystemTime().monotonic() + Self.sweepSeconds) else { return Pending() }
        }
    }

    // MARK: Events

    /// Deletes events older than an hour, as a real server does.
    private func expireEvents() {
        guard let kind = core.registry.kind(of: .events) else { return }
        let limit = core.now.adding(seconds: -3600)
        for event in core.store.references(in: .events) {
            let value = event.value
            let times = [value["lastTimestamp"], value["eventTime"], value.at("metadata", "creationTimestamp")]
            guard let last = times.compactMap({ $0?.string.flatMap(Timestamp.init(rfc3339:)) }).max(), last < limit else {
                continue
            }
            _ = try? core.remove(kind, event.key, DeletionOptions())
        }
    }

    // MARK: Namespaces

    private func emptyNamespace(_ name: String) {
        guard let kind = core.registry.kind(of: .namespaces), core.store.get(.namespaces, StoreKey(text: name))?.isDeleting == true else { return }
        pending.withLock { _ = $0.waitingNamespaces.insert(name) }
        if NamespaceCleaner(core: core, kind: kind).clean(name) { pending.withLock { _ = $0.waitingNamespaces.remove(name) } }
    }

    // MARK: Definitions

    private func cleanDefinition(_ name: String) {
        guard let definition = core.store.get(.customResourceDefinitions, StoreKey(text: name)), definition.isDeleting,
            let kind = core.registry.kind(of: .customResourceDefinitions)
        else { return }
        let resource = ResourceID(qualified: name)
        pending.withLock { $0.waitingDefinitions[resource] = name }
        if core.registry.kind(of: resource) == nil {
            // No version of the kind is served any more; its objects are deleted all the same.
            for object in core.store.references(in: resource) { _ = try? core.store.delete(resource, object) }
        }
        let remaining = core.removeAll(resource, namespace: nil).count
        guard remaining == 0 else { return }
        _ = try? core.mutateInside(kind, StoreKey(text: name)) { old in
            var value = old
            let rest = (old.at("metadata", "finalizers")?.array ?? []).filter { $0 != .string(DefinitionStrategy.finalizer) }
            value.set(["metadata", "finalizers"], to: rest.isEmpty ? nil : .array(rest))
            return value
        }
        pending.withLock { $0.waitingDefinitions[resource] = nil }
    }
}
