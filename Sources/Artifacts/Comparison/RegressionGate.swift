import Base

/// Whether a job is good enough to go on with: no more below a baseline than allowed.
public struct RegressionGate: Sendable, Hashable {
    /// How far the mean score over the compared tasks may fall, in units of the score.
    public var maxRegression: Double
    /// Which share of what the baseline has a score for must have one in the job, too. What is below is not comparable: a job
    /// whose hard tasks were lost would pass.
    public var minCoverage: Double

    public init(maxRegression: Double, minCoverage: Double = 0.5) {
        self.maxRegression = maxRegression
        self.minCoverage = minCoverage
    }

    public enum Verdict: Sendable, Hashable {
        case passed
        /// By how much, more than is allowed.
        case regressed(by: Double)
        /// Why nothing can be said; never a pass.
        case notComparable(String)
    }

    /// The share of agents at tasks that the baseline (A) has a score for and the job (B) has one for, too.
    public static func coverage(_ comparison: JobComparison) -> Double {
        let lost = comparison.onlyA.count(where: \.isScored)
        let all = comparison.pairs.count + lost
        return all == 0 ? 0 : Double(comparison.pairs.count) / Double(all)
    }

    /// - Parameter comparison: of the baseline as A with the job as B.
    public func judge(_ comparison: JobComparison) -> Verdict {
        guard let difference = comparison.total.meanDifference, difference.isFinite else {
            return .notComparable("the jobs have no agent and task in common that both have a score for")
        }
        guard Self.coverage(comparison) >= minCoverage else {
            let lost = comparison.onlyA.count(where: \.isScored)
            return .notComparable(
                "only \(comparison.pairs.count) of \(comparison.pairs.count + lost) scores of the baseline have a counterpart, less than --min-coverage \(minCoverage) asks for")
        }
        return -difference > maxRegression + JobComparison.tolerance ? .regressed(by: -difference) : .passed
    }
}
