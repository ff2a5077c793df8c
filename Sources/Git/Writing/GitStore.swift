import Base

/// A private bare repository in which commits are prepared before they are pushed: what the ledger writes through.
///
/// It holds nothing that cannot be made again (the ledger keeps its records beside it until the remote has them), so it
/// does not wait for the disk, and a damaged one is thrown away. Of the remote's branch it gets the tip alone, with the
/// folders down to the shards: a branch with 100,000 runs costs two megabytes, and no history and no file of theirs.
public struct GitStore: Sendable {
    public let client: GitClient
    public let path: String
    /// Where it fetches from and pushes to.
    public let remote: GitClient.Remote
    /// Whether the remote turned down a filter by depth (some hosts allow only `tree:0` and `blob:none`).
    private let plainFilter = Locked(false)

    /// The branch as the remote was last seen to have it.
    static let trackingPrefix = "refs/assay/remote/"

    /// Opens the repository, making it when it is not there or not whole.
    public init(at path: String, remote: GitClient.Remote, client: GitClient = GitClient()) async throws(GitError) {
        self.client = client
        self.path = path
        self.remote = remote
        let configuration = Array(Self.configuration(remote.url).utf8)
        if PlainFile.isDirectory(path), PlainFile.read("\(path)/config") == configuration {
            let probe = try await client.result(.init(arguments: ["rev-parse", "--is-bare-repository"], repository: path, doing: "open"))
            if probe.succeeded { return }
        }
        PlainFile.removeTree(path)
        do { try PlainFile.makeDirectories(PlainFile.parent(of: path), mode: 0o700) } catch {
            throw GitError(.storage, "cannot make the ledger's repository: \(error)")
        }
        try await client.run(.init(arguments: ["init", "--quiet", "--bare", "--end-of-options", path], doing: "make the repository", place: path))
        do { try PlainFile.replace("\(path)/config", with: configuration, durable: false) } catch {
            throw GitError(.storage, "cannot configure the ledger's repository: \(error)")
        }
    }

