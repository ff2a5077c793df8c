import Base
import Glibc

/// Bare copies of repositories, shared by all processes on a machine that can reach the directory.
///
/// - Guarantees: a visible full mirror is complete (it is cloned under another name and then renamed). A commit that was requested keeps a
///   ref in it. It is not shallow (unless its source is shallow). One process at a time writes to it (`flock`).
///   A remote with another `MirrorExtent` has a mirror of its own; a commit's ref appears in it when it has what the extent says.
///   Data fetched with one Secret is not available to users of another. After a Secret's content changes, the remote is asked first
///   whether the new content may read the repository.
/// - Recovery: a damaged mirror is moved aside and cloned again. git runs inside the directory, so a reader of the old one is not
///   disturbed. `clean` removes leftovers of dead processes.
/// - Caveats: with a `sizeLimit`, only a mirror that is in use (`open`) is safe from eviction; the least recently used ones are evicted first.
public struct MirrorStore: Sendable {
    public let directory: String
    public let git: GitClient
    /// Seconds that a writer waits for another one.
    public var lockDeadline = 1800.0
    /// The maximum bytes of all mirrors together; nil means no limit. Mirrors in use are kept even if they exceed it.
    public var sizeLimit: Int?
    /// The budget that limits clones and fetches; nil means no limit.
    public var budget: CloneBudget?
    let metrics: CacheMetrics?
    let fetches: FetchMetrics?

    /// - Parameter metrics: measures clones, fetches and what the mirrors had already.
    public init(
        directory: String, git: GitClient = GitClient(), sizeLimit: Int? = nil, budget: CloneBudget? = nil, metrics: MetricsRegistry? = nil
    ) {
        self.directory = directory
        self.git = git
        self.sizeLimit = sizeLimit
        self.budget = budget
        self.metrics = metrics.map { CacheMetrics($0, .mirrors) }
        fetches = metrics.map { FetchMetrics($0) }
    }

    /// A mirror that is in use. It is not evicted as long as this value exists.
    public struct Mirror: Sendable {
        public let path: String
        let lease: FileLock
    }

    /// The path of the mirror of a repository, whether or not the mirror exists.
    public func path(for remote: GitClient.Remote) -> String { "\(directory)/\(Self.name(for: remote)).git" }

    /// The name of the directory: readable, and different for each address and Secret.
    static func name(for remote: GitClient.Remote) -> String {
        let readable = remote.url.name.unicodeScalars.map { isAlphanumeric(UInt8(truncatingIfNeeded: $0.value)) && $0.isASCII ? Character($0) : "-" }
        let extent = remote.extent == .full ? "" : "\n\(remote.extent.text)"
        let key = SHA256.hex(of: Array("\(remote.url.text)\n\(remote.credentials.scope)\(extent)".utf8)).prefix(16)
        return "\(String(readable.prefix(40)))-\(key)"
    }

    /// The path of the mirror if it exists and has the commit. Takes no lock and writes nothing.
    public func existing(_ remote: GitClient.Remote, having commit: GitObjectID) async throws(GitError) -> String? {
        let path = path(for: remote)
        guard FileEntry.isDirectory(path), isAdmitted(remote, path), try await git.contains(commit, in: path) else { return nil }
        metrics?.lookedUp(found: true)
        return path
    }

    /// The mirror with the commit. Fetches it if the mirror does not have it.
    ///
    /// - Throws: `.refNotFound` when the remote does not have the commit.
    public func open(_ commit: GitObjectID, from remote: GitClient.Remote) async throws(GitError) -> Mirror {
        let mirror = try await lease(remote)
        let path = mirror.path
        if FileEntry.isDirectory(path), isAdmitted(remote, path), try await git.revParse("\(Self.keepRef(commit))^{commit}", in: path) == commit {
            metrics?.lookedUp(found: true)
            return mirror
        }
        let lock = try await lock(remote)
        defer { lock.release() }
        guard remote.extent == .full else {
            metrics?.lookedUp(found: false)
            try await fetchPart(commit, remote, path)
            try await keep(commit, path)
            await clean()
            return mirror
        }
        if FileEntry.isDirectory(path), try await git.contains(commit, in: path), try await isWhole(commit, path) {
            try await admit(remote, path)
            try await keep(commit, path)
            metrics?.lookedUp(found: true)
            return mirror
        }
        metrics?.lookedUp(found: false)
        try await refresh(remote, path)
        if try await !git.contains(commit, in: path) {
            // The commit is not in a branch or tag, for example a pull request's head, or a commit that a force push removed.
            try await fetch(remote, path, [commit.hex], doing: "fetch commit \(commit.short) from")
        }
        if try await !isWhole(commit, path) {
            try await replace(remote, path)
            if try await !git.contains(commit, in: path) {
                try await fetch(remote, path, [commit.hex], doing: "fetch commit \(commit.short) from")
            }
        }
        try await keep(commit, path)
        await clean()
        return mirror
    }

