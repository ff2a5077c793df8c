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

    public init(kind: Kind, id: RunID, date: Timestamp) {
        self.kind = kind
        self.id = id
        self.date = date
    }

    /// nil when the commit is not one of ours.
    public init?(_ commit: LoggedCommit) {
        let message = commit.message
        let end = message.firstIndex(of: 10) ?? message.endIndex
        let words = String(decoding: message[..<end], as: UTF8.self).split(separator: " ")
        guard words.count >= 2, let id = RunID(String(words[1])) else { return nil }
        switch (words[0], words.count) {
        case ("Run:", 2): self.init(kind: .run, id: id, date: commit.date)
        case ("Job:", 2): self.init(kind: .job, id: id, date: commit.date)
        case ("Retry:", 3):
            guard let number = Int(words[2]), number >= 0 else { return nil }
            self.init(kind: .retry, id: id, date: commit.date)
            retry = number
        default: return nil
        }
        self.commit = commit.id
        for line in Self.lastParagraph(message).split(separator: 10) {
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")), line.index(after: colon) < line.endIndex else { continue }
            take(String(decoding: line[..<colon], as: UTF8.self), line[line.index(after: colon)...].drop { $0 == 0x20 })
        }
    }

    private mutating func take(_ key: String, _ bytes: ArraySlice<UInt8>) {
        var value: String { String(decoding: bytes, as: UTF8.self) }
        switch key {
        case "Assay-Eval": dataset = value
        case "Assay-Job": job = value
        case "Assay-Agent": agent = value
        case "Assay-Model": model = value
        case "Assay-Task": task = value
        case "Assay-Attempt": attempt = Int(value)
        case "Assay-Reward": reward = Double(value)
        case "Assay-Outcome": outcome = value
        case "Assay-Error": error = value
        case "Assay-Seconds": seconds = Double(value)
        case "Source-Commit": sourceCommit = value
        case "Assay-Trials": trials = Int(value)
        case "Assay-Pass-Rate": passRate = Double(value)
        case "Assay-Cancelled": cancelled = value == "true"
        default: break
        }
    }

    /// Where trailers are (git-interpret-trailers(1)).
    private static func lastParagraph(_ message: [UInt8]) -> ArraySlice<UInt8> {
        var bytes = message[...]
        while bytes.last == 10 { bytes.removeLast() }
        var start = bytes.endIndex
        while start > bytes.startIndex + 1 {
            if bytes[start - 1] == 10, bytes[start - 2] == 10 { return bytes[start...] }
            start -= 1
        }
        return []
    }

    /// As JSON: fields that have no value are left out.
    public var json: JSONValue {
        var object: [String: JSONValue] = ["kind": .string(kind.rawValue), "runId": .string(id.rawValue), "timestamp": .string(date.rfc3339)]
        object["retry"] = retry.map { JSONValue($0) }
        object["commit"] = commit.map { .string($0.hex) }
        let texts = [
            "dataset": dataset, "jobName": job, "agent": agent, "model": model, "task": task, "outcome": outcome, "error": error,
            "sourceCommit": sourceCommit,
        ]
        for (key, value) in texts { if let value { object[key] = .string(value) } }
        let numbers = ["reward": reward, "seconds": seconds, "passRate": passRate]
        for (key, value) in numbers { if let value, value.isFinite { object[key] = .double(value) } }
        object["attempt"] = attempt.map { JSONValue($0) }
        object["totalTrials"] = trials.map { JSONValue($0) }
        if kind == .job { object["cancelled"] = .bool(cancelled) }
        return .object(object)
    }
}

/// Which entries a listing shows; nil takes any.
public struct RunFilter: Sendable, Hashable {
    public var kinds: Set<RunEntry.Kind> = [.run]
    public var job: String?
    public var agent: String?
    public var model: String?
    public var task: String?
    /// The first digits of the id.
    public var idPrefix: String?

    public init() {}

    public func accepts(_ entry: RunEntry) -> Bool {
        kinds.contains(entry.kind) && (job == nil || job == entry.job) && (agent == nil || agent == entry.agent)
            && (model == nil || model == entry.model) && (task == nil || task == entry.task)
            && (idPrefix.map { entry.id.rawValue.hasPrefix($0) } ?? true)
    }
}
