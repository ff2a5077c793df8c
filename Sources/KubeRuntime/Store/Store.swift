import Base
import KubeCore

/// One object of a store, with the metadata that decisions need.
public struct StoreEntry<Object: Sendable>: Sendable {
    public let key: ObjectKey
    public let uid: String
    public let version: String
    /// The object has a deletion timestamp.
    public let isDeleting: Bool
    public let object: Object
}

/// A change of one object. When an object was deleted and created again under its name, that is a deletion and an addition.
public enum StoreChange<Object: Sendable>: Sendable {
    case added(StoreEntry<Object>)
    case updated(old: StoreEntry<Object>, new: StoreEntry<Object>)
    case deleted(StoreEntry<Object>)

    public var key: ObjectKey { latest.key }

    /// The newest state known; for a deletion, the last state seen.
    public var latest: StoreEntry<Object> {
        switch self {
        case .added(let entry), .deleted(let entry), .updated(_, let entry): entry
        }
    }
}

/// A read-only view of the objects that a reflector follows. Copies share one state.
///
/// The view may lag behind the server, but never mixes two snapshots and never goes back in time. Reading takes a short lock and never
/// waits for I/O.
public struct Store<Object: Sendable>: Sendable {
    let core: StoreCore<Object>

    public func get(_ key: ObjectKey) -> Object? { entry(key)?.object }

    public func entry(_ key: ObjectKey) -> StoreEntry<Object>? { core.state.withLock { $0.entries[key] } }

    /// All objects in the order of their keys.
    public func all() -> [Object] { entries().map(\.object) }

    /// All entries in the order of their keys.
    public func entries() -> [StoreEntry<Object>] {
        core.state.withLock { Array($0.entries.values) }.sorted { $0.key < $1.key }
    }

    public var count: Int { core.state.withLock { $0.entries.count } }

    /// True once the first complete state has arrived. It stays true through later outages.
    public var hasSynced: Bool { core.state.withLock { $0.version != nil } }

    /// The version of the resource up to which this view has followed the server; nil before the first sync.
    public var version: String? { core.state.withLock { $0.version } }

    /// The resource version of one object; nil when the store does not have it.
    public func resourceVersion(of key: ObjectKey) -> String? { entry(key)?.version }

    /// Returns once the first complete state has arrived.
    /// - Throws: `CancellationError`.
    public func waitUntilSynced() async throws { try await core.synced.wait() }

    /// Calls `onChange` for every change, in order, beginning with an `added` for each object already in the store.
    ///
    /// `onChange` runs on the store's only writer: it must be short (enqueue a key), must never block, and must not subscribe.
    @discardableResult
    public func subscribe(_ onChange: @escaping @Sendable (StoreChange<Object>) -> Void) -> StoreSubscription {
        core.delivery.withLock { delivery in
            for entry in entries() { onChange(.added(entry)) }
            delivery.nextID += 1
            let id = delivery.nextID
            delivery.subscribers[id] = onChange
            return StoreSubscription { [weak core] in
                core?.delivery.withLock { _ = $0.subscribers.removeValue(forKey: id) }
            }
        }
    }

    /// An index by the values that `values` extracts, kept up to date from now on. Create it once, not for each lookup.
    public func index<Value: Hashable & Sendable>(
        by values: @escaping @Sendable (StoreEntry<Object>) -> [Value]
    ) -> StoreIndex<Object, Value> {
        let index = StoreIndexState<Object, Value>(values: values)
        core.state.withLock { state in
            for entry in state.entries.values { index.change(from: nil, to: entry) }
            state.indices.append(index)
        }
        return StoreIndex(core: core, index: index)
    }
}

/// Ends a subscription when asked to. Releasing this value does not end it.
public struct StoreSubscription: Sendable {
    private let end: @Sendable () -> Void
    init(_ end: @escaping @Sendable () -> Void) { self.end = end }
    public func cancel() { end() }
}

/// The state that copies of a store share.
final class StoreCore<Object: Sendable>: Sendable {
    struct State {
        var entries: [ObjectKey: StoreEntry<Object>] = [:]
        var version: String?
        var indices: [any StoreIndexMaintainer<Object>] = []
    }

    struct Delivery {
        var subscribers: [Int: @Sendable (StoreChange<Object>) -> Void] = [:]
        var nextID = 0
    }

    let state = Locked(State())
    /// Held while changes are made and delivered, so that a subscriber sees each object's changes in order and none twice. Always taken
    /// before `state`.
    let delivery = Locked(Delivery())
    let synced = Latch()
}
