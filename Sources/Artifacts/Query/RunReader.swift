import Base
import EvalModel
import Git

/// Reads recorded results. Branches and directories are read through the same interface.
public protocol RunReader: Sendable {
    /// The place that is read, for messages.
    var place: String { get }
    /// Passes each run that the filter accepts to `receive` once, newest first. Stops when `receive` returns false.
    func forEach(_ filter: RunFilter, _ receive: @escaping @Sendable (RunEntry) -> Bool) async throws(ArtifactError)
    /// The record of one run or job.
    /// - Throws: `.notFound` when there is no such record.
    func details(of id: RunID) async throws(ArtifactError) -> RunDetails
    /// The bytes of a file of a run.
    /// - Throws: `.notFound` when there is no such file; `.invalid` when it is larger than `limit` bytes.
    func contents(of file: GitPath, run: RunID, limit: Int) async throws(ArtifactError) -> [UInt8]

    // Batch calls: they start a few processes for thousands of runs, while `details` starts some for each run.

    /// The folder of every run and job that is stored, whether or not the history mentions it.
    func folders() async throws(ArtifactError) -> [RunFolder]
    /// The files of each folder, including those of retries, sorted by path.
    func files(of folders: [RunFolder]) async throws(ArtifactError) -> [[RunFile]]
    /// The first bytes of each file, at most `limit` bytes, in the order of the files.
    func beginnings(of files: [RunFile], limit: Int) async throws(ArtifactError) -> [[UInt8]]
}

/// Everything stored about one run or job.
public struct RunDetails: Sendable, Hashable {
    public struct File: Sendable, Hashable {
        /// The path below the run's folder.
        public var path: GitPath
        /// Bytes; nil if the size cannot be found without fetching the file.
        public var size: Int?
    }

    public var id: RunID
    /// metadata.json, including fields that this version does not know.
    public var metadata: JSONValue
    /// summary.json; nil for a job, which has none.
    public var summary: JSONValue?
    /// All files in the folder, sorted.
    public var files: [File]
    /// The commit of the branch that was read; nil in a directory.
    public var commit: GitObjectID?

    public var isJob: Bool { metadata["kind"]?.string == "job" }
    public var run: RunRecord? { isJob ? nil : try? JSONValueDecoder().decode(RunRecord.self, from: metadata) }
    public var job: JobRecord? { isJob ? try? JSONValueDecoder().decode(JobRecord.self, from: metadata) : nil }
    public var hasTranscript: Bool { files.contains { $0.path.text == PendingRun.transcriptFile } }
    /// The files in logs/.
    public var logs: [File] { files.filter { $0.path.components.first == "logs" } }

    /// Finds a log by its path, with or without `logs/` in front, or by the end of its path if only one log matches.
    /// - Throws: `.notFound`, with the logs that exist.
    public func log(named name: String) throws(ArtifactError) -> GitPath {
        let words = name.split(separator: "/").map(String.init)
        if let exact = logs.first(where: { $0.path.components == words || Array($0.path.components.dropFirst()) == words }) { return exact.path }
        let ending = words.isEmpty ? [] : logs.filter { $0.path.components.suffix(words.count) == words[...] }
        if ending.count == 1 { return ending[0].path }
        let candidates = ending.isEmpty ? logs : ending
        let names = candidates.prefix(20).map { $0.path.components.dropFirst().joined(separator: "/") }.joined(separator: ", ")
        let more = candidates.count > 20 ? " and \(candidates.count - 20) more" : ""
        throw ArtifactError(
            .notFound,
            "run \(id) has \(ending.isEmpty ? "no log" : "several logs") \"\(name)\"; " + (names.isEmpty ? "it has none" : "it has: \(names)\(more)"))
    }
}

extension RunReader {
    /// Returns at most `limit` entries.
    public func list(_ filter: RunFilter = RunFilter(), limit: Int = .max) async throws(ArtifactError) -> [RunEntry] {
        guard limit > 0 else { return [] }
        let found = Locked([RunEntry]())
        try await forEach(filter) { entry in
            found.withLock {
                $0.append(entry)
                return $0.count < limit
            }
        }
        return found.withLock { $0 }
    }

    /// The id that a user wrote in full or as its first digits, if exactly one id begins with them.
    /// - Throws: `.invalid` if the text cannot be an id; `.notFound`, with ids that exist, if no id or several begin with the text.
    public func resolve(_ text: String) async throws(ArtifactError) -> RunID {
        let digits = text.lowercased()
        if let id = RunID(digits) { return id }
        guard (4..<RunID.length).contains(digits.utf8.count), digits.utf8.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) }) else {
            throw ArtifactError(
                .invalid, "\"\(text.replacingControls)\" is no run id: write the \(RunID.length) hex digits, or the first four or more of them")
        }
        var filter = RunFilter()
        filter.kinds = Set(RunEntry.Kind.allCases)
        filter.idPrefix = digits
        let ids = Array(Set(try await list(filter).map(\.id))).sorted()
        if ids.count == 1 { return ids[0] }
        if ids.isEmpty { throw try await notFound(digits) }
        throw ArtifactError(
            .notFound,
            "\(ids.count) runs in \(place) begin with \(digits): " + ids.prefix(8).map(\.rawValue).joined(separator: ", ")
                + (ids.count > 8 ? " and \(ids.count - 8) more" : ""))
    }

    /// The error for a run that does not exist. It lists runs that do.
    func notFound(_ id: String) async throws(ArtifactError) -> ArtifactError {
        let newest = try await list(limit: 5).map(\.id.rawValue)
        return ArtifactError(
            .notFound, "\(place) has no run \(id); " + (newest.isEmpty ? "it has no runs" : "its newest are: \(newest.joined(separator: ", "))"))
    }

    public func transcript(of id: RunID, limit: Int = 256 << 20) async throws(ArtifactError) -> [UInt8] {
        do { return try await contents(of: GitPath(parsing: PendingRun.transcriptFile), run: id, limit: limit) } catch {
            throw error as? ArtifactError ?? (error as? GitError).map { ArtifactError($0) } ?? ArtifactError(.failed, "\(error)")
        }
    }
}
