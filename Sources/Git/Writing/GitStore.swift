import Base

/// A private bare repository in which commits are prepared before they are pushed: what the ledger writes through.
///
/// Every object that it makes is on the disk before it is named (`core.fsync=all`), and it is never collected: a commit
/// that waits for its push may not lose its objects.
public struct GitStore: Sendable {
    public let client: GitClient
    public let path: String
    /// Where it fetches from and pushes to.
    public let remote: GitClient.Remote

    /// The branch as the remote was last seen to have it.
    static let trackingPrefix = "refs/assay/remote/"

    /// Opens the repository, making it when it is not there or not whole.
    public init(at path: String, remote: GitClient.Remote, client: GitClient = GitClient()) async throws(GitError) {
        self.client = client
        self.path = path
        self.remote = remote
        let probe = PlainFile.isDirectory(path)
            ? try await client.result(.init(arguments: ["rev-parse", "--is-bare-repository"], repository: path, doing: "open")) : nil
        if probe?.succeeded != true {
            PlainFile.removeTree(path)
            do { try PlainFile.makeDirectories(PlainFile.parent(of: path), mode: 0o700) } catch {
                throw GitError(.storage, "cannot make the ledger's repository: \(error)")
            }
            try await client.run(.init(arguments: ["init", "--quiet", "--bare", "--end-of-options", path], doing: "make the repository", place: path))
        }
        // A partial clone: trees and commits come with a fetch, blobs never do; a remote without filters sends them all.
        for (key, value) in [
            ("core.fsync", "all"), ("gc.auto", "0"), ("remote.origin.url", remote.url.text), ("remote.origin.promisor", "true"),
            ("remote.origin.partialclonefilter", "blob:none"),
        ] {
            try await client.run(.init(arguments: ["config", key, value], repository: path, doing: "configure", place: path))
        }
    }

    // MARK: The remote's branch

    /// The remote's refs that matter for a branch: the branch itself and HEAD.
    public func look(at branch: GitBranch) async throws(GitError) -> RemoteRefs {
        try await client.listRemote(remote, patterns: [branch.ref])
    }

    /// Brings the branch's tip here, with its trees and without its history or files.
    /// - Returns: nil when the remote has no such branch.
    public func fetchTip(of branch: GitBranch) async throws(GitError) -> GitObjectID? {
        let tracking = Self.trackingPrefix + branch.name
        do {
            try await client.run(
                .init(
                    arguments: [
                        "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--depth=1", "--filter=blob:none", "--update-shallow",
                        "--end-of-options", "origin", "+\(branch.ref):\(tracking)",
                    ], repository: path, remote: remote, doing: "fetch \(branch) of"))
        } catch where error.kind == .refNotFound {
            return nil
        }
        return try await client.revParse(tracking, in: path)
    }

    // MARK: Objects

    /// Takes a packfile in, checking every object in it (`index-pack --strict`).
    public func take(pack: [UInt8]) async throws(GitError) {
        try await client.run(
            .init(
                arguments: ["index-pack", "--stdin", "--strict", "--threads=1"], repository: path, input: .bytes(pack),
                doing: "take a pack into", place: path))
    }

    public func contains(_ id: GitObjectID, type: String) async throws(GitError) -> Bool {
        // Never a lazy fetch: asking the remote for an object that only we have takes a connection and fails.
        try await client.result(
            .init(
                arguments: ["cat-file", "-e", "\(id.hex)^{\(type)}"], repository: path, configuration: [("remote.origin.promisor", "false")],
                environment: ["GIT_NO_LAZY_FETCH": "1"], doing: "look for \(id.short) in", place: path)
        ).succeeded
    }

    /// The entries directly below a path of a commit; empty when it has no such folder.
    public func entries(of commit: GitObjectID, at folder: GitPath) async throws(GitError) -> [TreeEntry] {
        do { return try await client.listTree(commit, at: folder, in: path) } catch where error.kind == .pathNotFound { return [] }
    }

    /// The entries of a tree object.
    public func entries(ofTree id: GitObjectID) async throws(GitError) -> [TreeEntry] {
        let output = try await client.run(.init(arguments: ["ls-tree", "-z", id.hex], repository: path, doing: "list a tree of", place: path))
        return try GitClient.parseTree(output)
    }

    /// Everything below a tree object, folders included.
    public func allEntries(ofTree id: GitObjectID) async throws(GitError) -> [TreeEntry] {
        let output = try await client.run(
            .init(arguments: ["ls-tree", "-r", "-t", "-z", id.hex], repository: path, doing: "list a tree of", place: path))
        return try GitClient.parseTree(output)
    }

    /// The content of a file of a commit, from here or, when only the remote has it, from there; nil when there is none.
    public func file(_ file: GitPath, of commit: GitObjectID, limit: Int = 64 << 20) async throws(GitError) -> [UInt8]? {
        guard let id = try await client.revParse("\(commit.hex):\(file.text)", in: path, remote: remote) else { return nil }
        return try await client.readBlob(id, limit: limit, in: path, remote: remote)
    }

    /// Makes the commits of a stream; returns the last one.
    public func build(_ stream: FastImportStream) async throws(GitError) -> GitObjectID {
        try await client.run(
            .init(
                arguments: ["fast-import", "--quiet", "--force", "--date-format=raw", "--depth=0"], repository: path,
                input: .bytes(stream.finished()), doing: "write \(stream.commits) commits into", place: path))
        guard let tip = try await client.revParse(FastImportStream.ref, in: path) else {
            throw GitError(.failed, "git fast-import made no commit in \(path)")
        }
        return tip
    }
}
