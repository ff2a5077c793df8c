import Base

/// Local copies of single branches of remotes, for reading. They contain the commits, and only those trees and files that were read.
///
/// A remote that cannot filter sends all objects; the copy works in that case, too. Only one process at a time fetches.
public struct HistoryCache: Sendable {
    public let directory: String
    public let git: GitClient

    public init(directory: String, git: GitClient = GitClient()) {
        self.directory = directory
        self.git = git
    }

    /// Updates the copy to the branch's current state on the remote.
    /// - Throws: `.refNotFound`, with the branches that exist, when the remote does not have the branch.
    public func update(_ branch: GitBranch, from remote: GitClient.Remote) async throws(GitError) -> (repository: String, tip: GitObjectID) {
        let name = MirrorStore.name(for: remote)
        do { try Directory.make(directory, mode: 0o700) } catch {
            throw GitError(.storage, "cannot make the cache directory: \(error)")
        }
        let lock = try await FileLock.acquire("\(directory)/\(name).lock", deadline: 300)
        defer { lock.release() }
        let path = "\(directory)/\(name).git"
        do {
            return (path, try await fetch(branch, remote, path))
        } catch  where error.kind == .corrupt || error.kind == .failed {
            Directory.removeTree(path)
            return (path, try await fetch(branch, remote, path))
        }
    }

    /// Deletes the copy of a remote. The next read creates it again.
    public func forget(_ remote: GitClient.Remote) async throws(GitError) {
        let name = MirrorStore.name(for: remote)
        let lock = try await FileLock.acquire("\(directory)/\(name).lock", deadline: 300)
        defer { lock.release() }
        Directory.removeTree("\(directory)/\(name).git")
    }

    private func fetch(_ branch: GitBranch, _ remote: GitClient.Remote, _ path: String) async throws(GitError) -> GitObjectID {
        // The ledger's repository is configured in the same way, including for a remote on this machine.
        _ = try await GitStore(at: path, remote: remote, client: git)
        // The ref is named by a digest, because a branch name may contain slashes, and git cannot store both a ref `a` and a ref `a/b`.
        let ref = "refs/assay/read/\(SHA256.hex(of: branch.name.utf8).prefix(16))"
        do {
            try await git.run(
                .init(
                    arguments: [
                        "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--filter=tree:0", "--end-of-options",
                        "origin", "+\(branch.ref):\(ref)",
                    ], repository: path, remote: remote, doing: "fetch \(branch) of"))
        } catch  where error.kind == .refNotFound {
            let refs = try await git.listRemote(remote, patterns: ["refs/heads/*"])
            throw refs.noBranch(branch, place: remote.url.text)
        }
        guard let tip = try await git.revParse(ref, in: path) else { throw GitError(.corrupt, "the copy of \(remote.url) lost \(branch)") }
        return tip
    }

    /// Fetches the folders of a commit down to a level in one request. Best effort: a folder that is not fetched here is fetched
    /// when it is read, separately and with everything below it.
    public func prefetchFolders(of commit: GitObjectID, levels: Int, from remote: GitClient.Remote, in repository: String) async {
        guard let tree = await rootTree(of: commit, in: repository) else { return }
        let probe = GitClient.Call(
            arguments: ["cat-file", "-e", tree.hex], repository: repository, configuration: [("remote.origin.promisor", "false")],
            environment: ["GIT_NO_LAZY_FETCH": "1"], doing: "look for a tree in")
        if let there = try? await git.result(probe), there.succeeded { return }
        // The server always sends the requested tree, and does not count its level.
        _ = try? await git.fetchObjects([tree], filter: "tree:\(max(0, levels - 1))", into: repository, from: remote)
    }

    /// Fetches every folder of a commit in one request, without files. Best effort, as in `prefetchFolders`.
    public func prefetchAllFolders(of commit: GitObjectID, from remote: GitClient.Remote, in repository: String) async {
        guard let tree = await rootTree(of: commit, in: repository) else { return }
        if let missing = try? await git.missing(of: commit, in: repository), missing.isEmpty { return }
        _ = try? await git.fetchObjects([tree], filter: "blob:none", into: repository, from: remote)
    }

    /// Fetches the missing ones of the files, many in one request. Best effort, as in `prefetchFolders`.
    public func prefetch(_ files: [GitObjectID], from remote: GitClient.Remote, in repository: String) async {
        guard let store = try? await GitStore(at: repository, remote: remote, client: git), let missing = try? await store.missing(files) else {
            return
        }
        var rest = missing.sorted()[...]
        while !rest.isEmpty {
            _ = try? await git.fetchObjects(Array(rest.prefix(20_000)), filter: "blob:none", into: repository, from: remote)
            rest = rest.dropFirst(20_000)
        }
    }

