/// A change of one object.
struct StoreEvent: Sendable {
    enum Kind: Sendable { case added, modified, deleted }
    var kind: Kind
    /// The object after the change; for a deletion, its last state at the deletion's revision.
    var object: StoredObject
    /// The object before the change; nil when it was added.
    var previous: StoredObject?

    var revision: UInt64 { object.revision }
}

/// The last changes of a collection, in order. Watches resume from them, and older states of a list are rebuilt from them.
struct EventHistory {
    /// The history has every event after this revision.
    private(set) var start: UInt64
    private(set) var events: [StoreEvent] = []
    private let limit: Int
    private let byteLimit: Int
    private var bytes = 0

    init(start: UInt64, limit: Int, byteLimit: Int = 64 << 20) {
        self.start = start
        self.limit = max(1, limit)
        self.byteLimit = byteLimit
    }

    mutating func append(_ event: StoreEvent) {
        events.append(event)
        bytes += event.object.body.count
        // Many events are removed at a time, so that the cost for each event stays small.
        let slack = max(1, limit / 4)
        guard events.count >= limit + slack || bytes > byteLimit, events.count > 1 else { return }
        let dropped = min(events.count - 1, max(events.count - limit, events.count / 4, 1))
        for event in events[..<dropped] { bytes -= event.object.body.count }
        start = events[dropped - 1].revision
        events.removeFirst(dropped)
    }

    /// The events after a revision, which must not be older than `start`.
    func events(after revision: UInt64) -> ArraySlice<StoreEvent> {
        var low = 0
        var high = events.count
        while low < high {
            let middle = (low + high) / 2
            if events[middle].revision <= revision { low = middle + 1 } else { high = middle }
        }
        return events[low...]
    }
}
