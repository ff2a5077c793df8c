import Base
import Glibc

/// Bare copies of repositories, shared by everything on a machine that can reach the directory.
///
/// - Guarantees: a mirror that can be seen is complete (it was cloned aside and renamed); a commit that was asked for keeps a ref
///   in it; it is not shallow (except for a source that is shallow itself); one process at a time writes to it (`flock`).
///   What one Secret fetched is not shown to holders of another, and what a Secret's present content may not read is not shown
///   to its holders either: after a change of the content the remote is asked first.
/// - Recovery: a damaged mirror is moved aside and made anew; git runs inside the directory, so a reader of the old one is not
///   disturbed. What processes that died left behind is removed by `clean`.
/// - Caveats: with a `sizeLimit` a mirror stays only as long as somebody holds it (`open`); the least recently used go first.
public struct MirrorStore: Sendable {
    public let directory: String
    public let git: GitClient
    /// Seconds that a writer waits for another.
    public var lockDeadline = 1800.0
    /// Bytes of all mirrors together; nil: no limit. Mirrors in use are kept even when they are larger.
    public var sizeLimit: Int?
    /// Whose places clones and fetches take; nil: they do not wait.
    public var budget: CloneBudget?

    public init(directory: String, git: GitClient = GitClient(), sizeLimit: Int? = nil, budget: CloneBudget? = nil) {
        self.directory = directory
        self.git = git
        self.sizeLimit = sizeLimit
        self.budget = budget
    }

    /// A mirror that is in use: as long as this lives it is not evicted.
    public struct Mirror: Sendable {
        public let path: String
        /// nil on a read-only mount, where nothing is evicted.
        let lease: FileLock?
    }

    /// Where the mirror of a repository is, or would be.
    public func path(for remote: GitClient.Remote) -> String { "\(directory)/\(Self.name(for: remote)).git" }

    /// The directory's name: readable, and different for each address and Secret.
    static func name(for remote: GitClient.Remote) -> String {
        let readable = remote.url.name.unicodeScalars.map { isAlphanumeric(UInt8(truncatingIfNeeded: $0.value)) && $0.isASCII ? Character($0) : "-" }
        let key = SHA256.hex(of: Array("\(remote.url.text)\n\(remote.credentials.scope)".utf8)).prefix(16)
        return "\(String(readable.prefix(40)))-\(key)"
    }

    /// The mirror when it is there and has the commit; neither locks nor writes, so it works on a read-only mount.
    public func existing(_ remote: GitClient.Remote, having commit: GitObjectID) async throws(GitError) -> String? {
        let path = path(for: remote)
        guard FileEntry.isDirectory(path), isAdmitted(remote, path), try await git.contains(commit, in: path) else { return nil }
        return path
    }

