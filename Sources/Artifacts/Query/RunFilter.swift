import Base
import EvalModel
import Glibc

/// Which entries a listing shows. A nil field accepts every entry.
public struct RunFilter: Sendable, Hashable {
    public var kinds: Set<RunEntry.Kind> = [.run]
    /// Jobs by name, UID or the id of their record. An entry of any of them is accepted; an empty set accepts every job.
    public var jobs: Set<String> = []
    public var agent: String?
    public var model: String?
    public var task: String?
    /// An entry with any of these statuses is accepted.
    public var statuses: Set<RunStatus> = []
    /// Accepts only entries that ended at this time or later.
    public var since: Timestamp?
    /// The first digits of the id.
    public var idPrefix: String?

    public init() {}

    /// `jobs` for a single job.
    public var job: String? {
        get { jobs.count == 1 ? jobs.first : nil }
        set { jobs = newValue.map { [$0] } ?? [] }
    }

    public func accepts(_ entry: RunEntry) -> Bool {
        kinds.contains(entry.kind) && (since.map { entry.date >= $0 } ?? true) && (agent == nil || agent == entry.agent)
            && (model == nil || model == entry.model) && (task == nil || task == entry.task)
            && (statuses.isEmpty || statuses.contains { $0.fits(entry) })
            && (jobs.isEmpty || jobs.contains { $0 == entry.job || (entry.jobID.map(JobName.ids($0).contains) ?? false) })
            && (idPrefix.map { entry.id.rawValue.hasPrefix($0) } ?? true)
    }
}

/// A status to filter by: a class of outcomes, a type of error, or `passed`.
public struct RunStatus: Sendable, Hashable {
    public let rawValue: String

    /// nil when the word is not a status.
    public init?(_ text: String) {
        guard Self.all.contains(text) else { return nil }
        rawValue = text
    }

    public static let all: [String] = ["passed"] + TrialOutcome.Class.allCases.map(\.rawValue) + TrialErrorType.allCases.map(\.rawValue)

    func fits(_ entry: RunEntry) -> Bool {
        guard entry.kind != .job else { return rawValue == "cancelled" && entry.cancelled }
        return rawValue == entry.outcome || rawValue == entry.error || (rawValue == "passed" && entry.isPass)
    }
}

extension RunEntry {
    /// Whether the run counts as a pass (TrialOutcome.isPass).
    public var isPass: Bool { kind == .run && outcome == TrialOutcome.Class.completed.rawValue && reward == 1 }
}

/// Interprets the text by which a user names a job.
enum JobName {
    /// The ids that the text may mean: the text itself as the id of a record, or the id of the job with this UID.
    static func ids(_ text: String) -> [RunID] { (RunID(text).map { [$0] } ?? []) + [RunID(jobUID: text)] }
}

/// A filter on raw bytes. It rejects most commits of a long history before anything is parsed.
struct TrailerFilter: Sendable {
    private let filter: RunFilter
    private let jobNames: [[UInt8]]
    private let jobIDs: [[UInt8]]
    private let agent: [UInt8]?
    private let model: [UInt8]?
    private let task: [UInt8]?
    private let idPrefix: [UInt8]?

    init(_ filter: RunFilter) {
        self.filter = filter
        jobNames = filter.jobs.map { Array($0.utf8) }
        jobIDs = filter.jobs.flatMap { JobName.ids($0).map { Array($0.rawValue.utf8) } }
        agent = filter.agent.map { Array($0.utf8) }
        model = filter.model.map { Array($0.utf8) }
        task = filter.task.map { Array($0.utf8) }
        idPrefix = filter.idPrefix.map { Array($0.utf8) }
    }

    /// False if the entry certainly does not match. Statuses are not checked here, because they need the parsed entry.
    func mayAccept(_ trailers: RunTrailers, date: Timestamp) -> Bool {
        guard filter.kinds.contains(trailers.kind) else { return false }
        if let since = filter.since, date < since { return false }
        if let agent, !Self.isEqual(trailers.agent, agent) { return false }
        if let task, !Self.isEqual(trailers.task, task) { return false }
        if let model, !Self.isEqual(trailers.model, model) { return false }
        if let idPrefix, trailers.id.count < idPrefix.count || !Self.isEqual(.init(rebasing: trailers.id[..<idPrefix.count]), idPrefix) {
            return false
        }
        guard !jobNames.isEmpty else { return true }
        return jobNames.contains { Self.isEqual(trailers.job, $0) }
            || jobIDs.contains { Self.isEqual(trailers.kind == .job ? trailers.id : trailers.jobID, $0) }
    }

    func accepts(_ entry: RunEntry) -> Bool { filter.statuses.isEmpty || filter.statuses.contains { $0.fits(entry) } }

    private static func isEqual(_ bytes: UnsafeRawBufferPointer?, _ wanted: [UInt8]) -> Bool {
        guard let bytes, bytes.count == wanted.count else { return false }
        guard let base = bytes.baseAddress, !wanted.isEmpty else { return wanted.isEmpty }
        return memcmp(base, wanted, wanted.count) == 0
    }
}

/// The records that were already listed. If a record has several commits, only the newest one counts.
struct SeenRecords: Sendable {
    private struct Attempt: Hashable { var id: UInt64, number: Int }

    private var finals: Set<UInt64> = []
    private var retries: Set<Attempt> = []

    /// Returns false if the record was already in the set.
    mutating func insert(_ id: UInt64, retry: Int?) -> Bool {
        guard let retry else { return finals.insert(id).inserted }
        return retries.insert(Attempt(id: id, number: retry)).inserted
    }
}
