import Base
import EvalModel
import Git

/// One line of a listing. Everything in it comes from the commit message of a run, a retry or a job; no file is read for it.
public struct RunEntry: Sendable, Hashable {
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        case run
        /// A try that infrastructure ended and that was followed by another try.
        case retry
        /// The record of a job.
        case job
    }

    public var kind: Kind
    public var id: RunID
    /// The number of the retry, from 0; only for a retry.
    public var retry: Int?
    /// The commit that added the record; nil in a directory.
    public var commit: GitObjectID?
    /// When the run, or the job, ended.
    public var date: Timestamp
    public var dataset: String?
    public var job: String?
    /// The id of the job's own record, which distinguishes jobs with the same name; nil in commits of older versions.
    public var jobID: RunID?
    public var agent: String?
    public var model: String?
    public var task: String?
    public var attempt: Int?
    /// For a job: the mean reward.
    public var reward: Double?
    public var outcome: String?
    public var error: String?
    public var seconds: Double?
    public var sourceCommit: String?
    /// For a job only.
    public var trials: Int?
    public var passRate: Double?
    public var cancelled = false
    /// The folder of the branch that contains the record; nil means the root.
    public var path: String?

    public init(kind: Kind, id: RunID, date: Timestamp) {
        self.kind = kind
        self.id = id
        self.date = date
    }

    /// nil when the commit was not written by Assay for a record.
    public init?(_ commit: LoggedCommit) {
        let read = commit.message.withUnsafeBytes { message in
            RunTrailers(message).flatMap { RunEntry($0, date: commit.date) }
        }
        guard var entry = read else { return nil }
        entry.commit = commit.id
        self = entry
    }

    /// nil when the id is not valid.
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
    /// The entry as JSON. Fields without a value are left out.
    public var json: JSONValue {
        var bytes: [UInt8] = []
        appendJSON(to: &bytes)
        return (try? JSONValue(parsing: bytes)) ?? .null
    }

    /// Appends the same JSON as text, on one line and with sorted keys. It builds no tree of values, which is faster for many entries.
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
        "runId", "kind", "retry", "timestamp", "jobName", "jobId", "agent", "model", "dataset", "task", "attempt", "reward", "outcome", "error",
        "seconds",
        "sourceCommit", "totalTrials", "passRate", "cancelled", "commit", "path",
    ]

    /// Appends a row with the values of `csvColumns`. Ids, times and numbers need no escaping; the other values are untrusted and are escaped.
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
        text +=
            "," + (passRate?.description ?? "") + "," + (kind == .job ? "\(cancelled)" : "") + "," + (commit?.hex ?? "") + ","
            + (path.map(CSVText.field) ?? "") + "\r\n"
        bytes.append(contentsOf: text.utf8)
    }

    private static func add(_ value: String?, to text: inout String) {
        if let value { text += CSVText.field(value) }
        text += ","
    }
}
