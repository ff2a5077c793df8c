import EvalModel

/// Figures over a set of runs.
struct Tally: Sendable {
    private(set) var aggregate = Aggregate()
    /// Completed with a reward other than 1.
    var partial: Int { aggregate.completed - aggregate.passes }
    private(set) var seconds: [Double] = []
    private(set) var newest: RunFacts?

    init() {}
    init(_ runs: some Sequence<RunFacts>) { for run in runs { add(run) } }

    mutating func add(_ run: RunFacts) {
        switch run.outcome {
        case .completed: aggregate.completed += 1
        case .failed: aggregate.failed += 1
        case .infrastructure: aggregate.infrastructure += 1
        case .skipped: aggregate.skipped += 1
        }
        if run.passed { aggregate.passes += 1 }
        if run.outcome == .completed, let reward = run.reward {
            aggregate.rewards += 1
            aggregate.rewardSum += reward
            aggregate.rewardMin = min(aggregate.rewardMin ?? reward, reward)
            aggregate.rewardMax = max(aggregate.rewardMax ?? reward, reward)
        }
        if let cost = run.cost { aggregate.cost = (aggregate.cost ?? 0) + cost }
        if run.counts { seconds.append(run.seconds) }
        if run.ended > newest?.ended ?? run.ended || newest == nil { newest = run }
    }

    var medianSeconds: Double? {
        guard !seconds.isEmpty else { return nil }
        let sorted = seconds.sorted()
        return sorted.count % 2 == 1 ? sorted[sorted.count / 2] : (sorted[sorted.count / 2 - 1] + sorted[sorted.count / 2]) / 2
    }
}
