import Base
import EvalFormats
import Git
import Glibc

/// Files of `fixtures.lock`s, each under its SHA-256.
///
/// - Guarantees: a visible file had the right size and digest when it was written. Processes may share the directory. Above the size limit the
///   files that were used least recently are removed; a file that is being read stays readable.
/// - Caveat: a disk may damage a file later. `read` notices, and removes it.
public struct FixtureStore: Sendable {
    let directory: String
    /// Bytes of all files together; nil: no limit.
    let sizeLimit: Int?
    let metrics: CacheMetrics?

    public init(directory: String, sizeLimit: Int? = nil, metrics: CacheMetrics? = nil) {
        self.directory = directory
        self.sizeLimit = sizeLimit
        self.metrics = metrics
    }

    func path(_ blob: FixturesLock.Blob) -> String { "\(directory)/\(blob.sha256)" }

    func has(_ blob: FixturesLock.Blob) -> Bool {
        var info = stat()
        return lstat(path(blob), &info) == 0 && info.st_mode & S_IFMT == S_IFREG && Int(info.st_size) == blob.size
    }

    /// Keeps what `write` hands to the file it gets, when that is the blob.
    ///
    /// - Throws: a `SourceError` of type `fixture_mismatch` when it is not; what `write` throws.
    func put(
        _ blob: FixturesLock.Blob, from place: String, _ write: (FixtureFile) async throws(SourceError) -> Void
    ) async throws(SourceError) {
        if let sizeLimit, blob.size > sizeLimit {
            throw SourceError(
                .sourceSyncFailed,
                "the fixture \"\(blob.path.replacingControls)\" has \(blob.size) bytes, and this operator keeps at most \(sizeLimit) bytes of fixtures: "
                    + "give it more with --cache-limit")
        }
        let temporary = "\(directory)/\(blob.sha256).new-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        let file: FixtureFile
        do throws(FileError) {
            try Directory.make(directory, mode: 0o700)
            file = try FixtureFile(temporary, of: blob, from: place)
        } catch {
            throw Self.disk(error)
        }
        do {
            try await write(file)
            try file.finish()
        } catch {
            unlink(temporary)
            throw error
        }
        StoredFiles.makeRoom(for: blob.size, in: directory, sizeLimit: sizeLimit, metrics: metrics) { $0.utf8.count == 64 }
        guard rename(temporary, path(blob)) == 0 else {
            let error = FileError("rename \(temporary) to", path(blob))
            unlink(temporary)
            throw Self.disk(error)
        }
    }

    /// Hands the file over in pieces.
    ///
    /// - Throws: what `receive` throws; a transient error when the file is not there any more or is damaged. It is then removed.
    func read(_ blob: FixturesLock.Blob, _ receive: (ArraySlice<UInt8>) throws(GitError) -> Void) throws(GitError) {
        let descriptor = open(path(blob), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { throw GitError(.failed, "the fixture \"\(blob.path)\" was removed to make room for others") }
        defer { close(descriptor) }
        futimens(descriptor, nil)
        var hash = SHA256()
        var offset = 0
        while let piece = FileReading.piece(descriptor, at: offset, count: min(256 << 10, max(1, blob.size - offset))) {
            guard offset + piece.count <= blob.size else { break }
            hash.update(piece)
            offset += piece.count
            try receive(piece[...])
            if offset == blob.size { break }
        }
        guard offset == blob.size, hash.hexDigest() == blob.sha256 else {
            unlink(path(blob))
            throw GitError(.failed, "the kept fixture \"\(blob.path)\" is damaged; it is fetched again")
        }
    }

    static func disk(_ error: FileError) -> SourceError { SourceError(GitError(.storage, "cannot keep a fixture: \(error)")) }
}

/// A file that a fixture is written to, and its digest so far.
final class FixtureFile: Sendable {
    private struct State {
        var descriptor: Int32
        var hash = SHA256()
        var written = 0
    }

    private let path: String
    private let place: String
    private let blob: FixturesLock.Blob
    private let state: Locked<State>

    /// - Parameter place: where the bytes come from, for messages.
    init(_ path: String, of blob: FixturesLock.Blob, from place: String) throws(FileError) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw FileError("create", path) }
        (self.path, self.place, self.blob) = (path, place, blob)
        state = Locked(State(descriptor: descriptor))
    }

    deinit { close() }

    /// - Throws: `fixture_mismatch` as soon as there are more bytes than the blob has.
    func write(_ bytes: some Collection<UInt8>) throws(SourceError) {
        try state.withLock { (state) throws(SourceError) in
            state.written += bytes.count
            guard state.written <= blob.size else { throw mismatch("it has more than the \(blob.size) bytes that the lock file says") }
            state.hash.update(bytes)
            do throws(FileError) { try FileWriting.write(bytes, to: state.descriptor, path: path) } catch { throw FixtureStore.disk(error) }
        }
    }

    func finish() throws(SourceError) {
        let (written, digest) = state.withLock { ($0.written, $0.hash.hexDigest()) }
        guard written == blob.size else { throw mismatch("it has \(written) bytes, and the lock file says \(blob.size)") }
        guard digest == blob.sha256 else { throw mismatch("its SHA-256 is \(digest), and the lock file says \(blob.sha256)") }
        close()
    }

    private func mismatch(_ what: String) -> SourceError {
        SourceError(.fixtureMismatch, "the fixture \"\(blob.path.replacingControls)\" from \(place) is not the file that is locked: \(what)")
    }

    private func close() {
        state.withLock { state in
            if state.descriptor >= 0 { Glibc.close(state.descriptor) }
            state.descriptor = -1
        }
    }
}