    /// The same as `open`, but returns only the path. For callers whose store evicts nothing.
    public func ensure(_ commit: GitObjectID, from remote: GitClient.Remote) async throws(GitError) -> String {
        try await open(commit, from: remote).path
    }

    /// The full mirror, updated to the remote's current state.
    public func update(_ remote: GitClient.Remote) async throws(GitError) -> Mirror {
        let mirror = try await lease(remote)
        let lock = try await lock(remote)
        defer { lock.release() }
        try await refresh(remote, mirror.path)
        await clean()
        return mirror
    }

    /// Clones the mirror again, for a caller that found objects missing or damaged.
    public func rebuild(_ remote: GitClient.Remote) async throws(GitError) {
        let mirror = try await lease(remote)
        let lock = try await lock(remote)
        defer { lock.release() }
        try await replace(remote, mirror.path)
    }

    // MARK: Locks

    private func lock(_ remote: GitClient.Remote) async throws(GitError) -> FileLock {
        try await FileLock.acquire(lockFile(Self.name(for: remote)), deadline: lockDeadline)
    }

    /// Marks the mirror as in use. The modification time of the lease file records the last use.
    private func lease(_ remote: GitClient.Remote) async throws(GitError) -> Mirror {
        do { try Directory.make(directory) } catch { throw GitError(.storage, "cannot make the cache directory: \(error)") }
        let file = useFile(Self.name(for: remote))
        let lease = try await FileLock.acquire(file, deadline: 60, shared: true)
        utimes(file, nil)
        return Mirror(path: path(for: remote), lease: lease)
    }

    func lockFile(_ name: String) -> String { "\(directory)/\(name).lock" }
    func useFile(_ name: String) -> String { "\(directory)/\(name).use" }

    // MARK: Whose it is

    /// Whether the remote is known to let the current content of the Secret read the repository.
    private func isAdmitted(_ remote: GitClient.Remote, _ path: String) -> Bool {
        // Without a Secret's name the mirror is only used with this content.
        guard remote.credentials.scope != remote.credentials.key else { return true }
        return FileReading.whole(Self.admittedFile(path), limit: 1 << 10) == Array(remote.credentials.key.utf8)
    }

    /// Asks the remote, unless it is known to admit the current content of the Secret.
    private func admit(_ remote: GitClient.Remote, _ path: String) async throws(GitError) {
        guard !isAdmitted(remote, path) else { return }
        _ = try await git.listRemote(remote, patterns: ["HEAD"])
        noteAdmitted(remote, path)
    }

    func noteAdmitted(_ remote: GitClient.Remote, _ path: String) {
        guard remote.credentials.scope != remote.credentials.key else { return }
        // If the file cannot be written, the remote is simply asked again.
        try? FileWriting.replace(Self.admittedFile(path), with: Array(remote.credentials.key.utf8), durable: false)
    }

    private static func admittedFile(_ path: String) -> String { "\(path)/assay-admitted" }

    // MARK: Under the lock

    private func refresh(_ remote: GitClient.Remote, _ path: String) async throws(GitError) {
        guard FileEntry.isDirectory(path) else { return try await replace(remote, path) }
        removeStaleLocks(path)
        do {
            try await fetchAll(remote, path)
        } catch {
            // An error of the remote does not mean that the mirror is damaged.
            guard error.kind == .corrupt || error.kind == .failed || error.kind == .notARepository else { throw error }
            guard try await !isHealthy(path) || error.kind == .corrupt else { throw error }
            try await replace(remote, path)
        }
    }

