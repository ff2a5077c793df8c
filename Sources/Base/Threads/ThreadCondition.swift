import Glibc

/// A lock whose holder can wait for another thread. For threads that may block; use `Locked` elsewhere.
///
/// Call `wait` and `broadcast`, and read or change the state that is waited for, only between `lock` and `unlock`.
public final class ThreadCondition: @unchecked Sendable {  // both pthread objects are thread-safe and never move
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    public init() {
        mutex.initialize(to: pthread_mutex_t())
        pthread_mutex_init(mutex, nil)
        changed.initialize(to: pthread_cond_t())
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(changed, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(changed)
        pthread_mutex_destroy(mutex)
        changed.deallocate()
        mutex.deallocate()
    }

    public func lock() { pthread_mutex_lock(mutex) }

    public func unlock() { pthread_mutex_unlock(mutex) }

    /// Wakes all waiting threads.
    public func broadcast() { pthread_cond_broadcast(changed) }

    /// Returns after a `broadcast`, and sometimes without one: check the condition again.
    public func wait() { pthread_cond_wait(changed, mutex) }

    /// Like `wait`, with a deadline.
    /// - Parameter end: in seconds of `SystemTime.monotonic()`.
    /// - Returns: false when the deadline has passed.
    public func wait(until end: Double) -> Bool {
        let whole = max(0, min(end, 1e15)).rounded(.down)
        var limit = timespec(tv_sec: Int(whole), tv_nsec: Int(max(0, min(end - whole, 0.999_999_999)) * 1e9))
        return pthread_cond_timedwait(changed, mutex, &limit) == 0
    }
}
