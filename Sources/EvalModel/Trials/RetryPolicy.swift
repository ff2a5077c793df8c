import Base

/// When a trial is retried after an infrastructure failure. Pure: the caller waits.
public struct RetryPolicy: Sendable, Hashable, Codable {
    /// The most tries of a trial, including the first.
    public var maxAttempts: Int
    public var initialDelayMs: Int
    public var maxDelayMs: Int
    public var multiplier: Double

    public init(maxAttempts: Int = 3, initialDelayMs: Int = 1000, maxDelayMs: Int = 30000, multiplier: Double = 2) {
        self.maxAttempts = maxAttempts
        self.initialDelayMs = initialDelayMs
        self.maxDelayMs = maxDelayMs
        self.multiplier = multiplier
    }

    public enum Decision: Sendable, Hashable {
        case retry(afterMs: Int)
        case stop
    }

    /// What to do after a failed try.
    ///
    /// - Parameter tries: the number of tries so far, including the failed one (1 after the first).
    public func decision(afterTries tries: Int, error: TrialErrorType) -> Decision {
        guard error.isRetryable, tries < maxAttempts else { return .stop }
        return .retry(afterMs: delayMs(afterTries: tries))
    }

    /// The delay after this many tries; never above `maxDelayMs`, never negative.
    public func delayMs(afterTries tries: Int) -> Int {
        let policy = BackoffPolicy(initialSeconds: Double(initialDelayMs) / 1000, factor: multiplier, capSeconds: Double(maxDelayMs) / 1000)
        // Whole milliseconds, whatever a division by a thousand and back leaves of them.
        return Int(policy.seconds(afterFailures: tries) * 1000 + 1e-6)
    }
}
