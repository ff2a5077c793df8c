import Base
import EvalModel

/// Decides which records are removed and which are kept when everything that ended before a moment is pruned.
///
/// A run and its retries are removed together, by the end of the run (or of its last retry, while the run has no record yet). A job's
/// record is kept as long as one of its runs is kept.
public struct PrunePlan: Sendable, Hashable {
    public let cutoff: Timestamp
    /// In the order of the entries that were given.
    public private(set) var pruned: [RunEntry] = []
    public private(set) var kept: [RunEntry] = []

    /// - Parameters:
    ///   - entries: runs, retries and jobs, each record once.
    ///   - folder: a folder of the branch; records below other folders are kept.
    public init(_ entries: [RunEntry], before cutoff: Timestamp, below folder: String = "") {
        self.cutoff = cutoff
        // When each run ended, or its last retry if the run has no record.
        var ends: [RunID: (date: Timestamp, isFinal: Bool)] = [:]
        func isElsewhere(_ entry: RunEntry) -> Bool { entry.path ?? "" != folder }
        for entry in entries where entry.kind != .job {
            let isFinal = entry.kind == .run
            guard let known = ends[entry.id] else {
                ends[entry.id] = (entry.date, isFinal)
                continue
            }
            if isFinal || (!known.isFinal && entry.date > known.date) { ends[entry.id] = (entry.date, isFinal) }
        }
        func stays(_ entry: RunEntry) -> Bool { isElsewhere(entry) || (ends[entry.id]?.date ?? entry.date) >= cutoff }
        var jobs: Set<RunID> = []
        var namesWithoutID: Set<String> = []
        for entry in entries where entry.kind != .job && stays(entry) {
            if let id = entry.jobID { jobs.insert(id) } else if let name = entry.job { namesWithoutID.insert(name) }
        }
        for entry in entries {
            let keeps =
                entry.kind == .job
                ? isElsewhere(entry) || entry.date >= cutoff || jobs.contains(entry.id) || (entry.job.map(namesWithoutID.contains) ?? false)
                : stays(entry)
            if keeps { kept.append(entry) } else { pruned.append(entry) }
        }
    }

    public var isEmpty: Bool { pruned.isEmpty }

    /// A text such as `12 runs, 1 retry and 2 jobs`.
    public static func count(_ entries: [RunEntry]) -> String {
        func part(_ kind: RunEntry.Kind, _ one: String, _ many: String) -> String? {
            let count = entries.count { $0.kind == kind }
            return count == 0 ? nil : "\(count) \(count == 1 ? one : many)"
        }
        let parts = [part(.run, "run", "runs"), part(.retry, "retry", "retries"), part(.job, "job record", "job records")].compactMap { $0 }
        guard let last = parts.last else { return "nothing" }
        return parts.count == 1 ? last : parts.dropLast().joined(separator: ", ") + " and " + last
    }

    /// The maximum number of records that the commit message lists.
    private static let listed = 5000

    /// The message of the root commit of a pruned branch.
    /// - Parameter tip: the commit that the branch pointed to before.
    public func message(previousTip tip: String) -> String {
        var lines = ["Prune: \(Self.count(pruned)) that ended before \(cutoff.rfc3339)", ""]
        for entry in pruned.prefix(Self.listed) {
            let parts = [
                entry.date.rfc3339, entry.retry.map { "retry \($0) of" } ?? entry.kind.rawValue, entry.id.rawValue, entry.job ?? "-",
                entry.kind == .job
                    ? "" : "\(entry.agent ?? "-") \(entry.dataset ?? "-")/\(entry.task ?? "-") \(entry.attempt.map { "#\($0)" } ?? "")",
            ]
            lines.append(parts.filter { !$0.isEmpty }.joined(separator: " ").replacingControls)
        }
        if pruned.count > Self.listed { lines.append("and \(pruned.count - Self.listed) more") }
        lines += ["", "Assay-Pruned-Before: \(cutoff.rfc3339)", "Assay-Pruned-Records: \(pruned.count)", "Assay-Previous-Tip: \(tip)", ""]
        return lines.joined(separator: "\n")
    }
}
