/// Two jobs, paired by agent and task: the mean score of an agent's runs of a task in one against the other.
///
/// The rules are those of `assay results compare`: a failed run scores 0, what says nothing about the agent is left out, and
/// so is what only one of the jobs has a score for. Agents are paired by name; where each side has a single one, these two.
/// The page's own script does the same for two jobs that a reader chooses; a test holds both to the same figures.
struct JobComparison: Sendable {
    struct Key: Sendable, Hashable {
        var agent: String
        var task: TaskKey
    }

    struct Pair: Sendable, Hashable {
        /// Of the later job.
        var agent: String
        var task: TaskKey
        var before: Double
        var after: Double
        var difference: Double { after - before }
    }

    let pairs: [Pair]
    let wins: Int
    let losses: Int
    let ties: Int
    /// Over the pairs; nil without any.
    let meanDifference: Double?

    /// Differences this small are ties: the sums of a mean may differ in their last bits.
    static let tolerance = 1e-9

    init(before: [RunFacts], after: [RunFacts]) {
        let old = Self.means(before)
        let new = Self.means(after)
        let oldAgents = Set(before.map(\.agent)), newAgents = Set(after.map(\.agent))
        let counterpart = oldAgents.count == 1 && newAgents.count == 1 ? newAgents.first : nil
        pairs = old.compactMap { key, score in
            let other = Key(agent: counterpart ?? key.agent, task: key.task)
            return new[other].map { Pair(agent: other.agent, task: key.task, before: score, after: $0) }
        }.sorted { ($0.agent, $0.task) < ($1.agent, $1.task) }
        wins = pairs.count { $0.difference > Self.tolerance }
        losses = pairs.count { $0.difference < -Self.tolerance }
        ties = pairs.count - wins - losses
        meanDifference = pairs.isEmpty ? nil : pairs.reduce(0) { $0 + $1.difference } / Double(pairs.count)
    }

    private static func means(_ runs: [RunFacts]) -> [Key: Double] {
        var sums: [Key: (sum: Double, count: Double)] = [:]
        for run in runs {
            guard let score = run.score, score.isFinite else { continue }
            let key = Key(agent: run.agent, task: run.taskKey)
            let old = sums[key] ?? (0, 0)
            sums[key] = (old.sum + score, old.count + 1)
        }
        return sums.mapValues { $0.sum / $0.count }
    }
}
