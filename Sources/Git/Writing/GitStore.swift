import Base
import Glibc

/// A private bare repository in which the ledger prepares commits before it pushes them.
///
/// Everything in it can be recreated (the ledger keeps its records outside of it until the remote has them), so it is not synced to
/// the disk, and is deleted if it is damaged. Of the remote's branch it fetches only the tip with the folders down to the
/// shards, without history and files. For a branch with 100,000 runs that is two megabytes.
public struct GitStore: Sendable {
    public let client: GitClient
    public let path: String
    /// The remote to fetch from and push to.
    public let remote: GitClient.Remote
    /// Whether the remote rejected a filter by depth (some hosts allow only `tree:0` and `blob:none`).
    private let plainFilter = Locked(false)
    private let unfiltered = Locked(false)
    /// Whether the remote turned out not to support filters. The first fetch of a branch then transfers all files of its tip.
    public var getsWholeTrees: Bool { unfiltered.withLock { $0 } }

    /// The prefix of refs that hold the remote's branches as last fetched.
    static let trackingPrefix = "refs/assay/remote/"

    /// Opens the repository. Creates it if it does not exist or is incomplete.
    public init(at path: String, remote: GitClient.Remote, client: GitClient = GitClient()) async throws(GitError) {
        self.client = client
        self.path = path
        self.remote = remote
        let configuration = Array(Self.configuration(remote.url).utf8)
        if FileEntry.isDirectory(path), FileReading.whole("\(path)/config") == configuration {
            let probe = try await client.result(.init(arguments: ["rev-parse", "--is-bare-repository"], repository: path, doing: "open"))
            if probe.succeeded { return }
        }
        Directory.removeTree(path)
        do { try Directory.make(Path.parent(of: path), mode: 0o700) } catch {
            throw GitError(.storage, "cannot make the ledger's repository: \(error)")
        }
        try await client.run(.init(arguments: ["init", "--quiet", "--bare", "--end-of-options", path], doing: "make the repository", place: path))
        do { try FileWriting.replace("\(path)/config", with: configuration, durable: false) } catch {
            throw GitError(.storage, "cannot configure the ledger's repository: \(error)")
        }
    }

    /// Configures a partial clone. Packs are kept, because unpacking them would write each object as a file.
    private static func configuration(_ url: GitURL) -> String {
        let address = url.text.map { $0 == "\\" || $0 == "\"" ? "\\\($0)" : "\($0)" }.joined()
        var text = """
            [core]
            \trepositoryformatversion = 1
            \tfilemode = true
            \tbare = true
            \tfsync = none
            \tcompression = 1
            [gc]
            \tauto = 0
            [fastimport]
            \tunpackLimit = 1
            [transfer]
            \tunpackLimit = 1
            [remote "origin"]
            \turl = "\(address)"
            \tpromisor = true
            \tpartialclonefilter = blob:none

            """
        // A repository on this machine may not be configured to allow filters.
        if url.isLocal { text += "\tuploadpack = \"\(localUploadPack)\"\n" }
        return text
    }

    static let localUploadPack = "git -c uploadpack.allowFilter=true -c uploadpack.allowAnySHA1InWant=true upload-pack"

    // MARK: The remote's branch

    /// The remote's refs that are relevant for a branch: the branch itself and HEAD.
    public func look(at branch: GitBranch) async throws(GitError) -> RemoteRefs {
        try await client.listRemote(remote, patterns: [branch.ref])
    }

    /// Fetches the branch's tip without its history and files.
    /// - Parameter levels: how many levels of folders are fetched. A remote without filters sends all folders and files.
    /// - Returns: nil if the remote has no such branch.
    public func fetchTip(of branch: GitBranch, levels: Int) async throws(GitError) -> GitObjectID? {
        let tracking = Self.trackingPrefix + branch.name
        let plain = plainFilter.withLock { $0 }
        var call = GitClient.Call(
            arguments: [
                "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--depth=1", "--filter=\(plain ? "blob:none" : "tree:\(levels)")",
                "--update-shallow", "--end-of-options", "origin", "+\(branch.ref):\(tracking)",
            ], repository: path, remote: remote, doing: "fetch \(branch) of")
        var result = try await client.result(call)
        if !result.succeeded, !plain, result.stderrText.contains("filter") {
            plainFilter.withLock { $0 = true }
            call.arguments[5] = "--filter=blob:none"
            result = try await client.result(call)
        }
        if result.stderrText.contains("filtering not recognized by server") { unfiltered.withLock { $0 = true } }
        guard result.succeeded else {
            // Only this message means that the branch does not exist. Similar ones mean that the remote changed during the fetch.
            if result.stderrText.contains("couldn't find remote ref") { return nil }
            throw client.failure(call, result)
        }
        return try await client.revParse(tracking, in: path)
    }

