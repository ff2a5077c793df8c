import Artifacts
import Base
import EvalModel

/// The `result.json` of a trial, with the fields and names of Rollout.
public struct TrialResult: Sendable, Hashable {
    public let record: RunRecord
    /// The commit of the task's own repository; nil when it is in none.
    public let commit: String?

    public init(_ record: RunRecord, commit: String?) {
        self.record = record
        self.commit = commit
    }

    /// A trial without a reward has none because of this error.
    var error: TrialError? { record.error }
    var isSkipped: Bool { record.outcome == .skipped }
    /// A reward was produced.
    var isCompleted: Bool { record.reward != nil }
    /// An error kept the verifier from producing a reward.
    var hasFailed: Bool { !isSkipped && !isCompleted && error != nil }

    public var json: JSONValue {
        let timings = record.timings
        let start = record.startedAt ?? timings.startedAt ?? record.timestamp
        // A pod's times have whole seconds: its end may seem to come before that of its last phase.
        let end = max(record.timestamp, timings.verify?.endedAt ?? record.timestamp)
        let setupEnd = timings.setup?.endedAt ?? timings.install?.startedAt ?? timings.execute?.startedAt
        var durations: JSONValue = .object([:])
        durations["total_sec"] = .double(max(0, end - start))
        durations["environment_setup_sec"] = setupEnd.map { .double(max(0, $0 - start)) } ?? .null
        durations["agent_setup_sec"] = Self.seconds(timings.install)
        durations["agent_execution_sec"] = Self.seconds(timings.execute)
        durations["verifier_sec"] = Self.seconds(timings.verify)
        var timestamps: JSONValue = .object([:])
        timestamps["started_at"] = Self.time(start)
        timestamps["environment_setup_started_at"] = Self.time(start)
        timestamps["environment_setup_ended_at"] = Self.time(setupEnd)
        for (name, span) in [("agent_setup", timings.install), ("agent_execution", timings.execute), ("verifier", timings.verify)] {
            timestamps["\(name)_started_at"] = Self.time(span?.startedAt)
            timestamps["\(name)_ended_at"] = Self.time(span?.endedAt)
        }
        timestamps["ended_at"] = Self.time(end)
        return [
            "task_name": .string(record.task), "dataset_name": .string(record.dataset), "agent_name": .string(record.agent),
            "attempt": JSONValue(record.attempt), "task_git_commit_id": commit.map { .string($0) } ?? .null,
            "reward": record.reward.map { .double($0) } ?? .null, "cost": .double(record.cost ?? 0),
            "error": error.map { ["type": .string($0.type.rawValue), "message": .string($0.message)] } ?? .null, "durations": durations,
            "timestamps": timestamps,
        ]
    }

    /// The trial's line in the job's result.
    var summary: JSONValue {
        [
            "task_name": .string(record.task), "dataset_name": .string(record.dataset), "agent_name": .string(record.agent),
            "attempt": JSONValue(record.attempt), "reward": record.reward.map { .double($0) } ?? .null,
        ]
    }

    static func time(_ moment: Timestamp?) -> JSONValue { moment.map { .string($0.rfc3339Millis) } ?? .null }
    private static func seconds(_ span: PhaseSpan?) -> JSONValue { span.map { .double($0.seconds) } ?? .null }
}
