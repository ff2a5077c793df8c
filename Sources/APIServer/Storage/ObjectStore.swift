import Base
import HTTPServing

/// Why a write was not made.
enum StoreRefusal: Error, Sendable, Equatable {
    /// The object is there already.
    case exists
    /// The object is not there (any more).
    case missing
    /// The object is at another revision than the writer read.
    case changed
    case namespaceMissing
    case namespaceTerminating
}

/// Every object, with the changes that led to it.
///
/// Guarantees: revisions grow by one with each change, over restarts too; writers compare and swap, so no update is lost; a watcher
/// sees each change once, in order, and only when it is on disk. Readers must call `settle` before they tell anyone what they read.
final class ObjectStore: Sendable {
    private struct Collection {
        var objects: [StoreKey: StoredObject] = [:]
        /// The keys of `objects`, sorted: a page of a list begins in the middle.
        var keys: [StoreKey] = []
        var history: EventHistory
        var watchers: [ObjectIdentifier: Wakeup] = [:]

        mutating func set(_ object: StoredObject) {
            if objects.updateValue(object, forKey: object.key) == nil { keys.insert(object.key, at: place(of: object.key)) }
        }

        mutating func remove(_ key: StoreKey) {
            guard objects.removeValue(forKey: key) != nil else { return }
            let at = place(of: key)
            if at < keys.count, keys[at] == key { keys.remove(at: at) }
        }

        private func place(of key: StoreKey) -> Int {
            var low = 0
            var high = keys.count
            while low < high {
                let middle = (low + high) / 2
                if keys[middle] < key { low = middle + 1 } else { high = middle }
            }
            return low
        }
    }

    private struct State {
        var revision: UInt64 = 0
        var durable: UInt64 = 0
        var openedAt: UInt64 = 0
        var collections: [ResourceID: Collection] = [:]
        /// Collections with changes that watchers have not been told of, and the last such change: it stays until it is on
        /// disk, because a watcher that is woken before sees nothing yet.
        var untold: [ResourceID: UInt64] = [:]
        var byUID: [String: ObjectReference] = [:]
        var dependents: [String: Set<ObjectReference>] = [:]
        var observer: (@Sendable (ResourceID, StoreEvent) -> Void)?
    }

    private let state: Locked<State>
    private let journal: Journal?
    private let historyLimit: Int

    /// - Parameters:
    ///   - directory: where to keep the objects; nil keeps them in memory.
    ///   - historyLimit: how many changes of each collection a watch can resume over.
    ///   - foldAt: a journal of this many bytes is folded into a snapshot.
    init(directory: String?, historyLimit: Int, foldAt: Int = Journal.smallestFold) throws(APIServerError) {
        self.historyLimit = historyLimit
        var first = State()
        guard let directory else {
            journal = nil
            state = Locked(first)
            return
        }
        let opened = try Journal.open(directory: directory, foldAt: foldAt)
        journal = opened.journal
        first.revision = opened.revision
        first.durable = opened.revision
        first.openedAt = opened.revision
        for (reference, entry) in opened.objects {
            guard let value = try? JSONValue(parsing: entry.body) else {
                throw .dataDirectory(
                    path: directory, reason: "the stored \(reference.resource) \(reference.key.text) is not JSON")
            }
            let object = StoredObject(resource: reference.resource, key: reference.key, revision: entry.revision, value: value)
            first.collections[
                reference.resource, default: Collection(history: EventHistory(start: opened.revision, limit: historyLimit))
            ]
            .objects[reference.key] = object
            Self.index(object, reference, in: &first)
        }
        for resource in first.collections.keys {
            let keys = first.collections[resource]?.objects.keys.sorted() ?? []
            first.collections[resource]?.keys = keys
        }
        state = Locked(first)
        opened.journal.start(
            onDurable: { [weak self] revision in self?.becameDurable(revision) },
            capture: { [weak self] takePending in
                guard let self else { return nil }
                return self.state.withLock { state in
                    takePending()
                    let objects = state.collections.map { (resource: $0.key, objects: Array($0.value.objects.values)) }
                    return Journal.Capture(revision: state.revision, objects: objects)
                }
            })
    }

    /// Writes what is pending and lets go of the directory.
    func close() { journal?.close() }

    // MARK: Reading

    var revision: UInt64 { state.withLock { $0.revision } }

    func get(_ resource: ResourceID, _ key: StoreKey) -> StoredObject? {
        state.withLock { $0.collections[resource]?.objects[key] }
    }

