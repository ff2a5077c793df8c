/// How often and how soon a trial is retried after an infrastructure failure.
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
}
