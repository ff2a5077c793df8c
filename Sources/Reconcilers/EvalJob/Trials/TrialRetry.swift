import Base
import EvalModel

/// When a trial is retried after an infrastructure failure.
extension RetryPolicy {
    enum Decision: Sendable, Hashable {
        case retry(afterMs: Int)
        case stop
    }

    /// What to do after a failed try.
    ///
    /// - Parameter tries: the number of tries so far, including the failed one (1 after the first).
    func decision(afterTries tries: Int, error: TrialErrorType) -> Decision {
        guard error.isRetryable, tries < maxAttempts else { return .stop }
        return .retry(afterMs: delayMs(afterTries: tries))
    }

    /// The delay after this many tries; never above `maxDelayMs`, never negative.
    func delayMs(afterTries tries: Int) -> Int {
        let policy = BackoffPolicy(initialSeconds: Double(initialDelayMs) / 1000, factor: multiplier, capSeconds: Double(maxDelayMs) / 1000)
        // Whole milliseconds: dividing by a thousand and multiplying again may leave a fraction.
        return Int(policy.seconds(afterFailures: tries) * 1000 + 1e-6)
    }
}
