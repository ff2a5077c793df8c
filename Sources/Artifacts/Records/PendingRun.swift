import Base
import EvalModel
import Git

/// A record that is being submitted to the ledger, with everything that its commit contains. Equal values give equal commits.
public struct PendingRun: Sendable, Hashable {
    /// Which record of a run this is. The name of a record includes it, so that records of the same run have different names.
    public enum Slot: Sendable, Hashable {
        /// The record of the run itself, or of a job.
        case final
        /// A try that infrastructure ended, counted from 0. Stored as `retries/<n>`.
        case retry(Int)
    }

    public var id: RunID
    public var slot: Slot
    /// Files that are written unchanged, by their path in the run's folder.
    public var files: [GitPath: [UInt8]]
    /// The outputs as git objects; nil if there are none.
    public var pack: Pack?
    public var message: String
    public var date: Timestamp
    /// The UID of the job that the record belongs to; empty if that does not matter.
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

    /// Unique among pending records. Also used as a file name.
    public var name: String { Self.name(of: id, slot) }

    static func name(of id: RunID, _ slot: Slot) -> String {
        switch slot {
        case .final: id.rawValue
        case .retry(let n): "\(id.rawValue)-retry-\(n)"
        }
    }

    /// The folder of the run that the record with this name belongs to; nil if the name is not valid.
    static func runFolder(ofName name: String) -> String? {
        name.split(separator: "-").first.flatMap { RunID(String($0)) }?.path
    }

    /// The folder of the record with this name, below the ledger's path; nil if the name is not valid.
    static func folder(ofName name: String) -> String? {
        guard let run = runFolder(ofName: name) else { return nil }
        let parts = name.split(separator: "-")
        if parts.count == 1 { return run }
        guard parts.count == 3, parts[1] == "retry", let retry = Int(parts[2]) else { return nil }
        return "\(run)/\(retriesFolder)/\(retry)"
    }

    /// The bytes of memory that the record uses.
    var size: Int { files.values.reduce(0) { $0 + $1.count } + (pack?.bytes.count ?? 0) }

    /// Whether this is the record of a job, the only kind without a summary.
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
    static let buildLogFile = "image-build.log"
    static let retriesFolder = "retries"
    static let servicesFolder = "services"

    /// The bytes of metadata.json.
    var metadata: [UInt8]? { files.first { $0.key.text == Self.metadataFile }?.value }

    /// - Parameters:
    ///   - buildLog: the log of the build of the trial's image.
    ///   - serviceLogs: the logs of its services, by their names.
    /// - Throws: nothing in practice: the names used here are valid, and these types can always be encoded.
    public init(run record: RunRecord, slot: Slot = .final, pack: Pack? = nil, buildLog: String? = nil, serviceLogs: [String: [UInt8]] = [:]) throws {
        let encoder = JSONValueEncoder()
        var files = [
            try GitPath(parsing: Self.metadataFile): Self.lines(try encoder.encode(record)),
            try GitPath(parsing: Self.summaryFile): Self.lines(try encoder.encode(record.summary)),
        ]
        for (name, log) in serviceLogs { files[try GitPath(parsing: "\(Self.servicesFolder)/\(name).log")] = log }
        if let buildLog { files[try GitPath(parsing: Self.buildLogFile)] = Array(buildLog.utf8) }
        self.init(
            id: record.runId, slot: slot, files: files, pack: pack, message: Self.message(record, slot), date: record.timestamp, job: record.jobUid)
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
        let subject =
            switch slot {
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
                ("Assay-Cost", record.cost.map { "\($0)" }), ("Assay-Tokens", record.tokens.map { "\($0.total)" }),
                ("Source-Commit", record.sourceCommit),
            ]
        ).text
    }
}

/// The text of a commit message: a subject and trailers (git-interpret-trailers(1)).
struct CommitMessage {
    var subject: String
    /// A trailer whose value is nil is left out.
    var trailers: [(key: String, value: String?)]

    var text: String {
        let lines = trailers.compactMap { key, value in value.map { "\(key): \(Self.oneLine($0))" } }
        return subject + "\n\n" + lines.joined(separator: "\n") + "\n"
    }

    /// Removes line breaks, because a line break in a value would start another trailer.
    private static func oneLine(_ value: String) -> String {
        String(value.replacingControls.prefix(500))
    }
}