    func object(uid: String) -> (reference: ObjectReference, object: StoredObject)? {
        state.withLock { state in
            guard let reference = state.byUID[uid], let object = state.collections[reference.resource]?.objects[reference.key]
            else {
                return nil
            }
            return (reference, object)
        }
    }

    func dependents(ofUID uid: String) -> [ObjectReference] { state.withLock { Array($0.dependents[uid] ?? []) } }

    /// The uids that are named as owners, for a look at start.
    var ownerUIDs: [String] { state.withLock { Array($0.dependents.keys) } }

    /// A collection as it is, or as it was.
    struct Listing: Sendable {
        var revision: UInt64
        /// In the order of their keys.
        var objects: [StoredObject]
    }

    enum ListFailure: Error { case expired, future(current: UInt64) }

    /// - Parameter revision: the version to show; nil is the newest.
    func list(_ resource: ResourceID, at revision: UInt64? = nil) throws(ListFailure) -> Listing {
        try state.withLock { state throws(ListFailure) in
            guard let collection = state.collections[resource] else {
                if let revision, revision > state.revision { throw .future(current: state.revision) }
                if let revision, revision < state.openedAt { throw .expired }
                return Listing(revision: revision ?? state.revision, objects: [])
            }
            guard let revision, revision != state.revision else {
                return Listing(revision: state.revision, objects: collection.keys.compactMap { collection.objects[$0] })
            }
            guard revision < state.revision else { throw .future(current: state.revision) }
            guard revision >= collection.history.start else { throw .expired }
            var objects = collection.objects
            for event in collection.history.events(after: revision).reversed() {
                objects[event.object.key] = event.previous
            }
            return Listing(revision: revision, objects: objects.values.sorted { $0.key < $1.key })
        }
    }

    /// Whether anything lies in a collection, or in a namespace of it.
    func references(in resource: ResourceID, namespace: String? = nil) -> [StoredObject] {
        state.withLock { state in
            guard let collection = state.collections[resource] else { return [] }
            guard let namespace else { return Array(collection.objects.values) }
            return collection.objects.values.filter { $0.namespace == namespace }
        }
    }

    /// Every collection that holds something.
    var resources: [ResourceID] { state.withLock { $0.collections.filter { !$0.value.objects.isEmpty }.map(\.key) } }

    // MARK: Writing

    /// Creates an object.
    /// - Parameter needsNamespace: refuse unless the object's namespace is there and not going away, decided in the same step.
    @discardableResult
    func create(_ resource: ResourceID, _ key: StoreKey, _ value: JSONValue, needsNamespace: Bool) throws(StoreRefusal)
        -> StoredObject
    {
        let object = try state.withLock { state throws(StoreRefusal) in
            if needsNamespace {
                guard let namespace = state.collections[.namespaces]?.objects[StoreKey(text: key.namespace)] else {
                    throw .namespaceMissing
                }
                guard !namespace.isDeleting else { throw .namespaceTerminating }
            }
            guard state.collections[resource]?.objects[key] == nil else { throw .exists }
            return record(resource, key, value, previous: nil, in: &state)
        }
        tellIfInMemory()
        return object
    }

    /// Replaces an object that is still at the revision that was read.
    @discardableResult
    func update(_ resource: ResourceID, _ read: StoredObject, _ value: JSONValue) throws(StoreRefusal) -> StoredObject {
        let object = try state.withLock { state throws(StoreRefusal) in
            guard let current = state.collections[resource]?.objects[read.key] else { throw .missing }
            guard current.revision == read.revision else { throw .changed }
            return record(resource, read.key, value, previous: current, in: &state)
        }
        tellIfInMemory()
        return object
    }

    /// Removes an object that is still at the revision that was read.
    /// - Parameter last: what watchers are shown as its last state, when that differs from what was read.
    /// - Returns: the last state, at the revision of the deletion.
    @discardableResult
    func delete(_ resource: ResourceID, _ read: StoredObject, last: JSONValue? = nil) throws(StoreRefusal) -> StoredObject {
        let object = try state.withLock { state throws(StoreRefusal) in
            guard let current = state.collections[resource]?.objects[read.key] else { throw .missing }
            guard current.revision == read.revision else { throw .changed }
            state.revision += 1
            let object = StoredObject(resource: resource, key: read.key, revision: state.revision, value: last ?? current.value)
            unindex(current, ObjectReference(resource: resource, key: read.key), in: &state)
            state.collections[resource]?.remove(read.key)
            let event = StoreEvent(kind: .deleted, object: object, previous: current)
            state.collections[resource]?.history.append(event)
            journal?.append(.delete(resource: resource, key: read.key, revision: state.revision))
            publish(resource, event, in: &state)
            return object
        }
        tellIfInMemory()
        return object
    }

