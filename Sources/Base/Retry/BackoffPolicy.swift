/// The delay before a new attempt. It grows by a factor with each failure in a row, up to a cap. A random jitter keeps many
/// clients from retrying at the same time. Pure: the caller counts the failures and waits.
public struct BackoffPolicy: Sendable, Hashable {
    /// The delay after the first failure.
    public let initialSeconds: Double
    /// The delay is multiplied by this for each further failure; at least 1.
    public let factor: Double
    /// The largest delay, before jitter.
    public let capSeconds: Double
    /// The delay is multiplied by a random number from this range: `1...1` for no jitter, `1...1.5` for up to half more, `0...1`
    /// for anything up to the delay.
    public let jitter: ClosedRange<Double>

    public init(initialSeconds: Double, factor: Double = 2, capSeconds: Double, jitter: ClosedRange<Double> = 1...1) {
        self.initialSeconds = max(0, initialSeconds)
        self.factor = max(1, factor)
        self.capSeconds = max(0, capSeconds)
        self.jitter = jitter
    }

    /// The seconds to wait after a failure, without jitter.
    /// - Parameter count: failures in a row, including this one; values below 1 count as 1.
    public func baseSeconds(afterFailures count: Int) -> Double {
        var delay = initialSeconds
        var left = count
        // A loop instead of a power, so that a huge count cannot overflow. It ends when the delay stops growing.
        while left > 1, delay < capSeconds, delay * factor > delay {
            delay *= factor
            left -= 1
        }
        return min(delay, capSeconds)
    }

    /// The seconds to wait after a failure.
    /// - Parameters:
    ///   - count: failures in a row, including this one; values below 1 count as 1.
    ///   - random: 0 to 1; drawn when omitted.
    public func seconds(afterFailures count: Int, random: Double = .random(in: 0..<1)) -> Double {
        baseSeconds(afterFailures: count) * (jitter.lowerBound + (jitter.upperBound - jitter.lowerBound) * random)
    }
}
