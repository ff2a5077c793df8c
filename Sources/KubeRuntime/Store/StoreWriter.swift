import Base
import KubeCore

/// The writing side of a store. A reflector has one; tests create their own to fill a store.
///
/// Create one writer per store and use it from one task.
public struct StoreWriter<Object: Sendable>: Sendable {
    private let core = StoreCore<Object>()

    public init() {}

    public var store: Store<Object> { Store(core: core) }

    /// Replaces the store's content with a complete state. Objects that are not in it count as deleted.
    ///
    /// An item without an object (the object could not be read) keeps the last known state of it: an outdated object is better than
    /// treating an unreadable one as deleted.
    public func replace(with items: [WatchedItem<Object>], version: String) {
        core.delivery.withLock { delivery in
            let changes = core.state.withLock { state -> [StoreChange<Object>] in
                var changes: [StoreChange<Object>] = []
                let present = Set(items.map(\.key))
                let gone = state.entries.filter { !present.contains($0.key) }
                for (_, entry) in gone.sorted(by: { $0.key < $1.key }) { changes += state.remove(entry) }
                for item in items.sorted(by: { $0.key < $1.key }) { changes += state.take(item) }
                state.version = version
                return changes
            }
            notifySubscribers(changes, delivery)
        }
        core.synced.open()
    }

    public func upsert(_ item: WatchedItem<Object>, version: String) {
        change(to: version) { $0.take(item) }
    }

    public func delete(_ key: ObjectKey, version: String) {
        change(to: version) { state in state.entries[key].map { state.remove($0) } ?? [] }
    }

    /// Reports that nothing changed up to this version.
    public func advance(to version: String) {
        change(to: version) { _ in [] }
    }

    private func change(
        to version: String, _ body: (inout StoreCore<Object>.State) -> [StoreChange<Object>]
    ) {
        core.delivery.withLock { delivery in
            let changes = core.state.withLock { state -> [StoreChange<Object>] in
                state.version = version
                return body(&state)
            }
            notifySubscribers(changes, delivery)
        }
    }

    private func notifySubscribers(_ changes: [StoreChange<Object>], _ delivery: StoreCore<Object>.Delivery) {
        guard !changes.isEmpty else { return }
        let subscribers = delivery.subscribers.sorted { $0.key < $1.key }.map(\.value)
        for change in changes { for subscriber in subscribers { subscriber(change) } }
    }
}

extension StoreCore.State {
    /// The changes that an item causes; none when it is not newer than the stored state.
    mutating func take(_ item: WatchedItem<Object>) -> [StoreChange<Object>] {
        let old = entries[item.key]
        guard let object = item.object else {
            // The stored state belongs to an earlier object of the same name and must not be kept for this one.
            if let old, old.uid != item.uid { return remove(old) }
            return []
        }
        let new = StoreEntry(
            key: item.key, uid: item.uid, version: item.version, isDeleting: item.isDeleting, object: object)
        guard let old else {
            put(new, over: nil)
            return [.added(new)]
        }
        if old.uid != new.uid {
            put(new, over: old)
            return [.deleted(old), .added(new)]
        }
        guard VersionOrder.isNewer(new.version, than: old.version) else { return [] }
        put(new, over: old)
        return [.updated(old: old, new: new)]
    }

    mutating func remove(_ entry: StoreEntry<Object>) -> [StoreChange<Object>] {
        entries.removeValue(forKey: entry.key)
        for index in indices { index.change(from: entry, to: nil) }
        return [.deleted(entry)]
    }

    private mutating func put(_ new: StoreEntry<Object>, over old: StoreEntry<Object>?) {
        entries[new.key] = new
        for index in indices { index.change(from: old, to: new) }
    }
}
