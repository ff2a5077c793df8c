import Base

/// Limits how many calls are in progress at once. Further calls wait and start in order.
///
/// All calls of a process to one API server share a budget. So 1,000 pods that end together use no more connections than ten do, and no call waits so
/// long for an answer that it times out.
public final class CallBudget: Sendable {
    private let state: Locked<CallQueue<CheckedContinuation<Bool, Never>>>

    /// - Parameter limit: the number of calls at once, at least 1.
    public init(_ limit: Int) { state = Locked(CallQueue(limit: max(1, limit))) }

    /// Permission for one call. It is given back when its last reference is released.
    final class Place: Sendable {
        private let budget: CallBudget

        fileprivate init(_ budget: CallBudget) { self.budget = budget }

        deinit { budget.leave() }
    }

    /// Waits until a call may start.
    func enter() async throws(CancellationError) -> Place {
        let number = state.withLock { $0.newNumber() }
        let granted = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                switch state.withLock({ $0.enter(number, continuation) }) {
                case .enters: continuation.resume(returning: true)
                case .gone: continuation.resume(returning: false)
                case .waits: break
                }
            }
        } onCancel: {
            state.withLock { $0.cancel(number) }?.resume(returning: false)
        }
        state.withLock { $0.settle(number) }
        guard granted else { throw CancellationError() }
        return Place(self)
    }

    private func leave() { state.withLock { $0.leave() }?.resume(returning: true) }

    /// The number of calls in progress; for tests.
    var underWay: Int { state.withLock { $0.underWay } }
    /// The number of waiting calls; for tests.
    var waiting: Int { state.withLock { $0.waiting } }
}

/// The decisions of a ``CallBudget``, without locks. `Waiter` is used to resume a waiting call.
struct CallQueue<Waiter> {
    enum Entry: Equatable {
        case enters, waits
        /// Its task was cancelled before it was added to the queue.
        case gone
    }

    private let limit: Int
    private(set) var underWay = 0
    private var next = 0
    private var waiters: [Int: Waiter] = [:]
    /// The numbers of waiting calls in order. Cancelled calls are skipped.
    private var order: [Int] = []
    private var first = 0
    private var cancelled: Set<Int> = []

    init(limit: Int) { self.limit = limit }

    var waiting: Int { waiters.count }

    mutating func newNumber() -> Int {
        next += 1
        return next
    }

    mutating func enter(_ number: Int, _ waiter: @autoclosure () -> Waiter) -> Entry {
        if cancelled.remove(number) != nil { return .gone }
        if underWay < limit {
            underWay += 1
            return .enters
        }
        waiters[number] = waiter()
        order.append(number)
        return .waits
    }

    /// Cancels a call. Returns its waiter if the call was waiting. A call that is not in the queue yet is refused when it arrives; a call that has
    /// started continues and checks for cancellation itself.
    mutating func cancel(_ number: Int) -> Waiter? {
        if let waiter = waiters.removeValue(forKey: number) { return waiter }
        cancelled.insert(number)
        return nil
    }

    /// Ends the tracking of a call whose wait is over: a later cancellation has no effect on the queue.
    mutating func settle(_ number: Int) { cancelled.remove(number) }

    /// Ends a call. Returns the next call to start.
    mutating func leave() -> Waiter? {
        while first < order.count {
            let number = order[first]
            first += 1
            if first > 1024, first * 2 > order.count {
                order.removeFirst(first)
                first = 0
            }
            if let waiter = waiters.removeValue(forKey: number) { return waiter }
        }
        order = []
        first = 0
        underWay -= 1
        return nil
    }
}

/// The limits of one process for calls to one API server. Watches and followed logs are not limited: they are few and stay open for a long time.
public struct CallBudgets: Sendable {
    /// For everything but logs. The server allows 100 concurrent requests on an HTTP/2 connection; some of them are left for other users.
    public let calls: CallBudget
    /// For reading complete logs. Each read has its own connection, which is reused.
    public let logs: CallBudget

    public init(calls: Int = 64, logs: Int = 16) {
        self.calls = CallBudget(calls)
        self.logs = CallBudget(logs)
    }
}
