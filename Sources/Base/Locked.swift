import Synchronization

/// A value behind a lock, shared by reference. For short critical sections without I/O or `await`.
public final class Locked<Value>: @unchecked Sendable {  // the value is only touched with the lock held
    private let mutex = Mutex<Void>(())
    private var value: Value

    public init(_ value: Value) { self.value = value }

    /// Must not be entered again from `body`: the lock is not recursive.
    public func withLock<Result, Failure: Error>(
        _ body: (inout Value) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try mutex.withLock { (_) throws(Failure) in
            // `Mutex` wants a result that nothing else refers to. Here, as with any lock, that is up to `body`.
            nonisolated(unsafe) let result = try body(&value)
            return result
        }
    }
}