    private func rootTree(of commit: GitObjectID, in repository: String) async -> GitObjectID? {
        let call = GitClient.Call(arguments: ["cat-file", "commit", commit.hex], repository: repository, doing: "read a commit of")
        guard let text = try? await git.run(call), let line = String(decoding: text, as: UTF8.self).split(separator: "\n").first,
            line.hasPrefix("tree ")
        else { return nil }
        return GitObjectID(line.dropFirst(5))
    }
}

/// A repository on this machine that is read directly.
public enum LocalRepository {
    /// The git directory for a path (a bare repository, a checkout or a worktree); nil if there is none.
    public static func gitDirectory(at path: String) -> String? {
        func isOne(_ directory: String) -> Bool {
            FileEntry.exists("\(directory)/HEAD") && (FileEntry.isDirectory("\(directory)/objects") || FileEntry.exists("\(directory)/commondir"))
        }
        if isOne(path) { return path }
        let inner = "\(path)/.git"
        if isOne(inner) { return inner }
        guard let text = FileReading.whole(inner, limit: 4096).map({ String(decoding: $0, as: UTF8.self) }), text.hasPrefix("gitdir: ") else {
            return nil
        }
        let target = text.dropFirst(8).prefix { !$0.isNewline }
        let absolute = target.hasPrefix("/") ? String(target) : "\(path)/\(target)"
        return isOne(absolute) ? absolute : nil
    }

    /// The tip of a branch of this repository, or else of a remote's branch as last fetched.
    /// - Throws: `.refNotFound`, with the branches that exist.
    public static func tip(of branch: GitBranch, in repository: String, git: GitClient) async throws(GitError) -> GitObjectID {
        let output = try await git.run(
            .init(
                arguments: ["for-each-ref", "--format=%(objectname)\t%(refname)", "refs/heads", "refs/remotes"], repository: repository,
                doing: "read the branches of"))
        let refs = RemoteRefs(parsing: String(decoding: output, as: UTF8.self))
        if let id = refs.commit(ofBranch: branch) { return id }
        let fetched = refs.refs.filter { name, _ in
            name.hasPrefix("refs/remotes/") && name.dropFirst("refs/remotes/".count).drop { $0 != "/" }.dropFirst() == branch.name
        }
        if let id = fetched["refs/remotes/origin/\(branch.name)"] ?? fetched.min(by: { $0.key < $1.key })?.value { return id }
        throw refs.noBranch(branch, place: repository)
    }

    /// Whether the repository is a shallow clone, as checkouts in CI are.
    public static func isShallow(_ repository: String, git: GitClient) async throws(GitError) -> Bool {
        let output = try await git.run(.init(arguments: ["rev-parse", "--is-shallow-repository"], repository: repository, doing: "look at"))
        return String(decoding: output, as: UTF8.self).trimmedBlanks == "true"
    }

    /// The address of a remote by its name (`origin`) in the repository that contains a directory; nil if the repository has no such remote.
    public static func remoteAddress(named name: String, around directory: String, git: GitClient) async throws(GitError) -> String? {
        guard let repository = enclosing(directory) else { return nil }
        let result = try await git.result(
            .init(arguments: ["config", "--local", "--get", "remote.\(name).url"], repository: repository, doing: "read the remotes of"))
        let text = result.stdoutText.trimmedBlanks
        return result.succeeded && !text.isEmpty ? text : nil
    }

    private static func enclosing(_ directory: String) -> String? {
        var path = directory
        while true {
            if let found = gitDirectory(at: path) { return found }
            let parent = Path.parent(of: path)
            guard parent != path else { return nil }
            path = parent
        }
    }
}

extension RemoteRefs {
    func noBranch(_ branch: GitBranch, place: String) -> GitError {
        var names = refs.keys.filter { $0.hasPrefix("refs/heads/") }.map { String($0.dropFirst("refs/heads/".count)) }.sorted()
        let more = names.count - 8
        names = Array(names.prefix(8))
        let has = names.isEmpty ? "it has no branch yet" : "it has: \(names.joined(separator: ", "))" + (more > 0 ? " and \(more) more" : "")
        return GitError(.refNotFound, "\(place) has no branch \(quoted(branch.name)); \(has)", hints: names)
    }
}
