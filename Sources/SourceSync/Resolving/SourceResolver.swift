import Base
import EvalModel
import Git

/// A repository at a commit.
public struct PinnedSource: Sendable, Hashable {
    public let url: GitURL
    public let commit: GitObjectID
    /// The full name that the commit was found under (`refs/heads/main`), or the ref as the user wrote it.
    public let ref: String?

    public init(url: GitURL, commit: GitObjectID, ref: String?) {
        self.url = url
        self.commit = commit
        self.ref = ref
    }
}

/// Finds out which commit a user means, keeps a mirror of the repository, and reads trees from it.
///
/// A local path is a source of its own kind only in where it lies: the commit is its HEAD (or the ref), what is not
/// committed does not take part, and the mirror is what pods export from, so that no pod sees the user's folder.
public struct SourceResolver: Sendable {
    public let mirrors: MirrorStore
    public let git: GitClient
    /// What a repository address may be, beside https and ssh.
    public let policy: GitURL.Policy

    /// - Parameters:
    ///   - cacheDirectory: where the mirrors are kept; on the laptop the directory that init containers see too.
    ///   - cacheLimit: bytes of all mirrors together; nil: no limit.
    ///   - budget: the process's places for clones and fetches.
    public init(
        cacheDirectory: String, cacheLimit: Int? = nil, policy: GitURL.Policy = .shorthand, git: GitClient = GitClient(),
        budget: CloneBudget = CloneBudget()
    ) {
        self.git = git
        self.policy = policy
        mirrors = MirrorStore(directory: cacheDirectory, git: git, sizeLimit: cacheLimit, budget: budget)
    }

    /// The address as we use it; throws what is wrong with it.
    public func url(_ repo: String) throws(SourceError) -> GitURL {
        do { return try GitURL(parsing: repo, allowing: policy) } catch { throw SourceError(error) }
    }

    /// Finds the commit that `ref` names now, and sees to it that the mirror has it.
    ///
    /// - Parameter ref: a branch, a tag, a full ref, a commit id or the beginning of one; nil is the default branch.
    public func pin(_ repo: String, ref: String?, credentials: GitCredentials = .none) async throws(SourceError) -> PinnedSource {
        let url = try url(repo)
        do {
            let wanted = try ref.map { text throws(GitError) in try GitRef(parsing: text) }
            return try await pin(GitClient.Remote(url, credentials: credentials), wanted)
        } catch {
            throw SourceError(error)
        }
    }

    private func pin(_ remote: GitClient.Remote, _ ref: GitRef?) async throws(GitError) -> PinnedSource {
        // A full commit id that the mirror has needs no remote at all: it cannot mean anything else.
        if let commit = ref?.commit, try await mirrors.existing(remote, having: commit) != nil {
            return PinnedSource(url: remote.url, commit: commit, ref: nil)
        }
        let refs = try await git.listRemote(remote)
        switch try refs.resolve(ref, place: remote.url.text) {
        case .commit(let id, let name):
            let mirror = try await mirrors.open(id, from: remote)
            return PinnedSource(url: remote.url, commit: try await commit(id.hex, mirror, ref, refs, remote), ref: name)
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
                mirror = try await mirrors.update(remote)
            }
            let commit = try await commit(ref.text, mirror, ref, refs, remote)
            _ = try await mirrors.ensure(commit, from: remote)
            return PinnedSource(url: remote.url, commit: commit, ref: nil)
        }
    }

    /// A tag may name a tag, or (rarely) a tree or a blob: only a commit will do.
    private func commit(
        _ text: String, _ mirror: MirrorStore.Mirror, _ ref: GitRef?, _ refs: RemoteRefs, _ remote: GitClient.Remote
    ) async throws(GitError) -> GitObjectID {
        if let commit = try await git.revParse("\(text)^{commit}", in: mirror.path) { return commit }
        let name = if let ref { ref } else { try GitRef(parsing: "HEAD") }
        throw refs.notFound(name, place: remote.url.text)
    }

    /// The tree of a pinned source; the mirror is filled or rebuilt when it has to be.
    public func tree(_ source: PinnedSource, credentials: GitCredentials = .none) async throws(SourceError) -> GitTree {
        try await withTree(source, credentials: credentials) { (tree) async throws(GitError) in tree }
    }

    /// Runs `body` on the tree of a pinned source; when it finds objects damaged, once more on a rebuilt mirror.
    public func withTree<R: Sendable>(
        _ source: PinnedSource, credentials: GitCredentials = .none, _ body: @Sendable (GitTree) async throws(GitError) -> R
    ) async throws(SourceError) -> R {
        let remote = GitClient.Remote(source.url, credentials: credentials)
        do {
            return try await withMirror(of: remote, at: source.commit) { (mirror) async throws(GitError) -> R in
                try await body(try await GitTree.load(source.commit, in: mirror, git: git))
            }
        } catch {
            throw SourceError(error)
        }
    }

    /// Runs `body` on the mirror; when it finds objects damaged, once more on a rebuilt one.
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
