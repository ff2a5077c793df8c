import Base
import EvalModel
import Git

/// Reads results from a branch: of a repository on this machine directly, of a remote through a local copy of its commits.
public struct BranchReader: RunReader {
    let git: GitClient
    let repository: String
    /// The remote that supplies objects that the local copy does not have; nil when the repository is complete.
    let remote: GitClient.Remote?
    let cache: HistoryCache?
    let tip: GitObjectID
    let path: GitPath
    public let place: String
    /// Whether the repository is a shallow clone, which has only the newest commits of the branch.
    public var isShallow = false

    public func forEach(_ filter: RunFilter, _ receive: @escaping @Sendable (RunEntry) -> Bool) async throws(ArtifactError) {
        try await forEach(filter, below: Array(path.text.utf8), receive)
    }

    /// - Parameter folder: nil for records below any folder of the branch.
    private func forEach(
        _ filter: RunFilter, below folder: [UInt8]?, _ receive: @escaping @Sendable (RunEntry) -> Bool
    ) async throws(ArtifactError) {
        let seen = Locked(SeenRecords())
        let wanted = TrailerFilter(filter)
        do throws(GitError) {
            try await git.history(tip, in: repository, remote: remote) { commit in
                guard let trailers = RunTrailers(commit.message), folder.map(trailers.isRecord) ?? true, let id = RunTrailers.digits(trailers.id),
                    seen.withLock({ $0.insert(id, retry: trailers.retry) }), wanted.mayAccept(trailers, date: commit.date),
                    var entry = RunEntry(trailers, date: commit.date), wanted.accepts(entry)
                else { return true }
                entry.commit = commit.id
                return receive(entry)
            }
        } catch {
            throw ArtifactError(error)
        }
    }

    public func details(of id: RunID) async throws(ArtifactError) -> RunDetails {
        do throws(GitError) {
            let entries = try await entries(of: id)
            guard let metadata = entries.first(where: { $0.path == PendingRun.metadataFile }) else { throw GitError(.pathNotFound, "") }
            let summary = entries.first { $0.path == PendingRun.summaryFile }
            let blobs = try await read([metadata.id] + (summary.map { [$0.id] } ?? []), limit: 16 << 20)
            let files = entries.filter(\.isBlob).compactMap { entry in
                (try? GitPath(parsing: entry.path)).map { RunDetails.File(path: $0, size: entry.size) }
            }
            guard let value = try? JSONValue(parsing: blobs[0]) else {
                throw GitError(.corrupt, "the metadata.json of run \(id) in \(place) is not JSON")
            }
            return RunDetails(
                id: id, metadata: value, summary: blobs.count > 1 ? try? JSONValue(parsing: blobs[1]) : nil,
                files: files.sorted { $0.path < $1.path }, commit: tip)
        } catch {
            if error.kind == .pathNotFound { throw try await missing(id) }
            throw ArtifactError(error)
        }
    }

    public func contents(of file: GitPath, run id: RunID, limit: Int) async throws(ArtifactError) -> [UInt8] {
        do throws(GitError) {
            let entries = try await entries(of: id)
            guard let entry = entries.first(where: { $0.path == file.text && $0.isBlob }) else {
                throw GitError(.pathNotFound, "run \(id) in \(place) has no file \(file)")
            }
            return try await read([entry.id], limit: limit)[0]
        } catch {
            throw error.kind == .pathNotFound ? ArtifactError(.notFound, error.message) : ArtifactError(error)
        }
    }

    /// The error for a run that the history mentions, but that was pruned or is below another path than the requested one.
    private func missing(_ id: RunID) async throws(ArtifactError) -> ArtifactError {
        var filter = RunFilter()
        filter.kinds = Set(RunEntry.Kind.allCases)
        filter.idPrefix = id.rawValue
        let found = Locked<RunEntry?>(nil)
        try await forEach(filter, below: nil) { entry in
            found.withLock { $0 = entry }
            return false
        }
        guard let entry = found.withLock({ $0 }) else { return try await notFound(id.rawValue) }
        let commit = "commit \(entry.commit?.short ?? "-") of \(entry.kind.rawValue) \(id)"
        guard entry.path ?? "" == path.text else {
            return ArtifactError(
                .notFound,
                "\(place) has \(commit) below \(entry.path.map { "the folder \"\($0.replacingControls)\": name it with --path" } ?? "its root: leave --path out")"
            )
        }
        let folder = path.isRoot ? id.path : "\(path)/\(id.path)"
        return ArtifactError(
            .notFound, "\(place) has \(commit), but no \(folder)/\(PendingRun.metadataFile): it was removed, and is in that commit still")
    }

    /// The other folders of the branch that contain records, sorted. The root is an empty string.
    public func foldersElsewhere() async throws(ArtifactError) -> [String] {
        let found = Locked(Set<String>())
        var filter = RunFilter()
        filter.kinds = Set(RunEntry.Kind.allCases)
        try await forEach(filter, below: nil) { entry in
            found.withLock { _ = $0.insert(entry.path ?? "") }
            return true
        }
        return found.withLock { $0.subtracting([path.text]) }.sorted()
    }

    private func entries(of id: RunID) async throws(GitError) -> [TreeEntry] {
        let folder = path / (try GitPath(parsing: id.path))
        if let cache, let remote {
            await cache.prefetchFolders(of: tip, levels: folder.components.count, from: remote, in: repository)
        }
        return try await git.listTree(tip, at: folder, recursive: true, sizes: remote == nil, in: repository, remote: remote)
    }

    private func read(_ ids: [GitObjectID], limit: Int) async throws(GitError) -> [[UInt8]] {
        try await git.readBlobs(ids, limit: limit, in: repository, remote: remote)
    }
}
