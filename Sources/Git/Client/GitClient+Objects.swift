import Base
import Glibc
import Subprocess

/// An entry of a tree.
public struct TreeEntry: Sendable, Hashable {
    public enum Kind: String, Sendable, Hashable { case file, executable, link, directory, submodule }

    public var kind: Kind
    public var id: GitObjectID
    /// The path relative to the listed tree.
    public var path: String
    /// The size in bytes of a file or a link, if sizes were requested.
    public var size: Int?

    public init(kind: Kind, id: GitObjectID, path: String, size: Int? = nil) {
        self.kind = kind
        self.id = id
        self.path = path
        self.size = size
    }

    public var isBlob: Bool { kind == .file || kind == .executable || kind == .link }
}

extension GitClient {
    /// Whether the repository has the object. Does not contact the remote.
    public func contains(_ id: GitObjectID, type: String = "commit", in repository: String) async throws(GitError) -> Bool {
        try await result(
            Call(arguments: ["cat-file", "-e", "\(id.hex)^{\(type)}"], repository: repository, doing: "look for \(id.short) in")
        ).succeeded
    }

    /// The full id for an expression that Assay composed (`refs/assay/next`, `<commit>:path`, an abbreviation); nil if it names nothing.
    public func revParse(_ expression: String, in repository: String, remote: Remote? = nil) async throws(GitError) -> GitObjectID? {
        let result = try await result(
            Call(
                arguments: ["rev-parse", "--verify", "--quiet", "--end-of-options", expression], repository: repository, remote: remote,
                doing: "resolve \(expression) in", place: repository))
        guard result.succeeded else { return nil }
        return GitObjectID(result.stdoutText.trimmedBlanks)
    }

    /// Lists the entries of a commit's tree at a path.
    ///
    /// - Parameters:
    ///   - recursive: lists all entries below the path, including directories, instead of only the direct ones.
    ///   - sizes: includes the sizes of blobs. The blobs must be in the repository.
    /// - Throws: `.pathNotFound` when the commit has no such directory.
    public func listTree(
        _ commit: GitObjectID, at path: GitPath = .root, recursive: Bool = false, sizes: Bool = false, in repository: String,
        remote: Remote? = nil
    ) async throws(GitError) -> [TreeEntry] {
        let spec = path.isRoot ? "\(commit.hex)^{tree}" : "\(commit.hex):\(path.text)"
        guard let tree = try await revParse(spec, in: repository, remote: remote) else {
            guard try await revParse("\(commit.hex)^{tree}", in: repository, remote: remote) != nil else {
                throw GitError(.corrupt, "commit \(commit.short) is missing or damaged in \(repository)")
            }
            throw GitError(.pathNotFound, "commit \(commit.short) has no path \(quoted(path.description))")
        }
        var arguments = ["ls-tree", "-z", "--full-tree"]
        if recursive { arguments += ["-r", "-t"] }
        if sizes { arguments.append("-l") }
        arguments.append(tree.hex)
        let call = Call(
            arguments: arguments, repository: repository, remote: remote, doing: "list \(quoted(path.description)) of commit \(commit.short) in",
            place: remote?.url.text ?? repository)
        let result = try await result(call)
        guard result.succeeded, !result.truncated else {
            if result.stderrText.contains("not a tree object") {
                throw GitError(.pathNotFound, "\(quoted(path.description)) in commit \(commit.short) is a file, not a folder")
            }
            throw failure(call, result)
        }
        return try Self.parseTree(result.stdout)
    }

    static func parseTree(_ output: [UInt8]) throws(GitError) -> [TreeEntry] {
        var entries: [TreeEntry] = []
        for record in output.split(separator: 0) {
            guard let tab = record.firstIndex(of: 9) else { continue }
            let fields = String(decoding: record[..<tab], as: UTF8.self).split(separator: " ")
            guard fields.count >= 3, let id = GitObjectID(fields[2]), let kind = kind(ofMode: fields[0]) else {
                throw GitError(.corrupt, "git listed a tree in a form that is not understood")
            }
            entries.append(
                TreeEntry(
                    kind: kind, id: id, path: String(decoding: record[record.index(after: tab)...], as: UTF8.self),
                    size: fields.count > 3 ? Int(fields[3]) : nil))
        }
        return entries
    }

    private static func kind(ofMode mode: Substring) -> TreeEntry.Kind? {
        switch mode {
        case "040000": .directory
        case "120000": .link
        case "160000": .submodule
        case "100755": .executable
        default: mode.hasPrefix("100") ? .file : nil
        }
    }

    /// The bytes of one blob, at most `limit`.
    public func readBlob(_ id: GitObjectID, limit: Int = 64 << 20, in repository: String, remote: Remote? = nil) async throws(GitError) -> [UInt8] {
        try await run(
            Call(
                arguments: ["cat-file", "blob", id.hex], repository: repository, remote: remote, outputLimit: limit,
                doing: "read \(id.short) from", place: remote?.url.text ?? repository))
    }