    // MARK: Objects

    /// The ones of the objects that the repository does not have. Does not contact the remote, because these objects exist only here.
    public func missing(_ ids: [GitObjectID]) async throws(GitError) -> Set<GitObjectID> {
        guard !ids.isEmpty else { return [] }
        let output = try await client.run(
            .init(
                arguments: ["cat-file", "--batch-check=%(objecttype)"], repository: path,
                input: .bytes(Array(ids.map { $0.hex + "\n" }.joined().utf8)), configuration: [("remote.origin.promisor", "false")],
                environment: ["GIT_NO_LAZY_FETCH": "1"], doing: "look for objects in", place: path))
        let lines = String(decoding: output, as: UTF8.self).split(separator: "\n")
        guard lines.count == ids.count else { throw GitError(.corrupt, "git answered \(lines.count) times for \(ids.count) objects in \(path)") }
        return Set(zip(ids, lines).filter { $0.1.hasSuffix(" missing") }.map(\.0))
    }

    /// The direct entries of tree objects that are in the repository.
    public func entries(ofTrees ids: [GitObjectID]) async throws(GitError) -> [[TreeEntry]] {
        var trees: [[TreeEntry]] = []
        for bytes in try await client.readBlobs(ids, limit: 1 << 30, in: path) {
            trees.append(try RawTree.entries(bytes, idLength: (ids.first?.hex.count ?? 40) / 2))
        }
        return trees
    }

    /// Everything below a tree object, including folders.
    public func allEntries(ofTree id: GitObjectID) async throws(GitError) -> [TreeEntry] {
        let output = try await client.run(
            .init(arguments: ["ls-tree", "-r", "-t", "-z", id.hex], repository: path, doing: "list a tree of", place: path))
        return try GitClient.parseTree(output)
    }

    /// The first of the folders or their parents that is not a folder in a commit; nil if all of the folders can be written to. The
    /// parents must have been fetched by `fetchTip`; the remote is not contacted.
    public func fileBlocking(_ folders: Set<GitPath>, in commit: GitObjectID) async throws(GitError) -> GitPath? {
        let paths = Set(folders.flatMap { folder in folder.isRoot ? [] : (1...folder.components.count).map { folder.prefix($0) } })
        for output in try await list(paths.sorted(), of: commit, [], asFolders: false) {
            for entry in try GitClient.parseTree(output) where entry.kind != .directory {
                let path = try GitPath(parsing: entry.path)
                if paths.contains(path) { return path }
            }
        }
        return nil
    }

    /// Which of a set of files exist in a commit.
    public struct Presence: Sendable, Hashable {
        public var found: Set<GitPath> = []
        /// The path of something that is in the way: not a folder where a file's folder has to be, or not a file where the file has to be.
        public var blocked: GitPath?
    }

    /// Which of the files exist in a commit. Starts no process and sends no request for each single file.
    ///
    /// - Parameter level: the depth of folders that are certainly here (fetched by `fetchTip`). Deeper folders that may contain one of
    ///   the files are fetched together.
    public func existing(_ files: Set<GitPath>, in commit: GitObjectID, level: Int) async throws(GitError) -> Presence {
        var alive = files
        var presence = Presence()
        var depth = max(level, 1)
        while !alive.isEmpty {
            let folders = Set(alive.map { $0.prefix(depth) }).sorted()
            var entries: [GitPath: TreeEntry] = [:]
            for entry in try await list(folders, of: commit) { entries[try GitPath(parsing: entry.path)] = entry }
            var next: Set<GitPath> = []
            var trees: [GitObjectID] = []
            for file in alive {
                guard let entry = entries[file.prefix(depth + 1)] else { continue }
                if file.components.count == depth + 1 {
                    if entry.isBlob { presence.found.insert(file) } else { presence.blocked = file }
                } else if entry.kind == .directory {
                    next.insert(file)
                    trees.append(entry.id)
                } else {
                    presence.blocked = file.prefix(depth + 1)
                }
            }
            if next.count > 1 { await fetchTogether(Array(Set(trees))) }
            alive = next
            depth += 1
        }
        return presence
    }

