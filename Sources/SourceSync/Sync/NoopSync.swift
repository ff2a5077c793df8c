import Base
import Git

/// Uses a directory of this machine as it is. Nothing is cloned, and the repository that the job names is not asked.
///
/// - When the directory is a git repository without uncommitted changes, the commit is its HEAD, and its own objects are read.
/// - Otherwise the commit is a snapshot of its files: those that a commit of everything would have. The records then say so.
public struct NoopSync: SyncStrategy {
    private let directory: String
    /// What `assay run` writes in its working directory is no part of a benchmark.
    private static let ownState = ".assay"

    /// - Parameter directory: an absolute path.
    public init(directory: String) { self.directory = directory }

    public var field: String { "workdir of the EvalTarget" }

    public func sync(_ request: SyncRequest, with resolver: SourceResolver) async throws(SourceError) -> PinnedSource {
        do { return try await sync(request, resolver) } catch { throw SourceError(error) }
    }

    private func sync(_ request: SyncRequest, _ resolver: SourceResolver) async throws(GitError) -> PinnedSource {
        guard FileEntry.isDirectory(directory) else { throw GitError(.invalidInput, "there is no directory \(directory)") }
        let tree = try await WorkingTree.containing(directory)
        if let tree, !tree.path.isEmpty {
            throw GitError(.invalidInput, "\(directory) is in the git repository \(tree.root); name the root of the repository")
        }
        if let pinned = request.pinned { return try await find(pinned, tree, resolver) }
        if let tree, let head = tree.head, try await tree.isCommitted() {
            if let wanted = Self.wanted(request), wanted != head {
                throw other(wanted, "its HEAD is \(head.short)")
            }
            return try await link(tree.root, head, snapshot: nil, resolver)
        }
        if let wanted = Self.wanted(request) { throw other(wanted, "its files are not all committed") }
        let snapshot = try await resolver.snapshots.snapshot(of: directory, files: try await tree?.files(), except: [Self.ownState])
        return try await link(snapshot.repository, snapshot.commit, snapshot: SourceSnapshot(of: directory, head: tree?.head), resolver)
    }

    /// A job may only ask for a whole commit id: a branch or a tag is what its user has checked out.
    private static func wanted(_ request: SyncRequest) -> GitObjectID? { request.ref.flatMap { GitObjectID($0) } }

    private func other(_ wanted: GitObjectID, _ why: String) -> GitError {
        GitError(
            .refNotFound,
            "the job asks for commit \(wanted.short), but \(directory) has something else: \(why). Check out that commit there, or use a target "
                + "with sync oneshot, which fetches it")
    }

    /// The commit that a job began with, wherever it is: the directory may have changed since.
    private func find(_ commit: GitObjectID, _ tree: WorkingTree?, _ resolver: SourceResolver) async throws(GitError) -> PinnedSource {
        let kept = resolver.snapshots.repository(of: directory)
        if FileEntry.isDirectory(kept), try await resolver.git.contains(commit, in: kept) {
            return try await link(kept, commit, snapshot: SourceSnapshot(of: directory, head: nil), resolver)
        }
        guard let tree else { throw GitError(.refNotFound, "the job began with commit \(commit.short), which is not in \(directory) any more") }
        return try await link(tree.root, commit, snapshot: nil, resolver)
    }

    private func link(
        _ repository: String, _ commit: GitObjectID, snapshot: SourceSnapshot?, _ resolver: SourceResolver
    ) async throws(GitError) -> PinnedSource {
        let url = try GitURL(parsing: "file://\(repository)", allowing: .local)
        _ = try await resolver.mirrors.open(commit, from: GitClient.Remote(url, extent: .linked))
        return PinnedSource(url: url, commit: commit, ref: nil, extent: .linked, snapshot: snapshot)
    }
}
