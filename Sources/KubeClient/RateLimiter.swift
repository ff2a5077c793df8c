/// A token bucket. When it is empty, each caller gets the time of its token, in order.
struct TokenBucket: Sendable {
    private let perSecond: Double
    private let burst: Double
    private var level: Double
    private var at: Double?

    init(_ limit: KubeConfig.RateLimit) {
        perSecond = max(limit.perSecond, 0.001)
        burst = Double(max(limit.burst, 1))
        level = burst
    }

    /// Takes a token and returns the seconds to wait before using it.
    mutating func take(now: Double) -> Double {
        if let at { level = min(burst, level + max(0, now - at) * perSecond) }
        at = now
        level -= 1
        return level >= 0 ? 0 : -level / perSecond
    }
}
