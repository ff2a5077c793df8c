import Base

/// A clock that a test advances.
///
/// Sleepers wake in the order of their deadlines when time is advanced. The wall clock can be moved separately from the monotonic
/// one, to simulate NTP stepping the clock of an operator's machine (catalogue 39).
public final class ManualTime: TimeSource {
    private struct Sleeper {
        let deadline: Double
        let order: Int
        let continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var wall: Timestamp
        var monotonic: Double = 1000
        var sleepers: [Int: Sleeper] = [:]
        var cancelledBeforeSleep: Set<Int> = []
        var nextID = 0
        var watchers: [(count: Int, continuation: CheckedContinuation<Void, Never>)] = []
    }

    private let state: Locked<State>

    /// - Parameter start: the initial value of `now()`. The monotonic clock starts at 1000 seconds.
    public init(start: Timestamp = Timestamp(seconds: 1_800_000_000, nanoseconds: 0)) {
        state = Locked(State(wall: start))
    }

    public func now() -> Timestamp { state.withLock { $0.wall } }

    public func monotonic() -> Double { state.withLock { $0.monotonic } }

    /// The number of tasks that sleep on this clock.
    public var sleeperCount: Int { state.withLock { $0.sleepers.count } }

    /// The number of tasks that wake when the clock is advanced by this much.
    public func sleeperCount(within seconds: Double) -> Int {
        state.withLock { state in state.sleepers.values.count { $0.deadline <= state.monotonic + seconds } }
    }

    /// Seconds until the next sleeper wakes, or nil when nobody sleeps.
    public var secondsToNextSleeper: Double? {
        state.withLock { state in state.sleepers.values.map { $0.deadline - state.monotonic }.min() }
    }

    public func sleep(seconds: Double) async throws {
        try Task.checkCancellation()
        if seconds <= 0 {
            await Task.yield()
            return
        }
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                let (refused, told) = state.withLock { state -> (Bool, [CheckedContinuation<Void, Never>]) in
                    if state.cancelledBeforeSleep.remove(id) != nil { return (true, []) }
                    state.sleepers[id] = Sleeper(
                        deadline: state.monotonic + seconds, order: id, continuation: continuation)
                    let told = state.watchers.filter { $0.count <= state.sleepers.count }.map(\.continuation)
                    state.watchers.removeAll { $0.count <= state.sleepers.count }
                    return (false, told)
                }
                if refused { continuation.resume(throwing: CancellationError()) }
                for watcher in told { watcher.resume() }
            }
        } onCancel: {
            let sleeper = state.withLock { state -> Sleeper? in
                guard let sleeper = state.sleepers.removeValue(forKey: id) else {
                    state.cancelledBeforeSleep.insert(id)
                    return nil
                }
                return sleeper
            }
            sleeper?.continuation.resume(throwing: CancellationError())
        }
        state.withLock { _ = $0.cancelledBeforeSleep.remove(id) }
    }

    /// Returns when at least `count` tasks sleep on this clock; advancing it is then deterministic.
    public func waitForSleepers(_ count: Int = 1) async {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            let ready = state.withLock { state -> Bool in
                if state.sleepers.count >= count { return true }
                state.watchers.append((count, continuation))
                return false
            }
            if ready { continuation.resume() }
        }
    }

    /// Moves both clocks forward and wakes every sleeper whose deadline has come, in the order of the deadlines.
    public func advance(seconds: Double) {
        let woken = state.withLock { state -> [Sleeper] in
            state.monotonic += seconds
            state.wall = state.wall.adding(seconds: seconds)
            let due = state.sleepers.filter { $0.value.deadline <= state.monotonic + 1e-9 }
            for id in due.keys { state.sleepers.removeValue(forKey: id) }
            return due.values.sorted { ($0.deadline, $0.order) < ($1.deadline, $1.order) }
        }
        for sleeper in woken { sleeper.continuation.resume() }
    }

    /// Waits for a sleeper, then advances exactly to its deadline. Returns the seconds that passed.
    @discardableResult
    public func advanceToNextSleeper() async -> Double {
        await waitForSleepers()
        let seconds = Swift.max(0, secondsToNextSleeper ?? 0)
        advance(seconds: seconds)
        return seconds
    }

    /// Moves only the wall clock; the monotonic clock and the sleepers are not affected.
    public func jumpWallClock(seconds: Double) {
        state.withLock { $0.wall = $0.wall.adding(seconds: seconds) }
    }
}
