/// A way to combine rewards into one figure.
public enum MetricType: String, Sendable, Hashable, Codable, CaseIterable {
    case mean
    case min
    case max
    case sum
}

/// The running totals of a set of trials: of a job, or of one agent in it.
///
/// The caller adds each trial exactly once. The totals keep no list of trials, so the status stays small.
public struct Aggregate: Sendable, Hashable, Codable {
    /// Trials that ended with a verdict, possibly with an error that does not change it.
    public var completed = 0
    /// Those of `completed` whose agent failed or timed out; their reward counts.
    public var agentErrors = 0
    /// Trials that ended with an error of the agent or the verifier.
    public var failed = 0
    /// Trials that ended with an error that is not the agent's fault.
    public var infrastructure = 0
    /// Trials that were cancelled or never ran.
    public var skipped = 0
    public var passes = 0
    /// The number of rewards in the figures below.
    public var rewards = 0
    public var rewardSum = 0.0
    public var rewardMin: Double?
    public var rewardMax: Double?
    /// The sum of the known costs; nil while none is known.
    public var cost: Double?
    /// The sum of the known tokens; nil while none are known.
    public var tokens: TokenUsage?

    public init() {}

    /// The number of trials added.
    public var total: Int { completed + failed + infrastructure + skipped }

    /// The share of passes among the trials that count for the agent; nil while there are none.
    ///
    /// passes / (total - infrastructure - skipped). A timeout of the agent counts as a trial without a pass.
    public var passRate: Double? {
        let counted = total - infrastructure - skipped
        return counted > 0 ? Double(passes) / Double(counted) : nil
    }

    /// The mean of all rewards; nil while there are none.
    public var meanReward: Double? { rewards > 0 ? rewardSum / Double(rewards) : nil }

    /// A metric over all rewards; nil while there are none.
    public func metric(_ type: MetricType) -> Double? {
        guard rewards > 0 else { return nil }
        return switch type {
        case .mean: meanReward
        case .min: rewardMin
        case .max: rewardMax
        case .sum: rewardSum
        }
    }

    /// Metrics over the rewards that were produced, by type; nil when none is wanted or there is no reward.
    public func values(of types: [MetricType]) -> [String: Double]? {
        let values = types.reduce(into: [String: Double]()) { $0[$1.rawValue] = metric($1) }
        return values.isEmpty ? nil : values
    }

    /// Adds one trial.
    public mutating func add(_ outcome: TrialOutcome) {
        switch outcome.outcomeClass {
        case .completed:
            completed += 1
            if let reward = outcome.reward { add(reward: reward.value) }
            if outcome.isPass { passes += 1 }
            if outcome.hasAgentErrorBesideReward { agentErrors += 1 }
        case .failed: failed += 1
        case .infrastructure: infrastructure += 1
        case .skipped: skipped += 1
        }
        if let more = outcome.cost { cost = (cost ?? 0) + more }
        if let more = outcome.tokens { tokens = (tokens ?? TokenUsage()) + more }
    }

    private mutating func add(reward: Double) {
        rewards += 1
        rewardSum += reward
        rewardMin = Swift.min(rewardMin ?? reward, reward)
        rewardMax = Swift.max(rewardMax ?? reward, reward)
    }

    /// Adds the totals of another set of trials. The sets must not share a trial.
    public mutating func merge(_ other: Aggregate) {
        completed += other.completed
        agentErrors += other.agentErrors
        failed += other.failed
        infrastructure += other.infrastructure
        skipped += other.skipped
        passes += other.passes
        rewards += other.rewards
        rewardSum += other.rewardSum
        if let low = other.rewardMin { rewardMin = Swift.min(rewardMin ?? low, low) }
        if let high = other.rewardMax { rewardMax = Swift.max(rewardMax ?? high, high) }
        if let more = other.cost { cost = (cost ?? 0) + more }
        if let more = other.tokens { tokens = (tokens ?? TokenUsage()) + more }
    }
}