    private func list(_ folders: [GitPath], of commit: GitObjectID) async throws(GitError) -> [TreeEntry] {
        var entries: [TreeEntry] = []
        for output in try await list(folders, of: commit, []) { entries += try GitClient.parseTree(output) }
        return entries
    }

    /// - Parameter asFolders: true lists the entries in the folders; false lists the folders themselves, except those that contain another path.
    private func list(
        _ folders: [GitPath], of commit: GitObjectID, _ options: [String], asFolders: Bool = true
    ) async throws(GitError) -> [[UInt8]] {
        var outputs: [[UInt8]] = []
        var rest = folders[...]
        while !rest.isEmpty {
            let some = rest.prefix(300)
            rest = rest.dropFirst(300)
            outputs.append(
                try await client.run(
                    .init(
                        arguments: ["ls-tree", "-z", "--full-tree"] + options + [commit.hex, "--"]
                            + some.map { $0.isRoot ? "." : $0.text + (asFolders ? "/" : "") },
                        repository: path, remote: remote, doing: "list folders of")))
        }
        return outputs
    }

    /// The ones of the folders that a commit does not have. All parents must have been fetched by `fetchTip`; the remote is not
    /// contacted.
    public func absent(_ folders: Set<GitPath>, in commit: GitObjectID) async throws(GitError) -> Set<GitPath> {
        var absent = Dictionary(folders.map { ($0.text, $0) }, uniquingKeysWith: { first, _ in first })
        for output in try await list(Set(folders.map(\.parent)).sorted(), of: commit, ["--name-only"]) {
            for name in output.split(separator: 0) { absent[String(decoding: name, as: UTF8.self)] = nil }
        }
        return Set(absent.values)
    }

    /// Fetches objects in one request. Best effort: each object that is not fetched here is fetched separately when it is read.
    private func fetchTogether(_ ids: [GitObjectID]) async {
        guard let absent = try? await missing(ids), !absent.isEmpty else { return }
        _ = try? await client.fetchObjects(absent.sorted(), filter: "blob:none", into: path, from: remote)
    }

    /// The content of a file of a commit, fetched from the remote if necessary; nil if the file does not exist.
    public func file(_ file: GitPath, of commit: GitObjectID, limit: Int = 64 << 20) async throws(GitError) -> [UInt8]? {
        guard let id = try await client.revParse("\(commit.hex):\(file.text)", in: path, remote: remote) else { return nil }
        return try await client.readBlob(id, limit: limit, in: path, remote: remote)
    }

    /// Creates the commits of a stream. Returns the last one.
    public func build(_ stream: FastImportStream) async throws(GitError) -> GitObjectID {
        // The parent's folders may have to be fetched from the remote.
        let doing = "write \(stream.commits) commits into"
        let output = try await client.run(
            .init(
                arguments: ["fast-import", "--quiet", "--force", "--date-format=raw", "--depth=\(Self.treeDepth)"], repository: path, remote: remote,
                input: .bytes(stream.finished()), deadline: client.settings.localDeadline, doing: doing, place: path))
        guard let tip = GitObjectID(String(decoding: output, as: UTF8.self).trimmedBlanks) else {
            throw GitError(.failed, "git fast-import made no commit in \(path)")
        }
        return tip
    }

    /// Each commit writes the shards' folders again with one entry changed. Stored as deltas they take half the space.
    private static let treeDepth = 50
}

extension GitClient {
    /// Fetches objects into a partial clone in one request, with the command that git itself runs for each single missing object
    /// (promisor-remote.c, `fetch_objects`).
    func fetchObjects(_ ids: [GitObjectID], filter: String, into repository: String, from remote: Remote) async throws(GitError) {
        let request = ids.map { $0.hex + "\n" }.joined()
        try await run(
            Call(
                arguments: [
                    "-c", "fetch.negotiationAlgorithm=noop", "fetch", "--quiet", "origin", "--no-tags", "--no-write-fetch-head",
                    "--recurse-submodules=no", "--filter=\(filter)", "--stdin",
                ], repository: repository, remote: remote, input: .bytes(Array(request.utf8)), doing: "fetch objects of"))
    }
}
