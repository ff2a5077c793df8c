import Base
import Glibc

/// Bare copies of repositories, shared by everything on a machine that can reach the directory.
///
/// Guarantees: a mirror that can be seen is complete (it was cloned aside and renamed); nothing in it is ever collected,
/// and a commit that was asked for keeps a ref; it is not shallow (but for a source that is shallow itself); one process
/// at a time writes to it (`flock`), readers need no lock. Recovery: a damaged mirror is moved aside and made anew; git
/// runs inside the directory, so a reader of the old one goes on undisturbed. Private repositories are kept apart by
/// credential: what one credential fetched is not shown to another.
public struct MirrorStore: Sendable {
    public let directory: String
    public let git: GitClient
    /// Seconds that a writer waits for another.
    public var lockDeadline = 7200.0

    public init(directory: String, git: GitClient = GitClient()) {
        self.directory = directory
        self.git = git
    }

    /// Where the mirror of a repository is, or would be.
    public func path(for remote: GitClient.Remote) -> String { "\(directory)/\(Self.name(for: remote)).git" }

    /// The directory's name: readable, and different for each address and credential.
    static func name(for remote: GitClient.Remote) -> String {
        let readable = remote.url.name.unicodeScalars.map { isAlphanumeric(UInt8(truncatingIfNeeded: $0.value)) && $0.isASCII ? Character($0) : "-" }
        let key = SHA256.hex(of: Array("\(remote.url.text)\n\(remote.credentials.key)".utf8)).prefix(16)
        return "\(String(readable.prefix(40)))-\(key)"
    }

    /// The mirror when it is there and has the commit; neither locks nor writes, so it works on a read-only mount.
    public func existing(_ remote: GitClient.Remote, having commit: GitObjectID) async throws(GitError) -> String? {
        let path = path(for: remote)
        guard FileEntry.isDirectory(path), try await git.contains(commit, in: path) else { return nil }
        return path
    }

    /// The mirror, having the commit: from what is there, else by fetching.
    ///
    /// - Throws: `.refNotFound` when the remote does not have the commit.
    public func ensure(_ commit: GitObjectID, from remote: GitClient.Remote) async throws(GitError) -> String {
        let path = path(for: remote)
        if FileEntry.isDirectory(path), try await git.revParse("\(Self.keepRef(commit))^{commit}", in: path) == commit { return path }
        let lock = try await lock(remote)
        defer { lock.release() }
        if FileEntry.isDirectory(path), try await git.contains(commit, in: path), try await isWhole(commit, path) {
            try await keep(commit, path)
            return path
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
        return path
    }

    /// The mirror with everything that the remote has now.
    public func update(_ remote: GitClient.Remote) async throws(GitError) -> String {
        let path = path(for: remote)
        let lock = try await lock(remote)
        defer { lock.release() }
        try await refresh(remote, path)
        return path
    }

    /// Makes the mirror anew, for a caller that found objects missing or damaged.
    public func rebuild(_ remote: GitClient.Remote) async throws(GitError) {
        let lock = try await lock(remote)
        defer { lock.release() }
        try await replace(remote, path(for: remote))
    }

    // MARK: Under the lock

    private func lock(_ remote: GitClient.Remote) async throws(GitError) -> FileLock {
        do {
            try Directory.make(directory)
        } catch {
            throw GitError(.storage, "cannot make the cache directory: \(error)")
        }
        return try await FileLock.acquire("\(directory)/\(Self.name(for: remote)).lock", deadline: lockDeadline)
    }

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
        for left in Directory.names(in: directory) ?? [] where left.hasPrefix("\(name).new-") || left.hasPrefix("\(name).old-") {
            Directory.removeTree("\(directory)/\(left)")  // of a process that died: we hold the lock
        }
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
            // Left aside until the next rebuild: a reader may be in it.
            rename(path, "\(directory)/\(name).old-\(suffix)")
        }
        guard rename(fresh, path) == 0 else {
            let why = String(cString: strerror(errno))
            Directory.removeTree(fresh)
            throw GitError(.storage, "cannot put the mirror of \(remote.url) in place: \(why)")
        }
    }

    private func fetchAll(_ remote: GitClient.Remote, _ path: String) async throws(GitError) {
        // A branch that the remote no longer has stands in the way of one below its name (a, then a/b); what trials need has refs
        // of its own.
        try await fetch(remote, path, ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"], prune: true, doing: "fetch")
    }

    private func fetch(
        _ remote: GitClient.Remote, _ path: String, _ refspecs: [String], prune: Bool = false, doing: String
    ) async throws(GitError) {
        var arguments = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--force"]
        if prune { arguments.append("--prune") }
        // A checkout in CI is often shallow; its mirror cannot be more.
        if remote.url.isLocal { arguments.append("--update-shallow") }
        try await git.run(
            GitClient.Call(
                arguments: arguments + ["--end-of-options", remote.url.text] + refspecs, repository: path, remote: remote,
                deadline: git.settings.cloneDeadline, doing: doing))
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

    /// Lock files in a mirror are of a git that died: ours are the only ones, and we hold the lock around them all.
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
