import Base
import Git
import Glibc
import HTTPServing

/// Streams of trees as files, each under a name that says what it is of.
///
/// - Guarantees: a visible file was written to its end. Processes may share the directory. Above the size limit the files that were used
///   least recently are removed; a file that is being sent stays readable.
/// - Caveat: a file may be damaged later, by a crash of the machine or by its disk. A reader notices, and `isIntact` tells.
public struct TreeStore: Sendable {
    let directory: String
    /// Bytes of all files together; nil: no limit. A single file larger than that is not kept.
    let sizeLimit: Int?
    let metrics: CacheMetrics?

    public init(directory: String, sizeLimit: Int? = nil, metrics: CacheMetrics? = nil) {
        self.directory = directory
        self.sizeLimit = sizeLimit
        self.metrics = metrics
    }

    func path(_ name: String) -> String { "\(directory)/\(name).tree" }

    /// The file, open for sending; nil when there is none.
    func open(_ name: String) -> ServedFile? {
        guard let (descriptor, info) = descriptor(name) else { return nil }
        return ServedFile(descriptor: descriptor, size: Int(info.st_size))
    }

    /// The file, open for reading, and what it is; nil when there is none. The caller closes it.
    func descriptor(_ name: String) -> (Int32, stat)? {
        let descriptor = Glibc.open(path(name), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { return nil }
        var info = stat()
        guard fstat(descriptor, &info) == 0 else {
            close(descriptor)
            return nil
        }
        // The time of the last change is the time of the last use.
        futimens(descriptor, nil)
        return (descriptor, info)
    }

    /// Whether there is such a file, which counts as used now.
    func use(_ name: String) -> Bool {
        guard let (descriptor, _) = descriptor(name) else { return false }
        close(descriptor)
        return true
    }

    /// Whether there is such a file. This is no use of it.
    func has(_ name: String) -> Bool { FileEntry.exists(path(name)) }

    func remove(_ name: String) { unlink(path(name)) }

    /// Removes the file when it is no complete stream with the right digest. One that has taken its place meanwhile stays.
    /// - Returns: whether it was damaged.
    func removeDamaged(_ name: String) -> Bool {
        let descriptor = Glibc.open(path(name), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        guard !Self.isIntact(descriptor) else { return false }
        var (read, present) = (stat(), stat())
        if fstat(descriptor, &read) == 0, lstat(path(name), &present) == 0, read.st_ino == present.st_ino { remove(name) }
        return true
    }

    /// Whether the file is a complete stream with the right digest. Reads it in pieces.
    func isIntact(_ name: String) -> Bool {
        let descriptor = Glibc.open(path(name), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return Self.isIntact(descriptor)
    }

    private static func isIntact(_ descriptor: Int32) -> Bool {
        var decoder = TreeStreamDecoder()
        var offset = 0
        while let piece = FileReading.piece(descriptor, at: offset, count: 256 << 10) {
            guard (try? decoder.feed(piece) { _ in }) != nil else { return false }
            offset += piece.count
        }
        return (try? decoder.finish()) != nil
    }

    /// Writes the file. Nobody sees it before `write` has returned.
    func put(_ name: String, _ write: (TreeSink) async throws(SourceError) -> Void) async throws(SourceError) {
        let temporary = "\(directory)/\(name).new-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        let sink: TreeSink
        do throws(FileError) {
            try Directory.make(directory, mode: 0o700)
            sink = try TreeSink(temporary, limit: sizeLimit ?? .max)
        } catch {
            throw SourceError(GitError(.storage, "cannot keep a tree: \(error)"))
        }
        do {
            try await write(sink)
        } catch {
            unlink(temporary)
            throw error
        }
        sink.close()
        StoredFiles.makeRoom(for: sink.written, in: directory, sizeLimit: sizeLimit, metrics: metrics) { $0.hasSuffix(".tree") }
        guard rename(temporary, path(name)) == 0 else {
            let error = FileError("rename \(temporary) to", path(name))
            unlink(temporary)
            throw SourceError(GitError(.storage, "cannot keep a tree: \(error)"))
        }
    }

    /// Removes what dead processes left. For the start of the only process that writes here.
    public func clean() {
        for name in Directory.names(in: directory) ?? [] where name.firstRange(of: ".new-") != nil {
            unlink("\(directory)/\(name)")
        }
    }
}

/// A file that a stream is written to.
public final class TreeSink: Sendable {
    private struct State {
        var descriptor: Int32
        var written = 0
    }

    private let path: String
    private let limit: Int
    private let state: Locked<State>

    /// - Parameter limit: bytes that may be written.
    init(_ path: String, limit: Int) throws(FileError) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw FileError("create", path) }
        self.path = path
        self.limit = limit
        state = Locked(State(descriptor: descriptor))
    }

    deinit { close() }

    var written: Int { state.withLock { $0.written } }

    /// - Throws: `.storage` when the disk is full, `.tooLarge` beyond the limit.
    public func write(_ bytes: some Collection<UInt8>) throws(GitError) {
        try state.withLock { (state) throws(GitError) in
            state.written += bytes.count
            guard state.written <= limit else { throw GitError(.tooLarge, "the tree has more than the \(limit) bytes that this cache may hold") }
            do { try FileWriting.write(bytes, to: state.descriptor, path: path) } catch {
                throw GitError(.storage, "cannot keep a tree: \(error)")
            }
        }
    }

    /// Forgets what was written.
    func restart() throws(GitError) {
        try state.withLock { (state) throws(GitError) in
            guard ftruncate(state.descriptor, 0) == 0, lseek(state.descriptor, 0, SEEK_SET) == 0 else {
                throw GitError(.storage, "cannot keep a tree: \(FileError("truncate", path))")
            }
            state.written = 0
        }
    }

    func close() {
        state.withLock { state in
            if state.descriptor >= 0 { Glibc.close(state.descriptor) }
            state.descriptor = -1
        }
    }
}
