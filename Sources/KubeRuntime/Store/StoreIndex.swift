import KubeCore

/// Finds objects of a store by a value that they have, such as pods by their owner.
public struct StoreIndex<Object: Sendable, Value: Hashable & Sendable>: Sendable {
    let core: StoreCore<Object>
    let index: StoreIndexState<Object, Value>

    /// The entries with this value, in the order of their keys.
    public func entries(for value: Value) -> [StoreEntry<Object>] {
        core.state.withLock { state in
            (index.keys[value] ?? []).compactMap { state.entries[$0] }
        }.sorted { $0.key < $1.key }
    }

    /// The objects with this value, in the order of their keys.
    public func objects(for value: Value) -> [Object] { entries(for: value).map(\.object) }

    /// The objects with this value, in no order. Costs less than `objects`.
    public func unordered(_ value: Value) -> [Object] {
        core.state.withLock { state in (index.keys[value] ?? []).compactMap { state.entries[$0]?.object } }
    }

    public func count(for value: Value) -> Int { core.state.withLock { _ in index.keys[value]?.count ?? 0 } }

    /// Every value that at least one object has.
    public var values: [Value] { core.state.withLock { _ in Array(index.keys.keys) } }
}

protocol StoreIndexMaintainer<Object>: AnyObject, Sendable {
    associatedtype Object: Sendable
    func change(from old: StoreEntry<Object>?, to new: StoreEntry<Object>?)
}

/// Accessed only while the store's state is locked.
final class StoreIndexState<Object: Sendable, Value: Hashable & Sendable>: StoreIndexMaintainer, @unchecked Sendable {
    // Guarded by the lock of the store that owns this index.
    fileprivate(set) var keys: [Value: Set<ObjectKey>] = [:]
    private let values: @Sendable (StoreEntry<Object>) -> [Value]

    init(values: @escaping @Sendable (StoreEntry<Object>) -> [Value]) { self.values = values }

    func change(from old: StoreEntry<Object>?, to new: StoreEntry<Object>?) {
        let before = Set(old.map(values) ?? [])
        let after = Set(new.map(values) ?? [])
        if let old {
            for value in before.subtracting(after) {
                keys[value]?.remove(old.key)
                if keys[value]?.isEmpty == true { keys.removeValue(forKey: value) }
            }
        }
        if let new {
            for value in after.subtracting(before) { keys[value, default: []].insert(new.key) }
        }
    }
}
