import Artifacts
import Base

extension JobComparison {
    /// Compares two jobs with the rules of `assay results compare`; nil when they have nothing in common.
    ///
    /// The page's script does the same for two jobs that a reader chooses. A test checks that both give the same figures.
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
