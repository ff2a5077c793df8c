import Base

/// When an infrastructure failure is tried again. Pure: the caller waits.
public struct RetryPolicy: Sendable, Hashable, Codable {
    /// How often a trial is tried in all, the first time included.
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

    /// What follows the failure of a try.
    ///
    /// - Parameter tries: how many tries were made, the failed one included (1 after the first).
    public func decision(afterTries tries: Int, error: TrialErrorType) -> Decision {
        guard error.isRetryable, tries < maxAttempts else { return .stop }
        return .retry(afterMs: delayMs(afterTries: tries))
    }

    /// The delay before the try that follows this many; never above `maxDelayMs`, never negative.
    public func delayMs(afterTries tries: Int) -> Int {
        let policy = BackoffPolicy(initialSeconds: Double(initialDelayMs) / 1000, factor: multiplier, capSeconds: Double(maxDelayMs) / 1000)
        // Whole milliseconds, whatever a division by a thousand and back leaves of them.
        return Int(policy.seconds(afterFailures: tries) * 1000 + 1e-6)
    }
}