    /// The mirror, having the commit: from what is there, else by fetching.
    ///
    /// - Throws: `.refNotFound` when the remote does not have the commit.
    public func open(_ commit: GitObjectID, from remote: GitClient.Remote) async throws(GitError) -> Mirror {
        let mirror = try await lease(remote)
        let path = mirror.path
        if FileEntry.isDirectory(path), isAdmitted(remote, path), try await git.revParse("\(Self.keepRef(commit))^{commit}", in: path) == commit { return mirror }
        let lock = try await lock(remote)
        defer { lock.release() }
        if FileEntry.isDirectory(path), try await git.contains(commit, in: path), try await isWhole(commit, path) {
            try await admit(remote, path)
            try await keep(commit, path)
            return mirror
        }
        try await refresh(remote, path)
        if try await !git.contains(commit, in: path) {
            // Not below any branch or tag: a pull request's head, or a commit that was pushed away.
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

    /// As `open`, for a caller that nothing is evicted under: the mirror's path.
    public func ensure(_ commit: GitObjectID, from remote: GitClient.Remote) async throws(GitError) -> String {
        try await open(commit, from: remote).path
    }

    /// The mirror with everything that the remote has now.
    public func update(_ remote: GitClient.Remote) async throws(GitError) -> Mirror {
        let mirror = try await lease(remote)
        let lock = try await lock(remote)
        defer { lock.release() }
        try await refresh(remote, mirror.path)
        await clean()
        return mirror
    }

    /// Makes the mirror anew, for a caller that found objects missing or damaged.
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

    /// Its file's time says when the mirror was used last.
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

    /// Whether the remote has let this very content of the Secret read the repository.
    private func isAdmitted(_ remote: GitClient.Remote, _ path: String) -> Bool {
        // Without a Secret's name the mirror is of this content alone.
        guard remote.credentials.scope != remote.credentials.key else { return true }
        return FileReading.whole(Self.admittedFile(path), limit: 1 << 10) == Array(remote.credentials.key.utf8)
    }

    /// Asks the remote when it has not let this content of the Secret in before.
    private func admit(_ remote: GitClient.Remote, _ path: String) async throws(GitError) {
        guard !isAdmitted(remote, path) else { return }
        _ = try await git.listRemote(remote, patterns: ["HEAD"])
        noteAdmitted(remote, path)
    }

    private func noteAdmitted(_ remote: GitClient.Remote, _ path: String) {
        guard remote.credentials.scope != remote.credentials.key else { return }
        // If it cannot be written the remote is asked again.
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
            // A remote's fault says nothing about the mirror.
            guard error.kind == .corrupt || error.kind == .failed || error.kind == .notARepository else { throw error }
            guard try await !isHealthy(path) || error.kind == .corrupt else { throw error }
            try await replace(remote, path)
        }
    }

    /// Clones to a name of our own, then renames over what was there.
    private func replace(_ remote: GitClient.Remote, _ path: String) async throws(GitError) {
        let name = Self.name(for: remote)
        removeLeftovers(of: name)
        let suffix = "\(getpid())-\(UInt32.random(in: 0 ... .max))"
        let fresh = "\(directory)/\(name).new-\(suffix)"
        do {
            try await git.initialise(fresh)
            try await fetchAll(remote, fresh)
        } catch {
            Directory.removeTree(fresh)
            throw error
        }
        if FileEntry.exists(path) {
            // Left aside for a while: a reader may be in it.
            rename(path, "\(directory)/\(name).old-\(suffix)")
        }
        guard rename(fresh, path) == 0 else {
            let why = String(cString: strerror(errno))
            Directory.removeTree(fresh)
            throw GitError(.storage, "cannot put the mirror of \(remote.url) in place: \(why)")
        }
    }

    private func fetchAll(_ remote: GitClient.Remote, _ path: String) async throws(GitError) {
        // A branch that the remote no longer has would stand in the way of one below its name (a, then a/b); commits that trials
        // need have refs of their own.
        try await fetch(remote, path, ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"], prune: true, doing: "fetch")
    }

    private func fetch(
        _ remote: GitClient.Remote, _ path: String, _ refspecs: [String], prune: Bool = false, doing: String
    ) async throws(GitError) {
        let place = try await budget?.enter(remote.url)
        defer { place?.release() }
        var arguments = ["fetch", "--progress", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--force"]
        if prune { arguments.append("--prune") }
        // A checkout in CI is often shallow; its mirror cannot be more.
        if remote.url.isLocal { arguments.append("--update-shallow") }
        let cleaned = Locked(0)
        try await git.runWatched(
            GitClient.Call(
                arguments: arguments + ["--end-of-options", remote.url.text] + refspecs, repository: path, remote: remote,
                deadline: git.settings.cloneDeadline, doing: doing)
        ) { bytes in
            // Makes room for a large repository while it comes.
            guard sizeLimit != nil, bytes - cleaned.withLock({ $0 }) > 64 << 20 else { return }
            cleaned.withLock { $0 = bytes }
            await clean()
        }
        noteAdmitted(remote, path)
    }

    private func keep(_ commit: GitObjectID, _ path: String) async throws(GitError) {
        try await git.run(
            GitClient.Call(arguments: ["update-ref", Self.keepRef(commit), commit.hex], repository: path, doing: "keep \(commit.short) in"))
    }

    private static func keepRef(_ commit: GitObjectID) -> String { "refs/assay/keep/\(commit.hex)" }

    /// Whether every object of the commit's tree is there.
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

    /// Lock files in a mirror are of a git that died: only ours run there, and we hold the lock around them all.
    private func removeStaleLocks(_ path: String) {
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
    /// Makes an empty bare repository.
    public func initialise(_ path: String) async throws(GitError) {
        try await run(
            Call(arguments: ["init", "--quiet", "--bare", "--end-of-options", path], doing: "make a repository at", place: path))
    }
}
