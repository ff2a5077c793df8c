import Base
import Glibc

/// A commit object in git's storage format (git-commit-tree(1)): header lines, an empty line, the message.
public struct RawCommit: Sendable, Hashable {
    /// `Name <address> seconds zone`, unchanged.
    public let author: [UInt8]
    public let committer: [UInt8]
    /// The encoding of the message, if it is not UTF-8.
    public let encoding: [UInt8]?
    public let message: [UInt8]

    /// nil if the bytes are not a commit.
    public init?(_ bytes: [UInt8]) {
        var rest = bytes[...]
        var fields: [String: [UInt8]] = [:]
        while let end = rest.firstIndex(of: 10), end > rest.startIndex {
            let line = rest[..<end]
            rest = rest[(end + 1)...]
            guard let space = line.firstIndex(of: 0x20), space > line.startIndex else { continue }
            let key = String(decoding: line[..<space], as: UTF8.self)
            if fields[key] == nil { fields[key] = Array(line[(space + 1)...]) }
        }
        guard let author = fields["author"], let committer = fields["committer"], rest.first == 10 else { return nil }
        self.author = author
        self.committer = committer
        encoding = fields["encoding"]
        message = Array(rest.dropFirst())
    }
}

/// A new history that replaces an old one. It is written to a file as input for `git fast-import`, because it may be larger
/// than the memory.
///
/// It begins with a root commit that has a given tree without some paths. Commits of the old history follow with their authors, dates
/// and messages unchanged, and each adds the trees given for it.
public final class HistoryRewrite: Sendable {
    public let path: String
    private let file: Locked<Int32>

    /// - Parameters:
    ///   - path: a file that does not exist yet. The caller removes it.
    ///   - tree: the tree of the root commit, before the paths in `removing` are removed.
    public init(
        at path: String, committer: FastImportStream.Identity, date: Timestamp, message: String, tree: GitObjectID, removing: [GitPath]
    ) throws(GitError) {
        self.path = path
        let fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard fd >= 0 else { throw GitError(.storage, "cannot create \(path): \(String(cString: strerror(errno)))") }
        file = Locked(fd)
        let text = Array((message.hasSuffix("\n") ? message : message + "\n").utf8)
        var bytes = Array("feature done\nreset \(FastImportStream.ref)\n\n".utf8)
        bytes += Array(
            "commit \(FastImportStream.ref)\ncommitter \(committer.name) <\(committer.email)> \(date.seconds) +0000\ndata \(text.count)\n".utf8)
        bytes += text
        bytes += Array("M 040000 \(tree.hex) \"\"\n".utf8)
        for path in removing { bytes += Array("D \(FastImportStream.pathText(path))\n".utf8) }
        try write(bytes + [10])
    }

    deinit { file.withLock { if $0 >= 0 { close($0) } } }

    /// Adds a commit of the old history, with trees that the repository has.
    public func add(_ commit: RawCommit, trees: [(GitObjectID, at: GitPath)]) throws(GitError) {
        var bytes = Array("commit \(FastImportStream.ref)\nauthor ".utf8) + commit.author
        bytes += Array("\ncommitter ".utf8) + commit.committer
        if let encoding = commit.encoding { bytes += Array("\nencoding ".utf8) + encoding }
        bytes += Array("\ndata \(commit.message.count)\n".utf8) + commit.message + [10]
        for (id, path) in trees { bytes += Array("M 040000 \(id.hex) \(FastImportStream.pathText(path))\n".utf8) }
        try write(bytes + [10])
    }

    func finish() throws(GitError) {
        try write(Array("done\n".utf8))
        file.withLock { fd in
            close(fd)
            fd = -1
        }
    }

    private func write(_ bytes: [UInt8]) throws(GitError) {
        do throws(FileError) {
            try file.withLock { (fd) throws(FileError) in try FileWriting.write(bytes, to: fd, path: path) }
        } catch {
            throw GitError(.storage, "cannot write the new history: \(error)")
        }
    }
}

extension GitStore {
    /// Creates the commits of a new history. Returns its tip.
    public func build(_ rewrite: HistoryRewrite) async throws(GitError) -> GitObjectID {
        try rewrite.finish()
        try await client.run(
            .init(
                arguments: ["fast-import", "--quiet", "--force", "--date-format=raw-permissive", "--depth=0"], repository: path, remote: remote,
                input: .file(path: rewrite.path), deadline: 3600, doing: "write the new history into", place: path))
        guard let tip = try await client.revParse(FastImportStream.ref, in: path) else {
            throw GitError(.failed, "git fast-import made no commit in \(path)")
        }
        return tip
    }

    /// Replaces a branch's tip with a commit that need not follow it, if the branch is still exactly at the old tip
    /// (`--force-with-lease=ref:expected`). This is Assay's only push that is not a fast-forward. It is made only when a person asks for it.
    public func replace(_ old: GitObjectID, with new: GitObjectID, of branch: GitBranch) async throws(GitError) -> PushOutcome {
        let call = GitClient.Call(
            arguments: [
                "push", "--porcelain", "--no-verify", "--no-follow-tags", "--force-with-lease=\(branch.ref):\(old.hex)", "--end-of-options", "origin",
                "\(new.hex):\(branch.ref)",
            ], repository: path, remote: remote, doing: "push to \(branch) of")
        let result = try await client.result(call)
        if let line = PushReport.line(of: branch, in: result.stdoutText) {
            let outcome = PushReport.outcome(line, stderr: result.stderrText)
            // A server that refuses every push that is not a fast-forward. This is its policy, not a race, because the lease held.
            if case .conflict(let why) = outcome, why.contains("non-fast-forward") || why.contains("denying non-fast-forward") {
                return .refused(why)
            }
            if outcome != .accepted || result.succeeded { return outcome }
        }
        let error = client.failure(call, result)
        switch error.kind {
        case .authentication, .refused, .notARepository, .tooLarge: return .refused(error.message)
        case .cancelled, .gitMissing, .storage: throw error
        default: return .unknown(error)
        }
    }
}
