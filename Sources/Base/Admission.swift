/// The rule of an `Admission`: a pure value that counts the requests that were let in and decides about the next one.
public protocol AdmissionRule: Sendable {
    associatedtype Request: Sendable
    /// True when a request that does not fit now also blocks later requests, so that it cannot be overtaken for ever.
    static var keepsOrder: Bool { get }
    /// Counts the request if it fits now. Returns whether it fits.
    mutating func admit(_ request: Request) -> Bool
    /// Stops counting a request that was let in.
    mutating func leave(_ request: Request)
}

/// Lets requests in as far as a rule allows. The others wait, in their order.
public final class Admission<Rule: AdmissionRule>: Sendable {
    /// A request that was let in. It ends once: at `release`, or when the last reference is dropped.
    public final class Pass: Sendable {
        private let held: Locked<(Admission, Rule.Request)?>

        fileprivate init(_ admission: Admission, _ request: Rule.Request) { held = Locked((admission, request)) }
        deinit { release() }

        public func release() {
            let over = held.withLock { held in
                defer { held = nil }
                return held
            }
            over?.0.leave(over?.1)
        }
    }

    private struct Waiter {
        var id: UInt64
        var request: Rule.Request
        var continuation: CheckedContinuation<Bool, Never>
    }

    private struct State {
        var rule: Rule
        var next: UInt64 = 0
        var waiters: [Waiter] = []
        /// Requests that were cancelled before they began to wait.
        var cancelled: Set<UInt64> = []

        mutating func admitWaiting() -> [Waiter] {
            var admitted: [Waiter] = []
            var index = 0
            while index < waiters.count {
                if rule.admit(waiters[index].request) {
                    admitted.append(waiters.remove(at: index))
                } else if Rule.keepsOrder {
                    break
                } else {
                    index += 1
                }
            }
            return admitted
        }
    }

    private let state: Locked<State>

    public init(_ rule: Rule) { state = Locked(State(rule: rule)) }

    /// The rule as it is now.
    public var rule: Rule { state.withLock { $0.rule } }
    /// The number of requests that wait now.
    public var waiting: Int { state.withLock { $0.waiters.count } }

    /// Waits until the request is let in.
    /// - Throws: `CancellationError` when the task is cancelled first.
    public func enter(_ request: Rule.Request) async throws -> Pass {
        let id = state.withLock { state in
            defer { state.next += 1 }
            return state.next
        }
        let isAdmitted = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer: Bool? = state.withLock { state in
                    if state.cancelled.remove(id) != nil { return false }
                    if !Rule.keepsOrder || state.waiters.isEmpty, state.rule.admit(request) { return true }
                    state.waiters.append(Waiter(id: id, request: request, continuation: continuation))
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            cancel(id)
        }
        state.withLock { _ = $0.cancelled.remove(id) }
        guard isAdmitted else { throw CancellationError() }
        return Pass(self, request)
    }

    private func cancel(_ id: UInt64) {
        let (waiter, admitted) = state.withLock { state -> (Waiter?, [Waiter]) in
            guard let index = state.waiters.firstIndex(where: { $0.id == id }) else {
                state.cancelled.insert(id)
                return (nil, [])
            }
            let waiter = state.waiters.remove(at: index)
            // The cancelled request may have blocked others.
            return (waiter, state.admitWaiting())
        }
        waiter?.continuation.resume(returning: false)
        admitted.forEach { $0.continuation.resume(returning: true) }
    }

    private func leave(_ request: Rule.Request?) {
        guard let request else { return }
        let admitted = state.withLock { state in
            state.rule.leave(request)
            return state.admitWaiting()
        }
        admitted.forEach { $0.continuation.resume(returning: true) }
    }
}
