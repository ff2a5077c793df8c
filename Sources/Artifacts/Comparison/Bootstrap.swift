import Base
/// A confidence interval of a mean by resampling (Efron and Tibshirani, "An Introduction to the Bootstrap", section 13.3: the
/// percentile interval). It resamples clusters: all scores of one task are drawn together.
///
/// The generator is seeded, so the same clusters in the same order always give the same interval.
public struct Bootstrap: Sendable, Hashable {
    /// The scores of one task.
    public struct Cluster: Sendable, Hashable {
        public var sum: Double
        public var count: Int
        public init(sum: Double, count: Int) {
            self.sum = sum
            self.count = count
        }
    }

    public struct Interval: Sendable, Hashable {
        public var low: Double
        public var high: Double
        /// A share, for example 0.95.
        public var confidence: Double
        public var resamples: Int
    }

    public static let seed: UInt64 = 0x6173_7361_792D_3031
    public var confidence: Double

    public init(confidence: Double = 0.95) { self.confidence = confidence }

    /// 10,000 resamples. With very many tasks fewer, but at least 1,000, because 10,000 would then take seconds.
    public static func resamples(for clusters: Int) -> Int { max(1000, min(10_000, 2_000_000 / max(1, clusters))) }

    /// nil for fewer than two clusters, because an interval cannot be estimated from one.
    public func interval(_ clusters: [Cluster]) -> Interval? {
        guard clusters.count > 1 else { return nil }
        let resamples = Self.resamples(for: clusters.count)
        var generator = SeededRandom(seed: Self.seed)
        var means: [Double] = []
        means.reserveCapacity(resamples)
        let bound = UInt64(clusters.count)
        for _ in 0..<resamples {
            var sum = 0.0
            var count = 0
            for _ in 0..<clusters.count {
                let drawn = clusters[Int(truncatingIfNeeded: generator.next().multipliedFullWidth(by: bound).high)]
                sum += drawn.sum
                count += drawn.count
            }
            if count > 0 { means.append(sum / Double(count)) }
        }
        means.sort()
        let tail = (1 - confidence) / 2
        return Interval(low: Self.quantile(means, tail), high: Self.quantile(means, 1 - tail), confidence: confidence, resamples: resamples)
    }

    /// Interpolates linearly between the two nearest values.
    static func quantile(_ sorted: [Double], _ share: Double) -> Double {
        guard let last = sorted.last else { return .nan }
        let place = share * Double(sorted.count - 1)
        let below = max(0, min(sorted.count - 1, Int(place.rounded(.down))))
        guard below + 1 < sorted.count else { return last }
        return sorted[below] + (sorted[below + 1] - sorted[below]) * (place - Double(below))
    }
}
