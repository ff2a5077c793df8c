/// How long to wait before trying again: a delay that grows by a factor with each failure in a row, up to a cap, and is
/// spread at random so that many do not try again together. Pure: the caller counts, and waits.
public struct BackoffPolicy: Sendable, Hashable {
    /// The delay after the first failure.
    public let initialSeconds: Double
    /// What each further failure multiplies the delay by; at least 1.
    public let factor: Double
    /// The delay never grows above this. The jitter comes on top.
    public let capSeconds: Double
    /// The delay is multiplied by a random number from this range: `1...1` for none, `1...1.5` for up to a half more,
    /// `0...1` for anything up to the delay.
    public let jitter: ClosedRange<Double>

    public init(initialSeconds: Double, factor: Double = 2, capSeconds: Double, jitter: ClosedRange<Double> = 1...1) {
        self.initialSeconds = max(0, initialSeconds)
        self.factor = max(1, factor)
        self.capSeconds = max(0, capSeconds)
        self.jitter = jitter
    }

    /// The seconds to wait after a failure, without jitter.
    /// - Parameter count: failures in a row, this one included; less than 1 is taken for 1.
    public func baseSeconds(afterFailures count: Int) -> Double {
        var delay = initialSeconds
        var left = count
        // A loop and not a power, so that a huge count cannot overflow: it ends where the delay stops growing.
        while left > 1, delay < capSeconds, delay * factor > delay {
            delay *= factor
            left -= 1
        }
        return min(delay, capSeconds)
    }

    /// The seconds to wait after a failure.
    /// - Parameters:
    ///   - count: failures in a row, this one included; less than 1 is taken for 1.
    ///   - random: 0 to 1; drawn when omitted.
    public func seconds(afterFailures count: Int, random: Double = .random(in: 0..<1)) -> Double {
        baseSeconds(afterFailures: count) * (jitter.lowerBound + (jitter.upperBound - jitter.lowerBound) * random)
    }
}
