import Base

extension BackoffPolicy {
    /// The least seconds from a failure of a key to a look that an event asks for; the delay itself where that is shorter.
    static let eventSeconds = 1.0
}

/// The failures of one key and when it may be looked at again, in monotonic seconds.
///
/// A failure counts only when the attempt was due. Between two due attempts events may have the key looked at sooner, but not more often
/// than once in `eventSeconds`; when such an early look fails as well, neither the count nor the time of the next due attempt changes. So
/// a refusal that is met fifty times because of fifty events is one step of the backoff.
struct FailingKey: Sendable, Equatable {
    /// Due attempts in a row that failed.
    private(set) var count: Int
    /// When the next attempt is due.
    private(set) var due: Double
    /// Before this, no event has the key looked at.
    private(set) var notBefore: Double
    /// From the last failure to `due`, in seconds.
    private(set) var delay: Double

    /// The first failure.
    init(at now: Double, _ backoff: BackoffPolicy) {
        count = 1
        delay = backoff.seconds(afterFailures: 1)
        due = now + delay
        notBefore = now + min(delay, BackoffPolicy.eventSeconds)
    }

    /// One more attempt failed.
    /// - Parameter begun: when it began.
    mutating func failed(begun: Double, at now: Double, _ backoff: BackoffPolicy) {
        let next = backoff.seconds(afterFailures: count + 1)
        if begun >= due {
            count += 1
            delay = next
            due = now + delay
        } else {
            // Early, because of an event. It may have taken until after the due time.
            if due <= now { due = now + min(next, BackoffPolicy.eventSeconds) }
            delay = due - now
        }
        notBefore = min(due, now + min(next, BackoffPolicy.eventSeconds))
    }
}
