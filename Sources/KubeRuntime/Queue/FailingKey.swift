import Base

extension BackoffPolicy {
    /// The least time in seconds between a failure of a key and a reconcile caused by an event; a shorter backoff delay takes precedence.
    static let eventSeconds = 1.0
}

/// The failures of one key and when it may be reconciled again, in monotonic seconds.
///
/// A failure counts only when the attempt was due. Events may cause an attempt before that, but at most one per `eventSeconds`. When such
/// an early attempt fails, the count stays the same, and so does the time of the next due attempt unless it has passed. So a refusal that
/// repeats because of fifty events is one step of the backoff.
struct FailingKey: Sendable, Equatable {
    /// Failures in a row of attempts that were due.
    private(set) var count: Int
    /// When the next attempt is due.
    private(set) var due: Double
    /// Until this time, events cause no attempt.
    private(set) var notBefore: Double
    /// Seconds from the last failure to `due`.
    private(set) var delay: Double

    /// Records the first failure.
    init(at now: Double, _ backoff: BackoffPolicy) {
        count = 1
        delay = backoff.seconds(afterFailures: 1)
        due = now + delay
        notBefore = now + min(delay, BackoffPolicy.eventSeconds)
    }

    /// Records one more failed attempt.
    /// - Parameter begun: when the attempt began.
    mutating func failed(begun: Double, at now: Double, _ backoff: BackoffPolicy) {
        let next = backoff.seconds(afterFailures: count + 1)
        if begun >= due {
            count += 1
            delay = next
            due = now + delay
        } else {
            // An early attempt, caused by an event. It may have lasted until after the due time.
            if due <= now { due = now + min(next, BackoffPolicy.eventSeconds) }
            delay = due - now
        }
        notBefore = min(due, now + min(next, BackoffPolicy.eventSeconds))
    }
}
