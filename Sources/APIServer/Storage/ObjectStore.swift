import Base
import HTTPServing

/// Why a write was refused.
enum StoreRefusal: Error, Sendable, Equatable {
    /// The object exists already.
    case exists
    /// The object does not exist, or no longer exists.
    case missing
    /// The object has another revision than the one that the writer read.
    case changed
    case namespaceMissing
    case namespaceTerminating
}

/// Holds every object, and the recent changes.
///
/// Guarantees: revisions grow by one with each change, also over restarts; a write succeeds only on the revision that the writer read, so no
/// update is lost; a watcher sees each change once, in order, and only when it is on disk. Readers must call `settle` before they pass on what
/// they read.
final class ObjectStore: Sendable {
    private struct Collection {
        var objects: [StoreKey: StoredObject] = [:]
        /// The keys of `objects`, sorted, so that a page of a list can begin anywhere.
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
        /// Collections with changes that were not sent to watchers yet, and the last such change. An entry stays until the change is on disk,
        /// because a watcher that is woken earlier finds no change.
        var unsent: [ResourceID: UInt64] = [:]
        var byUID: [String: ObjectReference] = [:]
        var dependents: [String: Set<ObjectReference>] = [:]
        var observer: (@Sendable (ResourceID, StoreEvent) -> Void)?
    }

    private let state: Locked<State>
    private let journal: Journal?
    private let historyLimit: Int

    /// - Parameters:
    ///   - directory: where to keep the objects; nil keeps them in memory.
    ///   - historyLimit: how many changes of each collection are kept for watches to resume from.
    ///   - compactAt: the size in bytes at which a journal is replaced by a snapshot.
    init(directory: String?, historyLimit: Int, compactAt: Int = Journal.minimumCompaction) throws(APIServerError) {
        self.historyLimit = historyLimit
        var first = State()
        guard let directory else {
            journal = nil
            state = Locked(first)
            return
        }
        let opened = try Journal.open(directory: directory, compactAt: compactAt)
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

    /// Writes pending changes and releases the directory.
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

    /// The uids that are named as owners; the garbage collector checks them at start.
    var ownerUIDs: [String] { state.withLock { Array($0.dependents.keys) } }

    /// The state of a collection at one revision.
    struct Listing: Sendable {
        var revision: UInt64
        /// Sorted by key.
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

    /// The objects in a collection, or in one namespace of it.
    func references(in resource: ResourceID, namespace: String? = nil) -> [StoredObject] {
        state.withLock { state in
            guard let collection = state.collections[resource] else { return [] }
            guard let namespace else { return Array(collection.objects.values) }
            return collection.objects.values.filter { $0.namespace == namespace }
        }
    }

    /// Every collection that is not empty.
    var resources: [ResourceID] { state.withLock { $0.collections.filter { !$0.value.objects.isEmpty }.map(\.key) } }

    // MARK: Writing

    /// Creates an object.
    /// - Parameter needsNamespace: refuse unless the object's namespace exists and is not being deleted; checked in the same atomic step.
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
        notifyWatchersIfInMemory()
        return object
    }

    /// Replaces an object if it still has the revision that was read.
    @discardableResult
    func update(_ resource: ResourceID, _ read: StoredObject, _ value: JSONValue) throws(StoreRefusal) -> StoredObject {
        let object = try state.withLock { state throws(StoreRefusal) in
            guard let current = state.collections[resource]?.objects[read.key] else { throw .missing }
            guard current.revision == read.revision else { throw .changed }
            return record(resource, read.key, value, previous: current, in: &state)
        }
        notifyWatchersIfInMemory()
        return object
    }

    /// Removes an object if it still has the revision that was read.
    /// - Parameter last: the last state to show to watchers, when it differs from the state that was read.
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
        notifyWatchersIfInMemory()
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
        state.unsent[resource] = state.revision
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
    /// - Throws: `APIFailure` when it could not be written.
    func settle(_ revision: UInt64) throws(APIFailure) {
        guard let journal else { return }
        guard journal.wait(for: revision, seconds: 10) else {
            throw .internalError("the change was not written to disk: \(journal.trouble ?? "it takes too long")")
        }
    }

    private func becameDurable(_ revision: UInt64) {
        state.withLock { $0.durable = max($0.durable, revision) }
        notifyWatchers()
    }

    private func notifyWatchersIfInMemory() { if journal == nil { notifyWatchers() } }

    private func notifyWatchers() {
        let wakeups = state.withLock { state in
            let durable = state.durable
            defer { state.unsent = state.unsent.filter { $0.value > durable } }
            return state.unsent.keys.flatMap { state.collections[$0].map { Array($0.watchers.values) } ?? [] }
        }
        for wakeup in wakeups { wakeup.signal() }
    }

    // MARK: Watching

    /// The changes after a revision that are on disk; nil when the history does not reach back to that revision.
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

    /// Wakes every watcher of a collection, because its kind is no longer served.
    func wakeWatchers(of resource: ResourceID) {
        let wakeups = state.withLock { state in state.collections[resource].map { Array($0.watchers.values) } ?? [] }
        for wakeup in wakeups { wakeup.signal() }
    }

    /// Registers a function that is called for every change, in order, while the store is locked; it must only record the change.
    func observe(_ observer: @escaping @Sendable (ResourceID, StoreEvent) -> Void) {
        state.withLock { $0.observer = observer }
    }
}
