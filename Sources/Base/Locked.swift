import Synchronization

/// A value protected by a lock, shared by reference. For short critical sections without I/O or `await`.
public final class Locked<Value>: @unchecked Sendable {  // the value is only accessed with the lock held
    private let mutex = Mutex<Void>(())
    private var value: Value

    public init(_ value: Value) { self.value = value }

    /// Not recursive: `body` must not call it again on the same value.
    public func withLock<Result, Failure: Error>(
        _ body: (inout Value) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try mutex.withLock { (_) throws(Failure) in
            // `Mutex` requires a result that nothing else refers to. `Locked` leaves that to `body`.
            nonisolated(unsafe) let result = try body(&value)
            return result
        }
    }
}
