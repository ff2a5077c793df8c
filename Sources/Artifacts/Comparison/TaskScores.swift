import EvalModel

/// How a run is turned into a score for a comparison.
public enum ScoreMetric: String, Sendable, Hashable, CaseIterable {
    /// The reward.
    case reward
    /// 1 for a pass, else 0. The mean of these is the pass rate.
    case pass

    /// nil when the run says nothing about the agent: infrastructure ended it, it was skipped, or (for `reward`) it completed
    /// with verification switched off. A run that failed because of the agent or the verifier scores 0, so that giving up does not
    /// raise the mean (as in `passRate`, docs/results.md).
    func score(_ run: RunEntry) -> Double? {
        switch run.outcome.flatMap(TrialOutcome.Class.init) {
        case .completed: self == .pass ? (run.isPass ? 1 : 0) : run.reward.flatMap { $0.isFinite ? $0 : nil }
        case .failed: 0
        case .infrastructure, .skipped, nil: nil
        }
    }
}

/// The attempts of one agent on one task.
struct TaskScore: Sendable, Hashable {
    struct Key: Sendable, Hashable, Comparable {
        var agent: String
        var dataset: String
        var task: String

        static func < (a: Key, b: Key) -> Bool { (a.agent, a.dataset, a.task) < (b.agent, b.dataset, b.task) }
    }

    var sum = 0.0
    /// The number of attempts that have a score.
    var scored = 0
    var unscored = 0

    /// nil when no attempt has a score.
    var mean: Double? { scored > 0 ? sum / Double(scored) : nil }

    static func table(_ runs: [RunEntry], metric: ScoreMetric) -> [Key: TaskScore] {
        var table: [Key: TaskScore] = [:]
        for run in runs {
            let key = Key(agent: run.agent ?? "", dataset: run.dataset ?? "", task: run.task ?? "")
            if let score = metric.score(run) {
                table[key, default: TaskScore()].sum += score
                table[key, default: TaskScore()].scored += 1
            } else {
                table[key, default: TaskScore()].unscored += 1
            }
        }
        return table
    }
}