    /// A partial clone. Packs stay packs: unpacking them would write each object as a file.
    private static func configuration(_ url: GitURL) -> String {
        let address = url.text.map { $0 == "\\" || $0 == "\"" ? "\\\($0)" : "\($0)" }.joined()
        var text = """
            [core]
            \trepositoryformatversion = 1
            \tfilemode = true
            \tbare = true
            \tfsync = none
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
        // A repository on this machine need not have been set up for filters.
        if url.isLocal { text += "\tuploadpack = \"\(localUploadPack)\"\n" }
        return text
    }

    static let localUploadPack = "git -c uploadpack.allowFilter=true -c uploadpack.allowAnySHA1InWant=true upload-pack"

    // MARK: The remote's branch

    /// The remote's refs that matter for a branch: the branch itself and HEAD.
    public func look(at branch: GitBranch) async throws(GitError) -> RemoteRefs {
        try await client.listRemote(remote, patterns: [branch.ref])
    }

    /// Brings the branch's tip here, without its history or files.
    /// - Parameter levels: how many levels of folders come with it; a remote without filters sends all and the files, too.
    /// - Returns: nil when the remote has no such branch.
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
        guard result.succeeded else {
            let error = client.failure(call, result)
            if error.kind == .refNotFound { return nil }
            throw error
        }
        return try await client.revParse(tracking, in: path)
    }

    // MARK: Objects

    /// Takes a packfile in, checking every object in it (`index-pack --strict`).
    ///
    /// - Returns: whether the object is here then.
    /// - Throws: `.corrupt` when the pack is not whole or holds what git does not accept.
    public func take(pack: [UInt8], holding id: GitObjectID) async throws(GitError) -> Bool {
        let call = GitClient.Call(
            arguments: ["index-pack", "--stdin", "--strict", "--threads=1"], repository: path, input: .bytes(pack), doing: "take a pack into",
            place: path)
        let result = try await client.result(call)
        if result.succeeded {
            // `pack\t<name>`, or `keep\t<name>`. Its index tells without another process, of which each record would need one.
            let name = result.stdoutText.split(whereSeparator: \.isWhitespace).last.map(String.init) ?? ""
            if let index = PlainFile.read("\(path)/objects/pack/pack-\(name).idx"), PackIndex.contains(id, in: index) { return true }
            return try await missing([id]).isEmpty
        }
        let error = client.failure(call, result)
        // What is said of a pack that ends early reads like a broken connection, and there is none here.
        guard error.kind != .storage, !result.timedOut, case .code = result.exit else { throw error }
        throw GitError(.corrupt, "the pack is not whole, or holds what git does not accept (git: \(GitFailure.summary(result.stderrText)))")
    }

    /// Those of the objects that are not here. Asks no remote: it has no connection to spend on what only we have.
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

    /// The direct entries of tree objects that are here.
    public func entries(ofTrees ids: [GitObjectID]) async throws(GitError) -> [[TreeEntry]] {
        var trees: [[TreeEntry]] = []
        for bytes in try await client.readBlobs(ids, limit: 1 << 30, in: path) {
            trees.append(try RawTree.entries(bytes, idLength: (ids.first?.hex.count ?? 40) / 2))
        }
        return trees
    }

    /// Everything below a tree object, folders included.
    public func allEntries(ofTree id: GitObjectID) async throws(GitError) -> [TreeEntry] {
        let output = try await client.run(
            .init(arguments: ["ls-tree", "-r", "-t", "-z", id.hex], repository: path, doing: "list a tree of", place: path))
        return try GitClient.parseTree(output)
    }

    /// Which of the files a commit has, without a process, or a request to the remote, for each.
    ///
    /// - Parameter level: the depth of folders that are surely here (what `fetchTip` brought); deeper ones are fetched
    ///   together when a file may lie in them.
    public func existing(_ files: Set<GitPath>, in commit: GitObjectID, level: Int) async throws(GitError) -> Set<GitPath> {
        var alive = files
        var found: Set<GitPath> = []
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
                    if entry.isBlob { found.insert(file) }
                } else if entry.kind == .directory {
                    next.insert(file)
                    trees.append(entry.id)
                }
            }
            if next.count > 1 { await fetchTogether(Array(Set(trees))) }
            alive = next
            depth += 1
        }
        return found
    }

    private func list(_ folders: [GitPath], of commit: GitObjectID) async throws(GitError) -> [TreeEntry] {
        var entries: [TreeEntry] = []
        var rest = folders[...]
        while !rest.isEmpty {
            let some = rest.prefix(200)
            rest = rest.dropFirst(200)
            let output = try await client.run(
                .init(
                    arguments: ["ls-tree", "-z", "--full-tree", commit.hex, "--"] + some.map { $0.text + "/" }, repository: path, remote: remote,
                    doing: "list folders of"))
            entries += try GitClient.parseTree(output)
        }
        return entries
    }

    /// A favour: whatever does not come this way is asked for one by one when it is read.
    private func fetchTogether(_ ids: [GitObjectID]) async {
        guard let absent = try? await missing(ids), !absent.isEmpty else { return }
        _ = try? await client.fetchObjects(absent.sorted(), filter: "blob:none", into: path, from: remote)
    }

    /// The content of a file of a commit, from here or, when only the remote has it, from there; nil when there is none.
    public func file(_ file: GitPath, of commit: GitObjectID, limit: Int = 64 << 20) async throws(GitError) -> [UInt8]? {
        guard let id = try await client.revParse("\(commit.hex):\(file.text)", in: path, remote: remote) else { return nil }
        return try await client.readBlob(id, limit: limit, in: path, remote: remote)
    }

    /// Makes the commits of a stream; returns the last one.
    public func build(_ stream: FastImportStream) async throws(GitError) -> GitObjectID {
        // The parent's folders may have to come from the remote.
        try await client.run(
            .init(
                arguments: ["fast-import", "--quiet", "--force", "--date-format=raw", "--depth=0"], repository: path, remote: remote,
                input: .bytes(stream.finished()), deadline: client.settings.localDeadline, doing: "write \(stream.commits) commits into", place: path))
        guard let tip = try await client.revParse(FastImportStream.ref, in: path) else {
            throw GitError(.failed, "git fast-import made no commit in \(path)")
        }
        return tip
    }
}

extension GitClient {
    /// Gets objects into a partial clone in one request: what git itself runs to get missing ones, each by itself
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
