import Base
import EvalModel
import Git

/// Reads results that were written; the branch and the directory look the same through it.
public protocol RunReader: Sendable {
    /// For messages: what is read.
    var place: String { get }
    /// Hands over what the filter accepts, newest first, each run once; ends early when `receive` returns false.
    func forEach(_ filter: RunFilter, _ receive: @escaping @Sendable (RunEntry) -> Bool) async throws(ArtifactError)
    /// One run's or job's record.
    /// - Throws: `.notFound` when there is none.
    func details(of id: RunID) async throws(ArtifactError) -> RunDetails
    /// The bytes of a file of a run.
    /// - Throws: `.notFound` when there is none; `.invalid` when it is larger than `limit` bytes.
    func contents(of file: GitPath, run: RunID, limit: Int) async throws(ArtifactError) -> [UInt8]

    // Many at once: a few processes for thousands of runs, where `details` takes some for each.

    /// Every run's and job's folder, whatever the history says of it.
    func folders() async throws(ArtifactError) -> [RunFolder]
    /// The files of each folder, those of retries included, sorted by path.
    func files(of folders: [RunFolder]) async throws(ArtifactError) -> [[RunFile]]
    /// The beginnings of files, in their order: at most `limit` bytes of each.
    func beginnings(of files: [RunFile], limit: Int) async throws(ArtifactError) -> [[UInt8]]
}

/// What is kept of one run or job.
public struct RunDetails: Sendable, Hashable {
    public struct File: Sendable, Hashable {
        /// Below the run's folder.
        public var path: GitPath
        /// In bytes; nil where learning it would mean to fetch the file.
        public var size: Int?
    }

    public var id: RunID
    /// metadata.json, with fields that this version does not know.
    public var metadata: JSONValue
    /// summary.json; a job has none.
    public var summary: JSONValue?
    /// Everything in the folder, sorted.
    public var files: [File]
    /// The branch's commit that was read; nil in a directory.
    public var commit: GitObjectID?

    public var isJob: Bool { metadata["kind"]?.string == "job" }
    public var run: RunRecord? { isJob ? nil : try? JSONValueDecoder().decode(RunRecord.self, from: metadata) }
    public var job: JobRecord? { isJob ? try? JSONValueDecoder().decode(JobRecord.self, from: metadata) : nil }
    public var hasTranscript: Bool { files.contains { $0.path.text == PendingRun.transcriptFile } }
    /// The files below logs/.
    public var logs: [File] { files.filter { $0.path.components.first == "logs" } }

    /// A log by its path, with or without `logs/` in front, or by the end of its path when only one ends so.
    /// - Throws: `.notFound`, with the logs that there are.
    public func log(named name: String) throws(ArtifactError) -> GitPath {
        let words = name.split(separator: "/").map(String.init)
        if let exact = logs.first(where: { $0.path.components == words || Array($0.path.components.dropFirst()) == words }) { return exact.path }
        let ending = words.isEmpty ? [] : logs.filter { $0.path.components.suffix(words.count) == words[...] }
        if ending.count == 1 { return ending[0].path }
        let candidates = ending.isEmpty ? logs : ending
        let names = candidates.prefix(20).map { $0.path.components.dropFirst().joined(separator: "/") }.joined(separator: ", ")
        let more = candidates.count > 20 ? " and \(candidates.count - 20) more" : ""
        throw ArtifactError(
            .notFound, "run \(id) has \(ending.isEmpty ? "no log" : "several logs") \"\(name)\"; " + (names.isEmpty ? "it has none" : "it has: \(names)\(more)"))
    }
}

extension RunReader {
    /// At most `limit` entries.
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

    /// The id that a person means: all of it, or its first digits when only one begins so.
    /// - Throws: `.invalid` for what is no id; `.notFound`, with ids that exist, when none or several begin so.
    public func resolve(_ text: String) async throws(ArtifactError) -> RunID {
        let digits = text.lowercased()
        if let id = RunID(digits) { return id }
        guard (4..<RunID.length).contains(digits.utf8.count), digits.utf8.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) }) else {
            throw ArtifactError(.invalid, "\"\(text.replacingControls)\" is no run id: write the \(RunID.length) hex digits, or the first four or more of them")
        }
        var filter = RunFilter()
        filter.kinds = Set(RunEntry.Kind.allCases)
        filter.idPrefix = digits
        let ids = Array(Set(try await list(filter).map(\.id))).sorted()
        if ids.count == 1 { return ids[0] }
        if ids.isEmpty { throw try await notFound(digits) }
        throw ArtifactError(
            .notFound, "\(ids.count) runs in \(place) begin with \(digits): " + ids.prefix(8).map(\.rawValue).joined(separator: ", ")
                + (ids.count > 8 ? " and \(ids.count - 8) more" : ""))
    }

    /// The error for a run that is not there, naming those that are.
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
