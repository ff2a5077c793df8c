import Base
import EvalModel

/// The `result.json` of a job, with the fields and names of Rollout.
public struct JobResult: Sendable, Hashable {
    public var name: String
    /// Whether the job ended before all trials had their result.
    public var cancelled: Bool
    /// All trials of the job.
    public var total: Int
    /// In the order of the job file.
    public var agents: [String]
    /// The trials that have a record.
    public var trials: [TrialResult]
    public var startedAt: Timestamp
    public var endedAt: Timestamp

    public init(
        name: String, cancelled: Bool, total: Int, agents: [String], trials: [TrialResult], startedAt: Timestamp, endedAt: Timestamp
    ) {
        self.name = name
        self.cancelled = cancelled
        self.total = total
        self.agents = agents
        self.trials = trials
        self.startedAt = startedAt
        self.endedAt = endedAt
    }

    public var json: JSONValue {
        let ran = trials.filter { !$0.isSkipped }.sorted { $0.record.index < $1.record.index }
        var value = Self.figures(ran, total: total)
        value["job_name"] = .string(name)
        value["cancelled"] = .bool(cancelled)
        value["skipped_trials"] = JSONValue(max(0, total - ran.count))
        value["total_duration_sec"] = .double(max(0, endedAt - startedAt))
        value["started_at"] = TrialResult.time(startedAt)
        value["ended_at"] = TrialResult.time(endedAt)
        let byAgent = Dictionary(grouping: ran, by: \.record.agent)
        let share = agents.isEmpty ? 0 : total / agents.count
        value["agents"] = .object(
            Dictionary(agents.map { ($0, Self.figures(byAgent[$0] ?? [], total: share)) }, uniquingKeysWith: { first, _ in first }))
        value["results"] = .array(ran.map(\.summary))
        return value
    }

    /// Rates are over completed trials only, and 0 when there is none, as Rollout has it.
    private static func figures(_ trials: [TrialResult], total: Int) -> JSONValue {
        let rewards = trials.compactMap(\.record.reward)
        let count = Double(max(rewards.count, 1))
        return [
            "total_trials": JSONValue(total), "completed_trials": JSONValue(rewards.count), "failed_trials": JSONValue(trials.count { $0.hasFailed }),
            "pass_rate": .double(Double(rewards.count { $0 == 1 }) / count), "mean_reward": .double(rewards.reduce(0, +) / count),
            "total_cost": .double(trials.reduce(0) { $0 + ($1.record.cost ?? 0) }),
        ]
    }
}