    /// Reads objects of any size through one `cat-file --batch`, in the order of `ids`.
    ///
    /// `receive` gets the index of an object, a piece of its bytes, and whether that is the last piece. It is called on git's queue and may
    /// write to files. An error that it throws ends the reading and is rethrown.
    public func readObjects(
        _ ids: [GitObjectID], in repository: String, remote: Remote? = nil,
        receive: @escaping @Sendable (_ index: Int, _ piece: ArraySlice<UInt8>, _ last: Bool) throws(GitError) -> Void
    ) async throws(GitError) {
        guard !ids.isEmpty else { return }
        let request = ids.map { $0.hex + "\n" }.joined()
        let call = Call(
            arguments: ["cat-file", "--batch"], repository: repository, remote: remote, input: .bytes(Array(request.utf8)),
            doing: "read objects from", place: remote?.url.text ?? repository)
        let reader = Locked((parser: BatchParser(ids: ids), error: GitError?.none))
        let errors = Locked([UInt8]())
        let running: RunningCommand
        do {
            running = try RunningCommand.start(
                command(call),
                onStdout: { chunk in
                    reader.withLock { state in
                        guard state.error == nil else { return }
                        do throws(GitError) {
                            try state.parser.feed(chunk, receive)
                        } catch {
                            state.error = error
                        }
                    }
                },
                onStderr: { chunk in errors.withLock { if $0.count < 1 << 16 { $0 += chunk } } })
        } catch {
            throw Self.startFailure(error, call)
        }
        let exit = await withTaskCancellationHandler {
            await running.wait()
        } onCancel: {
            running.signal(SIGKILL)
        }
        let (complete, error) = reader.withLock { ($0.parser.isComplete, $0.error) }
        if let error { throw error }
        if Task.isCancelled { throw GitError(.cancelled, "cannot \(call.doing): cancelled") }
        guard complete else {
            let stderr = errors.withLock { String(decoding: $0, as: UTF8.self) }
            throw GitFailure.classify(
                stderr: stderr.isEmpty ? "object file ended early" : stderr, exit: "\(exit)", timedOut: running.timedOut, doing: call.doing,
                place: call.place ?? repository)
        }
    }

    /// Reads several small objects at once. `limit` applies to the sum of their sizes.
    public func readBlobs(
        _ ids: [GitObjectID], limit: Int = 64 << 20, in repository: String, remote: Remote? = nil
    ) async throws(GitError) -> [[UInt8]] {
        let collected = Locked((blobs: [[UInt8]](repeating: [], count: ids.count), total: 0))
        try await readObjects(ids, in: repository, remote: remote) { (index, piece, _) throws(GitError) in
            try collected.withLock { (state) throws(GitError) in
                state.total += piece.count
                guard state.total <= limit else { throw GitError(.tooLarge, "the objects asked for are larger than \(limit) bytes") }
                state.blobs[index] += piece
            }
        }
        return collected.withLock { $0.blobs }
    }
}

/// Parses the output of `git cat-file --batch`: `<id> <type> <size>\n<bytes>\n` for each object.
struct BatchParser: Sendable {
    private enum State: Sendable { case header([UInt8]), body(left: Int), newline }

    private let ids: [GitObjectID]
    private var index = 0
    private var state = State.header([])

    init(ids: [GitObjectID]) { self.ids = ids }

    var isComplete: Bool { index == ids.count }

    mutating func feed(
        _ chunk: [UInt8], _ receive: (Int, ArraySlice<UInt8>, Bool) throws(GitError) -> Void
    ) throws(GitError) {
        var rest = chunk[...]
        while !rest.isEmpty {
            switch state {
            case .header(var line):
                guard let end = rest.firstIndex(of: 10) else {
                    line += rest
                    state = .header(line)
                    return
                }
                line += rest[..<end]
                rest = rest[(end + 1)...]
                let size = try size(String(decoding: line, as: UTF8.self))
                if size == 0 { try receive(index, [], true) }
                state = size == 0 ? .newline : .body(left: size)
            case .body(let left):
                let piece = rest.prefix(left)
                rest = rest.dropFirst(piece.count)
                try receive(index, piece, piece.count == left)
                state = piece.count == left ? .newline : .body(left: left - piece.count)
            case .newline:
                rest = rest.dropFirst()
                index += 1
                state = .header([])
            }
        }
    }

    private func size(_ header: String) throws(GitError) -> Int {
        let fields = header.split(separator: " ")
        guard index < ids.count else { throw GitError(.corrupt, "git answered more than it was asked") }
        guard fields.count == 3, let size = Int(fields[2]), size >= 0 else {
            throw GitError(.corrupt, "the object \(ids[index].short) is missing or damaged (git: \(quoted(header)))")
        }
        return size
    }
}

extension GitClient {
    /// Writes one commit, without its history, as a packfile.
    ///
    /// - Parameter base: the beginning of the file's path; git adds `-HASH.pack`.
    /// - Returns: the file.
    public func pack(_ commit: GitObjectID, of repository: String, base: String) async throws(GitError) -> String {
        let objects = try await run(
            Call(arguments: ["rev-list", "--objects", "--no-walk", commit.hex], repository: repository, doing: "list \(commit.short) in"))
        let output = try await run(
            Call(arguments: ["pack-objects", "-q", base], repository: repository, input: .bytes(objects), doing: "pack \(commit.short) in"))
        return "\(base)-\(String(decoding: output, as: UTF8.self).trimmed).pack"
    }
}
