import Base

/// The decisions of a work queue, without time or waiting of its own (client-go `util/workqueue`).
///
/// A key is in at most one place: ready, held back until a time, or dirty while it is being worked on. Hence one worker per
/// key, and a key that is added while it is worked on is worked on once more afterwards, however often it was added.
public struct WorkQueueState<Key: Hashable & Sendable>: Sendable {
    /// What a worker gets.
    public enum Next: Sendable, Equatable {
        case key(Key)
        /// Nothing is due before this monotonic second.
        case waitUntil(Double)
        /// Nothing is due at all.
        case idle
        /// The queue is shut down and nothing is left to hand out.
        case finished
    }

    /// How a queue behaves when it is shut down.
    public enum Shutdown: Sendable {
        /// What is ready is left: a level-based reconciler finds it again after its restart.
        case now
        /// What is ready is handed out first; what is held back is left.
        case drain
    }

    public let backoff: BackoffPolicy
    private var ready: [Key] = []
    private var head = 0
    private var readySet: Set<Key> = []
    private var delayed: [Key: Double] = [:]
    private var dueTimes = DueTimes<Key>()
    /// Added while being worked on; the value is the time at which to work on it again.
    private var dirty: [Key: Double] = [:]
    /// Keys being worked on, with the time at which that began.
    private var processing: [Key: Double] = [:]
    private var failing: [Key: FailingKey] = [:]
    private var shutdown: Shutdown?

    public init(backoff: BackoffPolicy = .perKey) { self.backoff = backoff }

    /// Keys ready to be worked on.
    public var depth: Int { readySet.count }
    /// Keys held back until a time.
    public var delayedCount: Int { delayed.count }
    /// Keys being worked on.
    public var processingCount: Int { processing.count }
    public var isShutDown: Bool { shutdown != nil }
    /// Nothing ready, held back or worked on.
    public var isIdle: Bool { readySet.isEmpty && delayed.isEmpty && processing.isEmpty && dirty.isEmpty }

    /// The key is due at once; one that has failed, as soon as `BackoffPolicy.eventSeconds` lets it.
    public mutating func add(_ key: Key) { add(key, at: -.infinity) }

    /// The key is due at a monotonic second. Of two times the earlier one wins.
    public mutating func add(_ key: Key, at due: Double) {
        guard shutdown == nil else { return }
        if processing[key] != nil {
            dirty[key] = min(dirty[key] ?? .infinity, due)
        } else if readySet.contains(key) {
            return
        } else if let notBefore = failing[key]?.notBefore, due < notBefore {
            hold(key, until: notBefore)
        } else if due == -.infinity {
            delayed.removeValue(forKey: key)
            dropStaleTimes()
            push(key)
        } else {
            hold(key, until: due)
        }
    }

    /// The key is due at once whatever failed before: what it is about has changed.
    public mutating func addAnew(_ key: Key) {
        forget(key)
        add(key)
    }

    /// How the work on a key ended.
    public enum Outcome: Sendable, Equatable {
        /// Nothing more to do.
        case done
        /// Due at a monotonic second, with progress: the backoff starts over.
        case again(at: Double)
        /// Due at a monotonic second, without progress: the backoff stays as it is.
        case waiting(at: Double)
        /// It failed.
        case failed
    }

    /// The work on a key is over. Returns for a failure the seconds to the next due attempt.
    @discardableResult
    public mutating func finish(_ key: Key, _ outcome: Outcome, now: Double) -> Double? {
        var delay: Double?
        switch outcome {
        case .done: forget(key)
        case .again(let due):
            forget(key)
            add(key, at: due)
        case .waiting(let due): add(key, at: due)
        // Something may have changed meanwhile that makes the failure old news (`addAnew`): then it is the first one.
        case .failed: delay = addAfterFailure(key, now: now)
        }
        done(key)
        return delay
    }

    /// The key failed once more: it is due after its backoff. Returns the seconds to that.
    @discardableResult
    public mutating func addAfterFailure(_ key: Key, now: Double) -> Double {
        var state = failing[key] ?? FailingKey(at: now, backoff)
        if failing[key] != nil { state.failed(begun: processing[key] ?? now, at: now, backoff) }
        failing[key] = state
        add(key, at: state.due)
        return state.delay
    }

    /// The key succeeded: its next failure starts the backoff over.
    public mutating func forget(_ key: Key) { failing.removeValue(forKey: key) }

    /// Due attempts in a row that failed.
    public func failures(of key: Key) -> Int { failing[key]?.count ?? 0 }

    /// Hands out a key, which is then being worked on until `done`.
    public mutating func take(now: Double) -> Next {
        if shutdown == .now { return .finished }
        promote(now: now)
        if let key = pop() {
            processing[key] = now
            return .key(key)
        }
        if shutdown != nil { return .finished }
        return earliestDelayed.map { .waitUntil($0) } ?? .idle
    }

    /// The work on a key is over.
    public mutating func done(_ key: Key) {
        guard processing.removeValue(forKey: key) != nil else { return }
        guard var due = dirty.removeValue(forKey: key) else { return }
        if let notBefore = failing[key]?.notBefore { due = max(due, notBefore) }
        if due == -.infinity {
            // A queue that drains still owes the work that was asked for before it was shut down.
            if shutdown != .now { push(key) }
        } else if shutdown == nil {
            hold(key, until: due)
        }
    }

    /// Takes no more keys.
    public mutating func shutDown(_ how: Shutdown) {
        shutdown = how
        delayed = [:]
        dueTimes = DueTimes()
        if how == .now {
            ready = []
            head = 0
            readySet = []
            dirty = [:]
        }
    }

    /// Times remembered, those that no longer count included.
    var heldTimes: Int { dueTimes.count }

    /// The earliest time that some key is held back to.
    var earliestDelayed: Double? { dueTimes.earliest }

    /// Makes ready what is due.
    mutating func promote(now: Double) {
        while let due = dueTimes.earliest, due <= now, let (key, _) = dueTimes.popFirst() {
            delayed.removeValue(forKey: key)
            push(key)
            dropStaleTimes()
        }
    }

    private mutating func hold(_ key: Key, until due: Double) {
        if let known = delayed[key], known <= due { return }
        delayed[key] = due
        dueTimes.insert(key, due)
        // Keys that are moved to the front often would fill the heap with times that no longer count.
        if dueTimes.count > 2 * delayed.count + 64 {
            dueTimes = DueTimes()
            for (key, due) in delayed { dueTimes.insert(key, due) }
        }
    }

    /// Times of keys that have been moved since are left in the heap until they come to its top.
    private mutating func dropStaleTimes() {
        while let first = dueTimes.first, delayed[first.key] != first.due { _ = dueTimes.popFirst() }
    }

    private mutating func push(_ key: Key) {
        if readySet.insert(key).inserted { ready.append(key) }
    }

    private mutating func pop() -> Key? {
        guard head < ready.count else { return nil }
        let key = ready[head]
        head += 1
        // Given back in one go now and then: taking from the front of an array would move all of it each time.
        if head > 64, head * 2 > ready.count {
            ready.removeFirst(head)
            head = 0
        }
        readySet.remove(key)
        return key
    }
}

extension BackoffPolicy {
    /// For a key after its failures in a row: 5 ms doubling to 1000 s, as client-go's default.
    public static let perKey = BackoffPolicy(initialSeconds: 0.005, capSeconds: 1000)
}
