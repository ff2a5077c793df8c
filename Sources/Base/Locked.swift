import Synchronization

/// A value behind a lock, shared by reference. For short critical sections without I/O or `await`.
public final class Locked<Value>: @unchecked Sendable {  // the value is only touched with the lock held
    private let lock = Mutex<Void>(())
    private var value: Value

    public init(_ value: Value) { self.value = value }

    /// Must not be entered again from `body`: the lock is not recursive.
    public func withLock<Result, Failure: Error>(
        _ body: (inout Value) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        lock._unsafeLock()
        defer { lock._unsafeUnlock() }
        return try body(&value)
    }
}