    private func record(
        _ resource: ResourceID, _ key: StoreKey, _ value: JSONValue, previous: StoredObject?, in state: inout State
    ) -> StoredObject {
        state.revision += 1
        let object = StoredObject(resource: resource, key: key, revision: state.revision, value: value)
        let reference = ObjectReference(resource: resource, key: key)
        if let previous { unindex(previous, reference, in: &state) }
        Self.index(object, reference, in: &state)
        let event = StoreEvent(kind: previous == nil ? .added : .modified, object: object, previous: previous)
        let fresh = Collection(history: EventHistory(start: state.openedAt, limit: historyLimit))
        state.collections[resource, default: fresh].set(object)
        state.collections[resource]?.history.append(event)
        journal?.append(.put(resource: resource, object: object))
        publish(resource, event, in: &state)
        return object
    }

    private func publish(_ resource: ResourceID, _ event: StoreEvent, in state: inout State) {
        state.untold[resource] = state.revision
        if journal == nil { state.durable = state.revision }
        state.observer?(resource, event)
    }

    private static func index(_ object: StoredObject, _ reference: ObjectReference, in state: inout State) {
        if !object.uid.isEmpty { state.byUID[object.uid] = reference }
        for owner in object.owners { state.dependents[owner, default: []].insert(reference) }
    }

    private func unindex(_ object: StoredObject, _ reference: ObjectReference, in state: inout State) {
        if state.byUID[object.uid] == reference { state.byUID[object.uid] = nil }
        for owner in object.owners {
            state.dependents[owner]?.remove(reference)
            if state.dependents[owner]?.isEmpty == true { state.dependents[owner] = nil }
        }
    }

    // MARK: Durability

    /// Waits until a revision is on disk.
    /// - Throws: `APIFailure` when the disk does not take it.
    func settle(_ revision: UInt64) throws(APIFailure) {
        guard let journal else { return }
        guard journal.wait(for: revision, seconds: 10) else {
            throw .internalError("the change was not written to disk: \(journal.trouble ?? "it takes too long")")
        }
    }

    private func becameDurable(_ revision: UInt64) {
        state.withLock { $0.durable = max($0.durable, revision) }
        tell()
    }

    private func tellIfInMemory() { if journal == nil { tell() } }

    private func tell() {
        let wakeups = state.withLock { state in
            let durable = state.durable
            defer { state.untold = state.untold.filter { $0.value > durable } }
            return state.untold.keys.flatMap { state.collections[$0].map { Array($0.watchers.values) } ?? [] }
        }
        for wakeup in wakeups { wakeup.signal() }
    }

    // MARK: Watching

    /// The changes after a revision that are on disk; nil when the window no longer reaches back to it.
    func events(_ resource: ResourceID, after revision: UInt64) -> (events: [StoreEvent], seen: UInt64)? {
        state.withLock { state in
            guard let collection = state.collections[resource] else {
                return revision < state.openedAt ? nil : ([], max(revision, state.durable))
            }
            guard revision >= collection.history.start else { return nil }
            let events = collection.history.events(after: revision).prefix { $0.revision <= state.durable }
            return (Array(events), max(revision, state.durable))
        }
    }

    /// Signals `wakeup` whenever the collection changes from now on.
    func subscribe(_ wakeup: Wakeup, to resource: ResourceID) {
        state.withLock { state in
            let fresh = Collection(history: EventHistory(start: state.openedAt, limit: historyLimit))
            state.collections[resource, default: fresh].watchers[ObjectIdentifier(wakeup)] = wakeup
        }
    }

    func unsubscribe(_ wakeup: Wakeup, from resource: ResourceID) {
        state.withLock { _ = $0.collections[resource]?.watchers.removeValue(forKey: ObjectIdentifier(wakeup)) }
    }

    /// Wakes every watcher of a collection: what it watches has ceased to be served.
    func wakeWatchers(of resource: ResourceID) {
        let wakeups = state.withLock { state in state.collections[resource].map { Array($0.watchers.values) } ?? [] }
        for wakeup in wakeups { wakeup.signal() }
    }

    /// Called for every change, in order, while the store is locked: it must only record it.
    func observe(_ observer: @escaping @Sendable (ResourceID, StoreEvent) -> Void) {
        state.withLock { $0.observer = observer }
    }
}
