import Base

/// The decisions of a work queue, without a clock or waiting (client-go `util/workqueue`).
///
/// A key is in at most one place: ready, delayed until a time, or dirty while it is being worked on. Hence there is one worker per key, and
/// a key that is added while it is worked on is worked on once more afterwards, however often it was added.
public struct WorkQueueState<Key: Hashable & Sendable>: Sendable {
    /// What a worker gets.
    public enum Next: Sendable, Equatable {
        case key(Key)
        /// Nothing is due before this monotonic second.
        case waitUntil(Double)
        /// Nothing is due at all.
        case idle
        /// The queue is shut down, and no key is left to hand out.
        case finished
    }

    /// What happens to keys when the queue is shut down.
    public enum Shutdown: Sendable {
        /// Ready keys are dropped: a level-based reconciler finds them again after its restart.
        case now
        /// Ready keys are handed out first; delayed keys are dropped.
        case drain
    }

    public let backoff: BackoffPolicy
    private var ready: [Key] = []
    private var head = 0
    private var readySet: Set<Key> = []
    private var delayed: [Key: Double] = [:]
    private var dueTimes = DueTimes<Key>()
    /// Keys added while being worked on, with the time at which to work on them again.
    private var dirty: [Key: Double] = [:]
    /// Keys being worked on, with the time at which the work began.
    private var processing: [Key: Double] = [:]
    private var failing: [Key: FailingKey] = [:]
    private var shutdown: Shutdown?
    /// The present monotonic second, as the owner has set it before a change. Only measurements use it.
    var now = 0.0
    /// When the keys that are ready became so.
    private var readySince: [Key: Double] = [:]
    /// How long the key that was handed out last had been ready, in seconds.
    private(set) var lastWait = 0.0

    public init(backoff: BackoffPolicy = .perKey) { self.backoff = backoff }

    /// The number of keys ready to be worked on.
    public var depth: Int { readySet.count }
    /// The number of keys delayed until a time.
    public var delayedCount: Int { delayed.count }
    /// The number of keys being worked on.
    public var processingCount: Int { processing.count }
    public var isShutDown: Bool { shutdown != nil }
    /// True when no key is ready, delayed or being worked on.
    public var isIdle: Bool { readySet.isEmpty && delayed.isEmpty && processing.isEmpty && dirty.isEmpty }

    /// Makes the key due at once; a key that has failed, as soon as `BackoffPolicy.eventSeconds` allows.
    public mutating func add(_ key: Key) { add(key, at: -.infinity) }

    /// Makes the key due at a monotonic second. When the key has two due times, the earlier one counts.
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

    /// Makes the key due at once, whatever failed before, because its object has changed.
    public mutating func addAnew(_ key: Key) {
        forget(key)
        add(key)
    }

    /// How the work on a key ended.
    public enum Outcome: Sendable, Equatable {
        /// Nothing more to do.
        case done
        /// Due at a monotonic second, after progress: the backoff is reset.
        case again(at: Double)
        /// Due at a monotonic second, without progress: the backoff stays as it is.
        case waiting(at: Double)
        /// It failed.
        case failed
    }

    /// Ends the work on a key. For a failure, returns the seconds to the next due attempt.
    @discardableResult
    public mutating func finish(_ key: Key, _ outcome: Outcome, now: Double) -> Double? {
        var delay: Double?
        switch outcome {
        case .done: forget(key)
        case .again(let due):
            forget(key)
            add(key, at: due)
        case .waiting(let due): add(key, at: due)
        // `addAnew` may have reset the failures during the work; this failure then counts as the first one.
        case .failed: delay = addAfterFailure(key, now: now)
        }
        done(key)
        return delay
    }

    /// Records a failure: the key is due after its backoff. Returns the seconds of the backoff.
    @discardableResult
    public mutating func addAfterFailure(_ key: Key, now: Double) -> Double {
        var state = failing[key] ?? FailingKey(at: now, backoff)
        if failing[key] != nil { state.failed(begun: processing[key] ?? now, at: now, backoff) }
        failing[key] = state
        add(key, at: state.due)
        return state.delay
    }

    /// Resets the backoff of the key, after a success.
    public mutating func forget(_ key: Key) { failing.removeValue(forKey: key) }

    /// Failures in a row of attempts that were due.
    public func failures(of key: Key) -> Int { failing[key]?.count ?? 0 }

    /// Hands out a key, which then counts as being worked on until `done`.
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

    /// Ends the work on a key.
    public mutating func done(_ key: Key) {
        guard processing.removeValue(forKey: key) != nil else { return }
        guard var due = dirty.removeValue(forKey: key) else { return }
        if let notBefore = failing[key]?.notBefore { due = max(due, notBefore) }
        if due == -.infinity {
            // A queue that drains still does the work that was asked for before it was shut down.
            if shutdown != .now { push(key) }
        } else if shutdown == nil {
            hold(key, until: due)
        }
    }

    /// Accepts no more keys.
    public mutating func shutDown(_ how: Shutdown) {
        shutdown = how
        delayed = [:]
        dueTimes = DueTimes()
        if how == .now {
            ready = []
            head = 0
            readySet = []
            readySince = [:]
            dirty = [:]
        }
    }

    /// The number of stored due times, including outdated ones.
    var heldTimes: Int { dueTimes.count }

    /// The earliest time of a delayed key.
    var earliestDelayed: Double? { dueTimes.earliest }

    /// Makes delayed keys ready whose time has come.
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
        // Keys whose time is often moved forward would fill the heap with outdated times.
        if dueTimes.count > 2 * delayed.count + 64 {
            dueTimes = DueTimes()
            for (key, due) in delayed { dueTimes.insert(key, due) }
        }
    }

    /// Removes outdated times from the top of the heap. Outdated times below the top stay until they reach it.
    private mutating func dropStaleTimes() {
        while let first = dueTimes.first, delayed[first.key] != first.due { _ = dueTimes.popFirst() }
    }

    private mutating func push(_ key: Key) {
        guard readySet.insert(key).inserted else { return }
        ready.append(key)
        readySince[key] = now
    }

    private mutating func pop() -> Key? {
        guard head < ready.count else { return nil }
        let key = ready[head]
        head += 1
        // Removed in batches: removing the first element of an array each time would move all the others each time.
        if head > 64, head * 2 > ready.count {
            ready.removeFirst(head)
            head = 0
        }
        readySet.remove(key)
        lastWait = max(0, now - (readySince.removeValue(forKey: key) ?? now))
        return key
    }
}

extension BackoffPolicy {
    /// For one key, by its failures in a row: 5 ms doubling to 1000 s, as client-go's default.
    public static let perKey = BackoffPolicy(initialSeconds: 0.005, capSeconds: 1000)
}
