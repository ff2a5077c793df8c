import Base

/// Keys waiting for a worker, shared by the code that adds keys and the workers.
///
/// - Guarantees: no key is worked on by two workers at once; a key added while it is worked on is worked on again; when a key has two due
///   times, the earlier one counts; a delayed key is handed out at its time and not before.
/// - Caveat: keys carry no history. Ten changes may lead to one run.
public final class WorkQueue<Key: Hashable & Sendable>: Sendable {
    private struct Waiting {
        let id: Int
        let continuation: CheckedContinuation<Void, Never>
    }

    private struct State {
        var queue: WorkQueueState<Key>
        var workers: [Waiting] = []
        var idleWaiters: [Waiting] = []
        var nextID = 0
        var timer: (due: Double, task: Task<Void, Never>)?
    }

    private let state: Locked<State>
    private let time: any TimeSource
    private let onTake: (@Sendable (Double) -> Void)?

    /// - Parameter onTake: called with the seconds that a key was ready before a worker took it.
    public init(time: any TimeSource = SystemTime(), backoff: BackoffPolicy = .perKey, onTake: (@Sendable (Double) -> Void)? = nil) {
        self.time = time
        self.onTake = onTake
        state = Locked(State(queue: WorkQueueState(backoff: backoff)))
    }

    deinit { state.withLock { $0.timer?.task.cancel() } }

    /// Makes the key due at once.
    public func add(_ key: Key) { change { $0.add(key) } }

    /// Makes the key due after some seconds. If it is already due earlier, that time stays.
    public func add(_ key: Key, afterSeconds seconds: Double) {
        let due = seconds > 0 ? time.monotonic() + seconds : -.infinity
        change { $0.add(key, at: due) }
    }

    /// Makes the key due after its backoff. Returns the seconds of the backoff.
    @discardableResult
    public func addAfterFailure(_ key: Key) -> Double {
        let now = time.monotonic()
        return change { $0.addAfterFailure(key, now: now) }
    }

    /// Makes the key due at once and resets its backoff, because its object has changed.
    public func addAnew(_ key: Key) { change { $0.addAnew(key) } }

    /// Ends the work on a key with an outcome. For a failure, returns the seconds to the next due attempt.
    @discardableResult
    public func finish(_ key: Key, _ outcome: WorkQueueState<Key>.Outcome) -> Double? {
        let now = time.monotonic()
        return change { $0.finish(key, outcome, now: now) }
    }

    /// Resets the backoff of the key.
    public func forget(_ key: Key) { change { $0.forget(key) } }

    public func failures(of key: Key) -> Int { state.withLock { $0.queue.failures(of: key) } }

    /// The next key, as soon as there is one. Returns nil when the calling task is cancelled, or when the queue is shut down and, if it
    /// drains, is empty. Each key must be given back with `done`.
    public func next() async -> Key? {
        while !Task.isCancelled {
            let now = time.monotonic()
            let (found, waited) = change { ($0.take(now: now), $0.lastWait) }
            switch found {
            case .key(let key):
                onTake?(waited)
                return key
            case .finished: return nil
            // The queue's timer makes delayed keys ready.
            case .idle, .waitUntil: await park()
            }
        }
        return nil
    }

    /// Ends the work on a key.
    public func done(_ key: Key) { change { $0.done(key) } }

    /// Accepts no more keys and releases the waiting workers.
    public func shutDown(_ how: WorkQueueState<Key>.Shutdown = .now) { change { $0.shutDown(how) } }

    /// Returns when no key is ready, delayed or being worked on, or when the task is cancelled.
    public func waitUntilIdle() async {
        while !Task.isCancelled {
            if state.withLock({ $0.queue.isIdle }) { return }
            await park(asIdler: true)
        }
    }

    public var depth: Int { state.withLock { $0.queue.depth } }
    public var delayedCount: Int { state.withLock { $0.queue.delayedCount } }
    public var processingCount: Int { state.withLock { $0.queue.processingCount } }
    public var isShutDown: Bool { state.withLock { $0.queue.isShutDown } }

    // MARK: Waiting

    private func change<Result>(_ body: (inout WorkQueueState<Key>) -> Result) -> Result {
        let now = time.monotonic()
        let (result, woken) = state.withLock { state -> (Result, [Waiting]) in
            state.queue.now = now
            let result = body(&state.queue)
            var woken: [Waiting] = []
            let wanted = state.queue.isShutDown ? state.workers.count : min(state.queue.depth, state.workers.count)
            woken += state.workers.prefix(wanted)
            state.workers.removeFirst(wanted)
            if state.queue.isIdle || state.queue.isShutDown {
                woken += state.idleWaiters
                state.idleWaiters = []
            }
            setTimer(&state)
            return (result, woken)
        }
        for waiting in woken { waiting.continuation.resume() }
        return result
    }

    private func park(asIdler: Bool = false) async {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let refused = state.withLock { state -> Bool in
                    // Checked again under the lock: a key may have been added since.
                    if Task.isCancelled { return true }
                    if asIdler {
                        if state.queue.isIdle { return true }
                        state.idleWaiters.append(Waiting(id: id, continuation: continuation))
                    } else {
                        if state.queue.depth > 0 || state.queue.isShutDown { return true }
                        state.workers.append(Waiting(id: id, continuation: continuation))
                    }
                    return false
                }
                if refused { continuation.resume() }
            }
        } onCancel: {
            let found = state.withLock { state -> Waiting? in
                if let at = state.workers.firstIndex(where: { $0.id == id }) { return state.workers.remove(at: at) }
                if let at = state.idleWaiters.firstIndex(where: { $0.id == id }) { return state.idleWaiters.remove(at: at) }
                return nil
            }
            found?.continuation.resume()
        }
    }

    /// Sets the one timer that wakes a worker at the earliest time of a delayed key.
    private func setTimer(_ state: inout State) {
        let due = state.queue.earliestDelayed
        if let timer = state.timer {
            if let due, timer.due <= due { return }
            timer.task.cancel()
            state.timer = nil
        }
        guard let due, !state.queue.isShutDown else { return }
        let seconds = max(0, due - time.monotonic())
        let task = Task { [time, weak self] in
            do { try await time.sleep(seconds: seconds) } catch { return }
            self?.timerFired(due: due)
        }
        state.timer = (due, task)
    }

    private func timerFired(due: Double) {
        state.withLock { if $0.timer?.due == due { $0.timer = nil } }
        let now = time.monotonic()
        change { $0.promote(now: now) }
    }
}
