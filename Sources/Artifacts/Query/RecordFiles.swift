import Base
import EvalModel
import Git
import Glibc

/// A file of a record: its path and how to read it.
public struct RecordFile: Sendable, Hashable {
    public var run: RunID
    /// The number of the retry that the file belongs to; nil for a file of the run or job itself.
    public var retry: Int?
    /// The path below the record's folder as it is stored. It has not been checked to be safe.
    public var name: String
    var content: Content

    enum Content: Sendable, Hashable {
        case blob(GitObjectID)
        case file(String)
        /// A link or a nested repository. It is reported but never read.
        case other
    }

    /// The path below the folder that contains the results.
    public var path: String { folder + "/" + name }
    /// The record's folder.
    public var folder: String { retry.map { "\(run.path)/\(PendingRun.retriesFolder)/\($0)" } ?? run.path }
    public var isMetadata: Bool { name == PendingRun.metadataFile }
    public var isReadable: Bool { content != .other }

    /// nil for a path that is not inside a run's folder: `<two digits>/<fourteen>/...`.
    init?(path: String, content: Content) {
        var parts = path.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0].utf8.count == 2, let id = RunID(String(parts[0] + parts[1])) else { return nil }
        run = id
        self.content = content
        if parts[2].hasPrefix(PendingRun.retriesFolder + "/") {
            parts = parts[2].split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false)
            if parts.count == 3, let number = Int(parts[1]), number >= 0, String(number) == parts[1] {
                retry = number
                name = String(parts[2])
                return
            }
            name = parts.joined(separator: "/")
            return
        }
        name = String(parts[2])
    }
}

/// A place whose records can be read file by file.
public protocol RecordStore: RunReader {
    /// The files that `wanted` accepts, sorted by path. `wanted` is called once for each file of a record, and `others` gets the path
    /// of each other file.
    func recordFiles(where wanted: @escaping @Sendable (RecordFile) -> Bool, others: @escaping @Sendable (String) -> Void) async throws(ArtifactError)
        -> [RecordFile]
    /// Passes the bytes of the files to the receiver, in order and in pieces. An error thrown by the receiver ends the reading.
    func read(
        _ files: [RecordFile], receive: @escaping @Sendable (_ index: Int, _ piece: ArraySlice<UInt8>, _ last: Bool) throws(ArtifactError) -> Void
    ) async throws(ArtifactError)
}

extension RecordStore {
    public func recordFiles(where wanted: @escaping @Sendable (RecordFile) -> Bool) async throws(ArtifactError) -> [RecordFile] {
        try await recordFiles(where: wanted, others: { _ in })
    }

    /// The whole contents of small files. A file larger than `limit` bytes is cut off there.
    func contents(_ files: [RecordFile], limit: Int) async throws(ArtifactError) -> [[UInt8]] {
        let collected = Locked([[UInt8]](repeating: [], count: files.count))
        try await read(files) { (index, piece, _) throws(ArtifactError) in
            collected.withLock { $0[index] += piece.prefix(max(0, limit - $0[index].count)) }
        }
        return collected.withLock { $0 }
    }
}

extension BranchReader: RecordStore {
    public func recordFiles(
        where wanted: @escaping @Sendable (RecordFile) -> Bool, others: @escaping @Sendable (String) -> Void
    ) async throws(ArtifactError) -> [RecordFile] {
        if let cache, let remote { await cache.prefetchAllFolders(of: tip, from: remote, in: repository) }
        let found = Locked([RecordFile]())
        do throws(GitError) {
            try await git.forEachFile(of: tip, at: path, in: repository, remote: remote) { entry in
                let content: RecordFile.Content = entry.kind == .file || entry.kind == .executable ? .blob(entry.id) : .other
                guard let file = RecordFile(path: entry.path, content: content) else {
                    others(entry.path)
                    return true
                }
                if wanted(file) { found.withLock { $0.append(file) } }
                return true
            }
        } catch {
            // A branch without the folder has no records yet.
            if error.kind == .pathNotFound { return [] }
            throw ArtifactError(error)
        }
        return found.withLock { $0 }
    }

    public func read(
        _ files: [RecordFile], receive: @escaping @Sendable (Int, ArraySlice<UInt8>, Bool) throws(ArtifactError) -> Void
    ) async throws(ArtifactError) {
        var blobs: [GitObjectID] = []
        for file in files {
            guard case .blob(let id) = file.content else { throw ArtifactError(.invalid, "\(file.path) is no file of \(place)") }
            blobs.append(id)
        }
        if let cache, let remote { await cache.prefetch(blobs, from: remote, in: repository) }
        let failed = Locked<ArtifactError?>(nil)
        do throws(GitError) {
            try await git.readObjects(blobs, in: repository, remote: remote) { (index, piece, last) throws(GitError) in
                do throws(ArtifactError) { try receive(index, piece, last) } catch {
                    failed.withLock { $0 = error }
                    throw GitError(.cancelled, error.message)
                }
            }
        } catch {
            throw failed.withLock { $0 } ?? ArtifactError(error)
        }
    }
}

extension DirectoryReader: RecordStore {
    public func recordFiles(
        where wanted: @escaping @Sendable (RecordFile) -> Bool, others: @escaping @Sendable (String) -> Void
    ) async throws(ArtifactError) -> [RecordFile] {
        var found: [RecordFile] = []
        Self.walk(directory, "") { path, isFile in
            let content: RecordFile.Content = isFile ? .file("\(directory)/\(path)") : .other
            guard let file = RecordFile(path: path, content: content) else { return others(path) }
            if wanted(file) { found.append(file) }
        }
        return found
    }

    public func read(
        _ files: [RecordFile], receive: @escaping @Sendable (Int, ArraySlice<UInt8>, Bool) throws(ArtifactError) -> Void
    ) async throws(ArtifactError) {
        for (index, file) in files.enumerated() {
            guard case .file(let path) = file.content else { throw ArtifactError(.invalid, "\(file.path) is no file of \(place)") }
            let fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
            guard fd >= 0 else { throw ArtifactError(.storage, "cannot read \(path): \(String(cString: strerror(errno)))") }
            defer { close(fd) }
            var buffer = [UInt8](repeating: 0, count: 256 << 10)
            while true {
                let count = Glibc.read(fd, &buffer, buffer.count)
                if count < 0, errno == EINTR { continue }
                guard count >= 0 else { throw ArtifactError(.storage, "cannot read \(path): \(String(cString: strerror(errno)))") }
                try receive(index, buffer[..<count], count == 0)
                if count == 0 { break }
            }
        }
    }

    /// Passes the path of everything below a folder except folders, sorted by path. Links are not followed.
    private static func walk(_ root: String, _ path: String, _ receive: (String, Bool) -> Void) {
        for name in Directory.names(in: path.isEmpty ? root : "\(root)/\(path)") ?? [] {
            let inner = path.isEmpty ? name : "\(path)/\(name)"
            var info = stat()
            guard lstat("\(root)/\(inner)", &info) == 0 else { continue }
            if info.st_mode & S_IFMT == S_IFDIR { walk(root, inner, receive) } else { receive(inner, info.st_mode & S_IFMT == S_IFREG) }
        }
    }
}
