import Base
import EvalModel
import Git

/// A record on its way into the ledger: everything that its commit is made of. The same value gives the same commit.
public struct PendingRun: Sendable, Hashable {
    /// What the record stands for. The name tells it apart from the others of the same run.
    public enum Slot: Sendable, Hashable {
        /// The run itself, or a job's own record.
        case final
        /// A try that infrastructure ended, counted from 0; kept as `retries/<n>`.
        case retry(Int)
    }

    public var id: RunID
    public var slot: Slot
    /// Files written as they are, by path within the run's folder.
    public var files: [GitPath: [UInt8]]
    /// The outputs as git objects; nil when there are none.
    public var pack: Pack?
    public var message: String
    public var date: Timestamp
    /// The UID of the job that it is of; empty when that does not matter.
    public var job: String

    public struct Pack: Sendable, Hashable {
        public var bytes: [UInt8]
        public var tree: GitObjectID
        public init(bytes: [UInt8], tree: GitObjectID) {
            self.bytes = bytes
            self.tree = tree
        }
    }

    public init(id: RunID, slot: Slot, files: [GitPath: [UInt8]], pack: Pack?, message: String, date: Timestamp, job: String = "") {
        self.id = id
        self.slot = slot
        self.files = files
        self.pack = pack
        self.message = message
        self.date = date
        self.job = job
    }

    /// Unique among pending records; also a file name.
    public var name: String { Self.name(of: id, slot) }

    static func name(of id: RunID, _ slot: Slot) -> String {
        switch slot {
        case .final: id.rawValue
        case .retry(let n): "\(id.rawValue)-retry-\(n)"
        }
    }

    /// The folder of the run that a record of that name is of; nil when it is no such name.
    static func runFolder(ofName name: String) -> String? {
        name.split(separator: "-").first.flatMap { RunID(String($0)) }?.path
    }

    /// The folder of the record of that name, below the ledger's path; nil when it is no such name.
    static func folder(ofName name: String) -> String? {
        guard let run = runFolder(ofName: name) else { return nil }
        let parts = name.split(separator: "-")
        if parts.count == 1 { return run }
        guard parts.count == 3, parts[1] == "retry", let retry = Int(parts[2]) else { return nil }
        return "\(run)/\(retriesFolder)/\(retry)"
    }

    /// Bytes that it holds in memory.
    var size: Int { files.values.reduce(0) { $0 + $1.count } + (pack?.bytes.count ?? 0) }

    /// A job's own record: the only one without a summary.
    var isJob: Bool { slot == .final && !files.keys.contains { $0.text == Self.summaryFile } }

    /// The folder below the ledger's path.
    var folder: String {
        switch slot {
        case .final: id.path
        case .retry(let n): "\(id.path)/retries/\(n)"
        }
    }
}

extension PendingRun {
    static let metadataFile = "metadata.json"
    static let summaryFile = "summary.json"
    static let transcriptFile = "transcript.jsonl"
    static let retriesFolder = "retries"

    /// The bytes of the metadata.json.
    var metadata: [UInt8]? { files.first { $0.key.text == Self.metadataFile }?.value }

    /// - Throws: `.invalidInput` never for the names used here; encoding errors do not happen for these types.
    public init(run record: RunRecord, slot: Slot = .final, pack: Pack? = nil) throws {
        let encoder = JSONValueEncoder()
        self.init(
            id: record.runId, slot: slot,
            files: [
                try GitPath(parsing: Self.metadataFile): Self.lines(try encoder.encode(record)),
                try GitPath(parsing: Self.summaryFile): Self.lines(try encoder.encode(record.summary)),
            ], pack: pack, message: Self.message(record, slot), date: record.timestamp, job: record.jobUid)
    }

    public init(job record: JobRecord) throws {
        let message = CommitMessage(
            subject: "Job: \(record.runId)",
            trailers: [
                ("Assay-Job", record.jobName), ("Assay-Trials", "\(record.totalTrials)"),
                ("Assay-Pass-Rate", record.totals.passRate.map { "\($0)" }), ("Assay-Reward", record.totals.meanReward.map { "\($0)" }),
                ("Assay-Cancelled", record.cancelled ? "true" : nil), ("Assay-Cost", record.totals.cost.map { "\($0)" }),
                ("Assay-Tokens", record.totals.tokens.map { "\($0.total)" }), ("Source-Commit", record.sourceCommit),
            ])
        self.init(
            id: record.runId, slot: .final, files: [try GitPath(parsing: Self.metadataFile): Self.lines(try JSONValueEncoder().encode(record))],
            pack: nil, message: message.text, date: record.timestamp, job: record.jobUid)
    }

    private static func lines(_ value: JSONValue) -> [UInt8] { value.serialized(pretty: true) + [0x0A] }

    private static func message(_ record: RunRecord, _ slot: Slot) -> String {
        let subject = switch slot {
        case .final: "Run: \(record.runId)"
        case .retry(let n): "Retry: \(record.runId) \(n)"
        }
        return CommitMessage(
            subject: subject,
            trailers: [
                ("Assay-Eval", record.dataset), ("Assay-Job", record.jobName), ("Assay-Job-Id", RunID(jobUID: record.jobUid).rawValue),
                ("Assay-Agent", record.agent), ("Assay-Model", record.model),
                ("Assay-Task", record.task), ("Assay-Attempt", "\(record.attempt)"), ("Assay-Reward", record.reward.map { "\($0)" }),
                ("Assay-Outcome", record.outcome.rawValue), ("Assay-Error", record.error?.type.rawValue),
                ("Assay-Steps", record.steps.map { $0.map(\.name).joined(separator: ", ") }),
                ("Assay-Seconds", "\((record.timings.totalSeconds * 1000).rounded() / 1000)"),
                ("Assay-Cost", record.cost.map { "\($0)" }), ("Assay-Tokens", record.tokens.map { "\($0.total)" }), ("Source-Commit", record.sourceCommit),
            ]
        ).text
    }
}

/// A subject and trailers (git-interpret-trailers(1)).
struct CommitMessage {
    var subject: String
    /// A nil value leaves the trailer out.
    var trailers: [(key: String, value: String?)]

    var text: String {
        let lines = trailers.compactMap { key, value in value.map { "\(key): \(Self.oneLine($0))" } }
        return subject + "\n\n" + lines.joined(separator: "\n") + "\n"
    }

    /// A line break in a value would begin another trailer.
    private static func oneLine(_ value: String) -> String {
        String(value.replacingControls.prefix(500))
    }
}