    /// Clones under a temporary name, then renames the clone to replace the old mirror.
    func replace(_ remote: GitClient.Remote, _ path: String) async throws(GitError) {
        let name = Self.name(for: remote)
        removeLeftovers(of: name)
        let suffix = "\(getpid())-\(UInt32.random(in: 0 ... .max))"
        let fresh = "\(directory)/\(name).new-\(suffix)"
        do {
            try await git.initialise(fresh)
            if remote.extent == .full { try await fetchAll(remote, fresh, kind: .clone) }
        } catch {
            Directory.removeTree(fresh)
            throw error
        }
        if FileEntry.exists(path) {
            // The old mirror is kept for a while, because a reader may still use it.
            rename(path, "\(directory)/\(name).old-\(suffix)")
        }
        guard rename(fresh, path) == 0 else {
            let why = String(cString: strerror(errno))
            Directory.removeTree(fresh)
            throw GitError(.storage, "cannot put the mirror of \(remote.url) in place: \(why)")
        }
    }

    private func fetchAll(_ remote: GitClient.Remote, _ path: String, kind: FetchMetrics.Kind = .fetch) async throws(GitError) {
        // Prunes, because a branch that the remote has deleted would conflict with a new one below its name (`a`, then `a/b`). Commits that
        // trials need have their own refs.
        try await fetch(remote, path, ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"], prune: true, kind: kind, doing: "fetch")
    }

    /// Counts how a clone or a fetch ended.
    func counted(_ kind: FetchMetrics.Kind, _ body: () async throws(GitError) -> Void) async throws(GitError) {
        do { try await body() } catch {
            fetches?.ended(kind, error)
            throw error
        }
        fetches?.ended(kind)
    }

    private func fetch(
        _ remote: GitClient.Remote, _ path: String, _ refspecs: [String], prune: Bool = false, kind: FetchMetrics.Kind = .fetch, doing: String
    ) async throws(GitError) {
        let place = try await budget?.enter(remote.url)
        defer { place?.release() }
        var arguments = ["fetch", "--progress", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--force"]
        if prune { arguments.append("--prune") }
        // A checkout in CI is often shallow, and then its mirror is shallow, too.
        if remote.url.isLocal { arguments.append("--update-shallow") }
        let cleaned = Locked(0)
        let call = GitClient.Call(
            arguments: arguments + ["--end-of-options", remote.url.text] + refspecs, repository: path, remote: remote,
            deadline: git.settings.cloneDeadline, doing: doing)
        try await counted(kind) { () throws(GitError) in
            try await git.runWatched(call) { bytes in
                // Frees space for a large repository while it is being received.
                guard sizeLimit != nil, bytes - cleaned.withLock({ $0 }) > 64 << 20 else { return }
                cleaned.withLock { $0 = bytes }
                await clean()
            }
        }
        noteAdmitted(remote, path)
    }

    private func keep(_ commit: GitObjectID, _ path: String) async throws(GitError) {
        try await git.run(
            GitClient.Call(arguments: ["update-ref", Self.keepRef(commit), commit.hex], repository: path, doing: "keep \(commit.short) in"))
    }

    private static func keepRef(_ commit: GitObjectID) -> String { "refs/assay/keep/\(commit.hex)" }

    /// Whether the mirror has every object of the commit's tree.
    private func isWhole(_ commit: GitObjectID, _ path: String) async throws(GitError) -> Bool {
        try await git.result(
            GitClient.Call(
                arguments: ["rev-list", "--quiet", "--objects", "--no-walk", commit.hex], repository: path, doing: "check \(commit.short) in")
        ).succeeded
    }

    private func isHealthy(_ path: String) async throws(GitError) -> Bool {
        try await git.result(
            GitClient.Call(arguments: ["rev-list", "--quiet", "--objects", "--all"], repository: path, doing: "check")
        ).succeeded
    }

    /// Removes lock files of git processes that died. Only Assay runs git in a mirror, and it holds the mirror's lock while it does.
    func removeStaleLocks(_ path: String) {
        for folder in [path, "\(path)/objects/info"] {
            for name in Directory.names(in: folder) ?? [] where name.hasSuffix(".lock") { unlink("\(folder)/\(name)") }
        }
        removeLocks(below: "\(path)/refs")
    }

    private func removeLocks(below folder: String) {
        for name in Directory.names(in: folder) ?? [] {
            let entry = "\(folder)/\(name)"
            if FileEntry.isDirectory(entry) { removeLocks(below: entry) } else if name.hasSuffix(".lock") { unlink(entry) }
        }
    }
}

extension GitClient {
    /// Creates an empty bare repository.
    public func initialise(_ path: String) async throws(GitError) {
        try await run(
            Call(arguments: ["init", "--quiet", "--bare", "--end-of-options", path], doing: "make a repository at", place: path))
    }
}
