/// How long to wait before trying again: a delay that doubles up to a cap, with jitter, and starts over after a quiet time.
///
/// The default figures are client-go's (`tools/cache/reflector.go`): 800 ms doubling to 30 s, reset after two minutes.
/// The jitter only adds, so that the cap is also the least distance between two attempts of a long outage.
public struct Backoff: Sendable, Equatable {
    public let initialSeconds: Double
    public let capSeconds: Double
    /// The share of the delay that may be added at random.
    public let jitter: Double
    public let resetAfterSeconds: Double

    private var current: Double
    private var lastAt: Double?

    public init(
        initialSeconds: Double = 0.8, capSeconds: Double = 30, jitter: Double = 0.5, resetAfterSeconds: Double = 120
    ) {
        self.initialSeconds = initialSeconds
        self.capSeconds = capSeconds
        self.jitter = jitter
        self.resetAfterSeconds = resetAfterSeconds
        current = initialSeconds
    }

    /// True when nothing has gone wrong for the reset time.
    public func isRested(now: Double) -> Bool {
        guard let lastAt else { return true }
        return now - lastAt > resetAfterSeconds
    }

    /// The seconds to wait now.
    /// - Parameters:
    ///   - now: monotonic seconds.
    ///   - random: 0 to 1.
    public mutating func next(now: Double, random: Double) -> Double {
        if isRested(now: now) { current = initialSeconds }
        let base = current
        current = min(current * 2, capSeconds)
        // What counts is the quiet after the wait, not the wait itself.
        let delay = base * (1 + jitter * random)
        lastAt = now + delay
        return delay
    }
}

/// A small generator whose sequence a seed fixes: pure code stays reproducible in tests.
struct SeededRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    // SplitMix64 (Steele, Lea, Flood 2014).
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
