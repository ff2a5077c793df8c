import Base

/// Keys waiting for a worker, shared by those who add and those who work.
///
/// - Guarantees: no key is worked on by two workers at once; a key added during its work is worked on again; of two times
///   for one key the earlier one wins; a key held back is handed out at its time and not before.
/// - Caveat: keys carry no history. Ten changes may be one run.
public final class WorkQueue<Key: Hashable & Sendable>: Sendable {
    private struct Waiting {
        let id: Int
        let continuation: CheckedContinuation<Void, Never>
    }

    private struct State {
        var queue: WorkQueueState<Key>
        var workers: [Waiting] = []
        var idlers: [Waiting] = []
        var nextID = 0
        var timer: (due: Double, task: Task<Void, Never>)?
    }

    private let state: Locked<State>
    private let time: any TimeSource

    public init(time: any TimeSource = SystemTime(), backoff: BackoffPolicy = .perKey) {
        self.time = time
        state = Locked(State(queue: WorkQueueState(backoff: backoff)))
    }

    deinit { state.withLock { $0.timer?.task.cancel() } }

    /// The key is due at once.
    public func add(_ key: Key) { change { $0.add(key) } }

    /// The key is due after a time; an earlier one that it already has stays.
    public func add(_ key: Key, afterSeconds seconds: Double) {
        let due = seconds > 0 ? time.monotonic() + seconds : -.infinity
        change { $0.add(key, at: due) }
    }

    /// The key is due after its backoff. Returns the seconds of it.
    @discardableResult
    public func addAfterFailure(_ key: Key) -> Double {
        let now = time.monotonic()
        return change { $0.addAfterFailure(key, now: now) }
    }

    /// The key is due at once and its backoff starts over: what it is about has changed.
    public func addAnew(_ key: Key) { change { $0.addAnew(key) } }

    /// The work on a key is over, and how. Returns for a failure the seconds to the next due attempt.
    @discardableResult
    public func finish(_ key: Key, _ outcome: WorkQueueState<Key>.Outcome) -> Double? {
        let now = time.monotonic()
        return change { $0.finish(key, outcome, now: now) }
    }

    /// The next failure of the key starts its backoff over.
    public func forget(_ key: Key) { change { $0.forget(key) } }

    public func failures(of key: Key) -> Int { state.withLock { $0.queue.failures(of: key) } }

    /// The next key, when there is one; nil when the queue has been shut down and, if it drains, is empty; nil also when
    /// the calling task is cancelled. Each key is to be given back with `done`.
    public func next() async -> Key? {
        while !Task.isCancelled {
            let now = time.monotonic()
            let found = change { $0.take(now: now) }
            switch found {
            case .key(let key): return key
            case .finished: return nil
            // The timer of the queue makes ready what is held back.
            case .idle, .waitUntil: await park()
            }
        }
        return nil
    }

    /// The work on a key is over.
    public func done(_ key: Key) { change { $0.done(key) } }

    /// Takes no more keys and lets waiting workers go.
    public func shutDown(_ how: WorkQueueState<Key>.Shutdown = .now) { change { $0.shutDown(how) } }

    /// Returns when no key is ready, held back or being worked on, or when the task is cancelled.
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
        let (result, woken) = state.withLock { state -> (Result, [Waiting]) in
            let result = body(&state.queue)
            var woken: [Waiting] = []
            let wanted = state.queue.isShutDown ? state.workers.count : min(state.queue.depth, state.workers.count)
            woken += state.workers.prefix(wanted)
            state.workers.removeFirst(wanted)
            if state.queue.isIdle || state.queue.isShutDown {
                woken += state.idlers
                state.idlers = []
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
                    // Looked at again under the lock: a key may have come since.
                    if Task.isCancelled { return true }
                    if asIdler {
                        if state.queue.isIdle { return true }
                        state.idlers.append(Waiting(id: id, continuation: continuation))
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
                if let at = state.idlers.firstIndex(where: { $0.id == id }) { return state.idlers.remove(at: at) }
                return nil
            }
            found?.continuation.resume()
        }
    }

    /// One timer wakes a worker at the earliest time that some key is held back to.
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
