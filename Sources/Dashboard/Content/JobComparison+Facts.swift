import Artifacts
import Base

extension JobComparison {
    /// Two jobs by the rules of `assay results compare`; nil where nothing can be held against anything.
    ///
    /// The page's own script does the same for two jobs that a reader chooses; a test holds both to the same figures.
    init?(before: [RunFacts], after: [RunFacts]) {
        guard let comparison = try? JobComparison(JobRuns(before), JobRuns(after)) else { return nil }
        self = comparison
    }
}

extension JobRuns {
    /// Of one job.
    fileprivate init(_ runs: [RunFacts]) {
        self.init(
            id: runs.first?.job, name: runs.first?.jobName ?? "", ended: runs.map(\.ended).max() ?? Timestamp(seconds: 0), runs: runs.map(\.entry))
    }
}

extension RunFacts {
    fileprivate var entry: RunEntry {
        var entry = RunEntry(kind: .run, id: id, date: ended)
        entry.job = jobName
        entry.agent = agent
        entry.model = model
        entry.dataset = dataset
        entry.task = task
        entry.attempt = attempt
        entry.reward = reward
        entry.outcome = outcome.rawValue
        entry.error = error
        return entry
    }
}
