import Base
import EvalModel
import Git
import HTTPTransport

/// Resolves the commit that a user names, keeps a mirror of the repository, and reads trees from it.
///
/// A local path works in the same way: the commit is its HEAD or the given ref, uncommitted changes are ignored, and pods get the mirror, never the
/// user's folder. (`NoopSync` uses a folder as it is.)
public struct SourceResolver: Sendable {
    public let mirrors: MirrorStore
    /// Files of `fixtures.lock`s; beside the mirrors, with a sixth of their limit.
    public let fixtures: FixtureStore
    /// Commits of folders with changes that are not committed; beside the mirrors, and never evicted.
    public let snapshots: SnapshotStore
    public let git: GitClient
    /// What `ContinuousSync` has found.
    let recent = RecentSyncs()
    /// The kinds of repository address that are allowed besides https and ssh.
    public let policy: GitURL.Policy

    /// - Parameters:
    ///   - cacheDirectory: where the mirrors are kept; for `assay run` this is the directory that init containers also see.
    ///   - cacheLimit: the limit for all mirrors together, in bytes; nil: no limit.
    ///   - budget: limits the clones and fetches of the process.
    ///   - metrics: measures clones, fetches and the caches.
    public init(
        cacheDirectory: String, cacheLimit: Int? = nil, policy: GitURL.Policy = .shorthand, git: GitClient = GitClient(),
        budget: CloneBudget = CloneBudget(), metrics: MetricsRegistry? = nil
    ) {
        self.git = git
        self.policy = policy
        fixtures = FixtureStore(
            directory: "\(cacheDirectory)/fixtures", sizeLimit: cacheLimit.map { $0 / 6 }, metrics: metrics.map { CacheMetrics($0, .fixtures) })
        snapshots = SnapshotStore(directory: "\(cacheDirectory)/snapshots", git: git)
        mirrors = MirrorStore(directory: cacheDirectory, git: git, sizeLimit: cacheLimit, budget: budget, metrics: metrics)
    }

    /// Where registries and fixtures may be downloaded from: where repositories may be folders of this machine, its servers are the user's own, too.
    public var webAddresses: WebAddresses { policy.contains(.local) ? .encryptedOrLoopback : .encrypted }

    /// Parses and checks the address of a repository.
    public func url(_ repo: String) throws(SourceError) -> GitURL {
        do { return try GitURL(parsing: repo, allowing: policy) } catch { throw SourceError(error) }
    }

    /// The address of a source that was prepared before. Snapshots are repositories of this operator: no user may name them, whatever the policy.
    func address(ofPrepared text: String) throws(SourceError) -> GitURL {
        guard text.hasPrefix("file://\(snapshots.directory)/") else { return try url(text) }
        do { return try GitURL(parsing: text, allowing: .local) } catch { throw SourceError(error) }
    }

    /// Resolves `ref` to a commit and makes sure that the mirror has it.
    ///
    /// - Parameters:
    ///   - ref: a branch, a tag, a full ref, a commit id or, in a full mirror, the beginning of one; nil: the default branch.
    ///   - extent: what the mirror gets of the repository.
    ///   - seen: called with the commit that the remote names, before anything of it is fetched.
    public func pin(
        _ repo: String, ref: String?, credentials: GitCredentials = .none, extent: MirrorExtent = .full,
        seen: (@Sendable (GitObjectID) -> Void)? = nil
    ) async throws(SourceError) -> PinnedSource {
        let url = try url(repo)
        do {
            let wanted = try ref.map { text throws(GitError) in try GitRef(parsing: text) }
            return try await pin(GitClient.Remote(url, credentials: credentials, extent: extent), wanted, seen)
        } catch {
            throw SourceError(error)
        }
    }

    private func pin(_ remote: GitClient.Remote, _ ref: GitRef?, _ seen: (@Sendable (GitObjectID) -> Void)?) async throws(GitError) -> PinnedSource {
        // For a full commit id that the mirror has, the remote is not asked: the id cannot mean anything else.
        if let commit = ref?.commit, try await mirrors.existing(remote, having: commit) != nil {
            return PinnedSource(url: remote.url, commit: commit, ref: nil, extent: remote.extent)
        }
        let refs = try await git.listRemote(remote)
        switch try refs.resolve(ref, place: remote.url.text) {
        case .commit(let id, let name):
            seen?(id)
            let mirror = try await mirrors.open(id, from: remote)
            let commit = try await commit(id.hex, mirror, ref, refs, remote)
            return PinnedSource(url: remote.url, commit: commit, ref: name, extent: remote.extent)
        case .ask:
            guard let ref else { throw GitError(.refNotFound, "\(remote.url) has no commit yet") }
            let mirror: MirrorStore.Mirror
            if let full = ref.commit {
                do {
                    mirror = try await mirrors.open(full, from: remote)
                } catch  where error.kind == .refNotFound {
                    throw refs.notFound(ref, place: remote.url.text)
                }
            } else {
                guard remote.extent == .full else {
                    throw GitError(
                        .refNotFound,
                        "\(ref.text) is neither a branch nor a tag of \(remote.url); the beginning of a commit id is only found with the target's "
                            + "syncOptions.mode full: write the whole id")
                }
                mirror = try await mirrors.update(remote)
            }
            let commit = try await commit(ref.text, mirror, ref, refs, remote)
            _ = try await mirrors.ensure(commit, from: remote)
            return PinnedSource(url: remote.url, commit: commit, ref: nil, extent: remote.extent)
        }
    }

    /// A tag may point to another tag, or (rarely) to a tree or a blob. Only a commit is accepted.
    private func commit(
        _ text: String, _ mirror: MirrorStore.Mirror, _ ref: GitRef?, _ refs: RemoteRefs, _ remote: GitClient.Remote
    ) async throws(GitError) -> GitObjectID {
        if let commit = try await git.revParse("\(text)^{commit}", in: mirror.path) { return commit }
        let name = if let ref { ref } else { try GitRef(parsing: "HEAD") }
        throw refs.notFound(name, place: remote.url.text)
    }

    /// The tree of a pinned source. The mirror is fetched or rebuilt if needed.
    public func tree(_ source: PinnedSource, credentials: GitCredentials = .none) async throws(SourceError) -> GitTree {
        try await withTree(source, credentials: credentials) { (tree) async throws(GitError) in tree }
    }

    /// Runs `body` on the tree of a pinned source; when it finds objects damaged, once more on a rebuilt mirror.
    public func withTree<R: Sendable>(
        _ source: PinnedSource, credentials: GitCredentials = .none, _ body: @Sendable (GitTree) async throws(GitError) -> R
    ) async throws(SourceError) -> R {
        let remote = GitClient.Remote(source.url, credentials: credentials, extent: source.extent)
        do {
            return try await withMirror(of: remote, at: source.commit) { (mirror) async throws(GitError) -> R in
                try await body(try await GitTree.load(source.commit, in: mirror, extent: source.extent, git: git))
            }
        } catch {
            throw SourceError(error)
        }
    }

    /// Runs `body` on the mirror. If objects are damaged, the mirror is rebuilt and `body` runs once more.
    private func withMirror<R: Sendable>(
        of remote: GitClient.Remote, at commit: GitObjectID, _ body: @Sendable (MirrorStore.Mirror) async throws(GitError) -> R
    ) async throws(GitError) -> R {
        do {
            return try await body(try await mirrors.open(commit, from: remote))
        } catch  where error.kind == .corrupt {
            try await mirrors.rebuild(remote)
            return try await body(try await mirrors.open(commit, from: remote))
        }
    }
}
