/// Two jobs, paired by task: the mean score of a task's runs in one against the other.
///
/// A task without a verdict in either job is left out. The page's own script does the same for two jobs that a reader
/// chooses; a test holds both to the same figures.
struct JobComparison: Sendable {
    struct Pair: Sendable, Hashable {
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
    let onlyBefore: Int
    let onlyAfter: Int

    /// Differences this small are ties: the sums of a mean may differ in their last bits.
    static let tolerance = 1e-9

    init(before: some Sequence<RunFacts>, after: some Sequence<RunFacts>) {
        let old = Self.means(before)
        let new = Self.means(after)
        pairs = old.compactMap { task, score in new[task].map { Pair(task: task, before: score, after: $0) } }.sorted { $0.task < $1.task }
        wins = pairs.count { $0.difference > Self.tolerance }
        losses = pairs.count { $0.difference < -Self.tolerance }
        ties = pairs.count - wins - losses
        meanDifference = pairs.isEmpty ? nil : pairs.reduce(0) { $0 + $1.difference } / Double(pairs.count)
        onlyBefore = old.count - pairs.count
        onlyAfter = new.count - pairs.count
    }

    private static func means(_ runs: some Sequence<RunFacts>) -> [TaskKey: Double] {
        var sums: [TaskKey: (sum: Double, count: Double)] = [:]
        for run in runs {
            guard let score = run.score else { continue }
            let old = sums[run.taskKey] ?? (0, 0)
            sums[run.taskKey] = (old.sum + score, old.count + 1)
        }
        return sums.mapValues { $0.sum / $0.count }
    }
}
