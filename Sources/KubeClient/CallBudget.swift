import Base

/// How many calls may be under way at once; the others wait for their turn, in order.
///
/// One budget is meant for everything that a process asks of one API server: 1,000 pods that end together then use as many
/// connections as ten do, and none of their calls waits so long for an answer that it is taken for lost.
public final class CallBudget: Sendable {
    private let state: Locked<CallQueue<CheckedContinuation<Bool, Never>>>

    /// - Parameter limit: calls at once, at least 1.
    public init(_ limit: Int) { state = Locked(CallQueue(limit: max(1, limit))) }

    /// A place among the calls that are under way. It is given back with its last reference.
    final class Place: Sendable {
        private let budget: CallBudget

        fileprivate init(_ budget: CallBudget) { self.budget = budget }

        deinit { budget.leave() }
    }

    /// Waits for a place.
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

    /// Calls that are under way; for tests.
    var underWay: Int { state.withLock { $0.underWay } }
    /// Calls that wait; for tests.
    var waiting: Int { state.withLock { $0.waiting } }
}

/// The decisions of a ``CallBudget``, without locks. `Waiter` is how to reach a call that waits.
struct CallQueue<Waiter> {
    enum Entry: Equatable {
        case enters, waits
        /// Its task was cancelled before it came.
        case gone
    }

    private let limit: Int
    private(set) var underWay = 0
    private var next = 0
    private var waiters: [Int: Waiter] = [:]
    /// Their numbers in the order in which they came; those that were cancelled are passed over.
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

    /// Returns who has to be told: a call that waited. One that has not come yet is turned away when it comes; one that has entered
    /// goes on, and finds out by itself.
    mutating func cancel(_ number: Int) -> Waiter? {
        if let waiter = waiters.removeValue(forKey: number) { return waiter }
        cancelled.insert(number)
        return nil
    }

    /// It is known how the wait of this call ended: a later cancellation is none of the queue's business.
    mutating func settle(_ number: Int) { cancelled.remove(number) }

    /// A call is over. Returns the one that takes its place.
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

/// What one process may have under way at one API server. Watches and followed logs count for nothing: they last, and are few.
public struct CallBudgets: Sendable {
    /// Everything but logs. The server takes 100 requests at once on an HTTP/2 connection, of which some are left for others.
    public let calls: CallBudget
    /// Reading logs to their end: each has a connection of its own, which the next one uses again.
    public let logs: CallBudget

    public init(calls: Int = 64, logs: Int = 16) {
        self.calls = CallBudget(calls)
        self.logs = CallBudget(logs)
    }
}
