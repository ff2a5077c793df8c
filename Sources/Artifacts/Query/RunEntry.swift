import Base
import EvalModel
import Git

/// A line of a listing: what a commit's message says of a run, a retry or a job; nothing else was read for it.
public struct RunEntry: Sendable, Hashable {
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        case run
        /// A try that infrastructure ended; another one followed.
        case retry
        /// A job's own record.
        case job
    }

    public var kind: Kind
    public var id: RunID
    /// Of a retry, from 0.
    public var retry: Int?
    /// The commit that brought it; nil in a directory.
    public var commit: GitObjectID?
    /// When the run, or the job, ended.
    public var date: Timestamp
    public var dataset: String?
    public var job: String?
    /// The id of the job's own record, which tells jobs of one name apart; nil in commits of older versions.
    public var jobID: RunID?
    public var agent: String?
    public var model: String?
    public var task: String?
    public var attempt: Int?
    /// Of a job: the mean.
    public var reward: Double?
    public var outcome: String?
    public var error: String?
    public var seconds: Double?
    public var sourceCommit: String?
    /// Of a job.
    public var trials: Int?
    public var passRate: Double?
    public var cancelled = false
    /// The folder of the branch below which it lies; nil: the root.
    public var path: String?

    public init(kind: Kind, id: RunID, date: Timestamp) {
        self.kind = kind
        self.id = id
        self.date = date
    }

    /// nil when the commit is not one of ours.
    public init?(_ commit: LoggedCommit) {
        let read = commit.message.withUnsafeBytes { message in
            RunTrailers(message).flatMap { RunEntry($0, date: commit.date) }
        }
        guard var entry = read else { return nil }
        entry.commit = commit.id
        self = entry
    }

    /// nil when the id is none.
    init?(_ trailers: RunTrailers, date: Timestamp) {
        guard let id = RunID(RunTrailers.text(trailers.id)) else { return nil }
        self.init(kind: trailers.kind, id: id, date: date)
        retry = trailers.retry
        dataset = trailers.dataset.map(RunTrailers.text)
        job = trailers.job.map(RunTrailers.text)
        jobID = kind == .job ? id : trailers.jobID.flatMap { RunID(RunTrailers.text($0)) }
        agent = trailers.agent.map(RunTrailers.text)
        model = trailers.model.map(RunTrailers.text)
        task = trailers.task.map(RunTrailers.text)
        attempt = trailers.attempt.flatMap { Int(RunTrailers.text($0)) }
        reward = trailers.reward.flatMap(RunTrailers.number)
        outcome = trailers.outcome.map(RunTrailers.text)
        error = trailers.error.map(RunTrailers.text)
        seconds = trailers.seconds.flatMap(RunTrailers.number)
        sourceCommit = trailers.sourceCommit.map(RunTrailers.text)
        trials = trailers.trials.flatMap { Int(RunTrailers.text($0)) }
        passRate = trailers.passRate.flatMap(RunTrailers.number)
        cancelled = trailers.cancelled.map(RunTrailers.text) == "true"
        path = trailers.path.map(RunTrailers.text)
    }
}

extension RunEntry {
    /// As JSON: fields that have no value are left out.
    public var json: JSONValue {
        var bytes: [UInt8] = []
        appendJSON(to: &bytes)
        return (try? JSONValue(parsing: bytes)) ?? .null
    }

    /// The same as text, in one line, with sorted keys; a hundred thousand of them take no tree of values each.
    public func appendJSON(to bytes: inout [UInt8]) {
        var line = JSONLine()
        line.add("agent", agent)
        line.add("attempt", attempt)
        if kind == .job { line.add("cancelled", cancelled ? "true" : "false", quoted: false) }
        line.add("commit", commit?.hex)
        line.add("dataset", dataset)
        line.add("error", error)
        line.add("jobId", jobID?.rawValue)
        line.add("jobName", job)
        line.add("kind", kind.rawValue)
        line.add("model", model)
        line.add("outcome", outcome)
        line.add("passRate", passRate)
        line.add("path", path)
        line.add("retry", retry)
        line.add("reward", reward)
        line.add("runId", id.rawValue)
        line.add("seconds", seconds)
        line.add("sourceCommit", sourceCommit)
        line.add("task", task)
        line.add("timestamp", date.listed)
        line.add("totalTrials", trials)
        bytes += line.finished()
    }

    /// The columns of a listing as CSV.
    public static let csvColumns = [
        "runId", "kind", "retry", "timestamp", "jobName", "jobId", "agent", "model", "dataset", "task", "attempt", "reward", "outcome", "error", "seconds",
        "sourceCommit", "totalTrials", "passRate", "cancelled", "commit", "path",
    ]

    /// A row with the values of `csvColumns`. Ids, times and numbers are written as they are; the rest comes from outside.
    public func appendCSV(to bytes: inout [UInt8]) {
        var text = id.rawValue + "," + kind.rawValue + ","
        if let retry { text += String(retry) }
        text += "," + date.listed + ","
        Self.add(job, to: &text)
        text += (jobID?.rawValue ?? "") + ","
        for value in [agent, model, dataset, task] { Self.add(value, to: &text) }
        if let attempt { text += String(attempt) }
        text += "," + (reward?.description ?? "") + ","
        for value in [outcome, error] { Self.add(value, to: &text) }
        text += (seconds?.description ?? "") + ","
        Self.add(sourceCommit, to: &text)
        if let trials { text += String(trials) }
        text += "," + (passRate?.description ?? "") + "," + (kind == .job ? "\(cancelled)" : "") + "," + (commit?.hex ?? "") + "," + (path.map(CSVText.field) ?? "") + "\r\n"
        bytes.append(contentsOf: text.utf8)
    }

    private static func add(_ value: String?, to text: inout String) {
        if let value { text += CSVText.field(value) }
        text += ","
    }
}
