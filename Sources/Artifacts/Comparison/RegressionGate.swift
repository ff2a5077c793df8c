import Base

/// Decides whether a job is good enough: its score may be below a baseline's by no more than the allowed amount.
public struct RegressionGate: Sendable, Hashable {
    /// How far the mean score over the compared tasks may fall, in units of the score.
    public var maxRegression: Double
    /// The minimum share of the baseline's scored tasks that the job must have a score for, too. Below it the jobs are not comparable; otherwise
    /// a job that lost its hard tasks would pass.
    public var minCoverage: Double

    public init(maxRegression: Double, minCoverage: Double = 0.5) {
        self.maxRegression = maxRegression
        self.minCoverage = minCoverage
    }

    public enum Verdict: Sendable, Hashable {
        case passed
        /// The mean fell by more than is allowed; the value is how far beyond the allowed amount.
        case regressed(by: Double)
        /// The jobs cannot be compared; the value says why. This is never a pass.
        case notComparable(String)
    }

    /// The share of the (agent, task) pairs scored in the baseline (A) that are scored in the job (B), too.
    public static func coverage(_ comparison: JobComparison) -> Double {
        let lost = comparison.onlyA.count(where: \.isScored)
        let all = comparison.pairs.count + lost
        return all == 0 ? 0 : Double(comparison.pairs.count) / Double(all)
    }

    /// - Parameter comparison: the baseline as A and the job as B.
    public func judge(_ comparison: JobComparison) -> Verdict {
        guard let difference = comparison.total.meanDifference, difference.isFinite else {
            return .notComparable("the jobs have no agent and task in common that both have a score for")
        }
        guard Self.coverage(comparison) >= minCoverage else {
            let lost = comparison.onlyA.count(where: \.isScored)
            return .notComparable(
                "only \(comparison.pairs.count) of \(comparison.pairs.count + lost) scores of the baseline have a counterpart, less than --min-coverage \(minCoverage) asks for"
            )
        }
        return -difference > maxRegression + JobComparison.tolerance ? .regressed(by: -difference) : .passed
    }
}
