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
        let limit = Double(max(0, maxDelayMs))
        var delay = Double(max(0, initialDelayMs))
        let factor = max(1, multiplier)
        var left = tries
        // A loop instead of a power, so that a huge count cannot overflow: it stops when the delay stops growing.
        while left > 1, delay < limit, delay * factor > delay {
            delay *= factor
            left -= 1
        }
        return Int(min(delay, limit))
    }
}
