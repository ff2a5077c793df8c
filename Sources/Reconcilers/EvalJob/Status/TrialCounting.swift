import AssayAPI
import EvalModel

/// A trial whose record is kept and which is to be counted in the status.
public struct RecordedTrial: Sendable, Hashable {
    public var index: Int
    public var agentIndex: Int
    public var outcome: TrialOutcome

    public init(index: Int, agentIndex: Int, outcome: TrialOutcome) {
        self.index = index
        self.agentIndex = agentIndex
        self.outcome = outcome
    }
}

/// Counts trials into a job's status. The index sets make counting idempotent: an index that is in one of them is never added again, so
/// counting the same trials twice gives the same status.
public enum TrialCounting {
    /// The indexes that the status has counted.
    public static func counted(in status: EvalJobStatus?) -> TrialIndexSet {
        let trials = status?.trials
        return [trials?.completedIndexes, trials?.failedIndexes, trials?.skippedIndexes].compactMap { $0 }
            .reduce(TrialIndexSet()) { $0.union($1) }
    }

    /// Counts the trials that are not counted yet, and returns them.
    @discardableResult
    public static func count(
        _ trials: [RecordedTrial], into status: inout EvalJobStatus, agents: [String], total: Int, metrics: [MetricType] = []
    ) -> [RecordedTrial] {
        var counts = status.trials ?? TrialsStatus(total: total)
        counts.total = total
        var completed = counts.completedIndexes ?? TrialIndexSet()
        var failed = counts.failedIndexes ?? TrialIndexSet()
        var skipped = counts.skippedIndexes ?? TrialIndexSet()
        var errors = counts.errors ?? [:]
        var byAgent = aggregates(of: status, agents: agents)

        let new = trials.sorted { $0.index < $1.index }.filter { trial in
            guard !completed.contains(trial.index), !failed.contains(trial.index), !skipped.contains(trial.index),
                byAgent.indices.contains(trial.agentIndex)
            else { return false }
            switch trial.outcome.outcomeClass {
            case .completed: completed.insert(trial.index)
            case .failed, .infrastructure: failed.insert(trial.index)
            case .skipped: skipped.insert(trial.index)
            }
            byAgent[trial.agentIndex].add(trial.outcome)
            if let error = trial.outcome.error?.type, !error.isAdvisory, error != .cancelled { errors[error.rawValue, default: 0] += 1 }
            return true
        }

        let all = byAgent.reduce(into: Aggregate()) { $0.merge($1) }
        counts.completedIndexes = completed.isEmpty ? nil : completed
        counts.failedIndexes = failed.isEmpty ? nil : failed
        counts.skippedIndexes = skipped.isEmpty ? nil : skipped
        counts.completed = all.completed
        counts.agentErrors = all.agentErrors
        counts.failed = all.failed + all.infrastructure
        counts.infrastructure = all.infrastructure
        counts.skipped = all.skipped
        counts.errors = errors.isEmpty ? nil : errors
        counts.progress = "\(all.total)/\(total)"
        status.trials = counts
        status.metrics = MetricsStatus(all, metrics)
        status.agents = zip(agents, byAgent).map { AgentStatus(name: $0, $1, metrics) }
        status.cost = all.cost
        status.tokens = all.tokens
        return new
    }

    /// Counts every trial that never ran as skipped, when a job ends early.
    public static func skipRemaining(in status: inout EvalJobStatus, agents: [String], total: Int, metrics: [MetricType] = []) {
        guard !agents.isEmpty else { return }
        let counted = counted(in: status)
        // The trials of an agent are contiguous, and each agent has the same number.
        let width = max(1, total / agents.count)
        var remaining: [RecordedTrial] = []
        let outcome = TrialOutcome(error: TrialError(.cancelled, "the job ended before the trial began"))
        for index in 0..<total where !counted.contains(index) {
            remaining.append(RecordedTrial(index: index, agentIndex: index / width, outcome: outcome))
        }
        count(remaining, into: &status, agents: agents, total: total, metrics: metrics)
    }

    /// Sets how many trials run and how many wait; counted trials do neither.
    public static func setRunning(_ running: Int, in status: inout EvalJobStatus) {
        guard var trials = status.trials else { return }
        let counted = trials.completed + trials.failed + trials.skipped
        trials.running = min(running, max(0, trials.total - counted))
        trials.pending = max(0, trials.total - counted - trials.running)
        status.trials = trials
    }

    private static func aggregates(of status: EvalJobStatus, agents: [String]) -> [Aggregate] {
        agents.map { name in status.agents?.first { $0.name == name }?.aggregate ?? Aggregate() }
    }
}
