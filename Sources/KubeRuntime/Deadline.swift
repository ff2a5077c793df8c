import Base

/// Limits how long a caller waits for an operation that may never end.
enum Deadline {
    /// The result of `operation`, or nil when the time runs out first. The operation is then cancelled but not awaited: unlike in a task
    /// group, an operation that ignores its cancellation cannot delay the caller.
    static func run<Result: Sendable>(
        seconds: Double, time: any TimeSource, on executor: (any TaskExecutor)? = nil, _ operation: @escaping @Sendable () async -> Result
    ) async -> Result? {
        let race = Race<Result>()
        let work = Task(executorPreference: executor) { race.finish(await operation()) }
        let clock = Task(executorPreference: executor) {
            try? await time.sleep(seconds: seconds)
            race.finish(nil)
        }
        defer {
            work.cancel()
            clock.cancel()
        }
        return await withTaskCancellationHandler {
            await race.result()
        } onCancel: {
            work.cancel()
        }
    }
}

/// Keeps the first of several results and gives it to one waiter.
private final class Race<Result: Sendable>: Sendable {
    private enum State {
        case open
        case awaited(CheckedContinuation<Result?, Never>)
        case won(Result?)
        case over
    }

    private let state = Locked(State.open)

    func finish(_ result: Result?) {
        let waiter = state.withLock { state -> CheckedContinuation<Result?, Never>? in
            switch state {
            case .open:
                state = .won(result)
                return nil
            case .awaited(let continuation):
                state = .over
                return continuation
            case .won, .over: return nil
            }
        }
        waiter?.resume(returning: result)
    }

    func result() async -> Result? {
        await withCheckedContinuation { continuation in
            let won = state.withLock { state -> Result?? in
                switch state {
                case .won(let result):
                    state = .over
                    return .some(result)
                case .open, .awaited, .over:
                    state = .awaited(continuation)
                    return .none
                }
            }
            if case .some(let result) = won { continuation.resume(returning: result) }
        }
    }
}
