/// A backoff that counts failures: each `next` is one more failure in a row. The count starts over after a time without failures.
public struct Backoff: Sendable, Equatable {
    public let policy: BackoffPolicy
    /// The count starts over when this long has passed since the end of the last wait.
    public let resetAfterSeconds: Double

    private var failures = 0
    private var lastAt: Double?

    public init(_ policy: BackoffPolicy, resetAfterSeconds: Double = .infinity) {
        self.policy = policy
        self.resetAfterSeconds = resetAfterSeconds
    }

    /// True when the reset time has passed without a failure.
    public func isRested(now: Double) -> Bool {
        guard let lastAt else { return true }
        return now - lastAt > resetAfterSeconds
    }

    /// The seconds to wait now.
    /// - Parameters:
    ///   - now: monotonic seconds.
    ///   - random: 0 to 1; drawn when omitted.
    public mutating func next(now: Double, random: Double = .random(in: 0..<1)) -> Double {
        failures = isRested(now: now) ? 1 : failures + 1
        let delay = policy.seconds(afterFailures: failures, random: random)
        // The reset time begins after the wait.
        lastAt = now + delay
        return delay
    }
}
