import Base
import Glibc

/// Writes changes to disk in batches: changes that arrive during one fsync are written together by the next.
///
/// Guarantees: a revision that `wait` confirmed survives the death of the process and of the machine. A full disk delays changes but loses none:
/// they stay pending and are written when there is space.
final class Journal: @unchecked Sendable {  // `condition` guards all mutable state except the writer thread's `file`, `written` and `compactAt`
    /// All objects at one revision.
    struct Capture: Sendable {
        var revision: UInt64
        var objects: [(resource: ResourceID, objects: [StoredObject])]
    }

    /// The size in bytes at which a journal is replaced by a snapshot; the size is larger when the snapshot itself is large.
    static let minimumCompaction = 32 << 20

    private let files: JournalFiles
    private let lockFile: Int32
    private let condition = ThreadCondition()
    private var pending: [UInt8] = []
    private var pendingRevision: UInt64 = 0
    private var durable: UInt64
    private var isClosing = false
    private var isDone = false
    private var isCompacting = false
    private var problem: String?

    private var file: Int32
    private var written: Int
    private var compactAt: Int
    private let minimumCompaction: Int

    private init(files: JournalFiles, lockFile: Int32, file: Int32, written: Int, revision: UInt64, compactAt: Int) {
        self.files = files
        self.lockFile = lockFile
        self.file = file
        self.written = written
        self.compactAt = compactAt
        minimumCompaction = compactAt
        durable = revision
        pendingRevision = revision
    }

    /// Locks the directory and reads its files.
    static func open(
        directory: String, compactAt: Int = minimumCompaction
    ) throws(APIServerError) -> (
        journal: Journal, revision: UInt64, objects: [ObjectReference: (revision: UInt64, body: [UInt8])]
    ) {
        do throws(FileError) { try Directory.make(directory, mode: 0o700) } catch { throw APIServerError(error) }
        let lockFile = try takeLock(directory)
        let files = JournalFiles(directory: directory)
        let contents = try files.load()
        let name = contents.journal?.name ?? "journal-\(contents.revision)"
        let file = try files.openJournal(name, length: contents.journal?.length ?? 0)
        let length = max(contents.journal?.length ?? 0, JournalFiles.headLength)
        let journal = Journal(
            files: files, lockFile: lockFile, file: file, written: length, revision: contents.revision,
            compactAt: compactAt)
        return (journal, contents.revision, contents.objects)
    }

    private static func takeLock(_ directory: String) throws(APIServerError) -> Int32 {
        let path = "\(directory)/lock"
        let file = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw .dataDirectory(path: path, reason: String(cString: strerror(errno))) }
        guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
            let bytes = (try? FileReading.upTo(32, from: file, path)) ?? []
            Glibc.close(file)
            throw .dataDirectoryInUse(path: directory, pid: Int32(String(decoding: bytes, as: UTF8.self)))
        }
        ftruncate(file, 0)
        try? FileWriting.write(String(getpid()).utf8, to: file, path: path)
        return file
    }

    // MARK: For the store

    func start(
        onDurable: @escaping @Sendable (UInt64) -> Void, capture: @escaping @Sendable (() -> Void) -> Capture?
    ) {
        startThread(name: "journal") { [self] in run(onDurable: onDurable, capture: capture) }
    }

    /// Adds a change. Called while the store is locked, so that changes arrive in the order of their revisions.
    func append(_ record: JournalRecord) {
        condition.lock()
        pending += record.encoded
        pendingRevision = record.revision
        condition.broadcast()
        condition.unlock()
    }

    /// Waits until a revision is on disk; returns false when the time passes first.
    func wait(for revision: UInt64, seconds: Double) -> Bool {
        condition.lock()
        defer { condition.unlock() }
        let limit = SystemTime().monotonic() + seconds
        while durable < revision {
            if isDone { return false }
            guard condition.wait(until: limit) else { return durable >= revision }
        }
        return true
    }

    /// Why the last attempt to write failed; nil when it succeeded.
    var trouble: String? {
        condition.lock()
        defer { condition.unlock() }
        return problem
    }

    func close() {
        condition.lock()
        isClosing = true
        condition.broadcast()
        while !isDone || isCompacting { condition.wait() }
        condition.unlock()
        // The lock is released explicitly before the close, because a child that is being started may hold a copy of the descriptor (flock(2)).
        _ = flock(lockFile, LOCK_UN)
        Glibc.close(lockFile)
    }

    // MARK: The writer thread

    private func run(onDurable: @Sendable (UInt64) -> Void, capture: @Sendable (() -> Void) -> Capture?) {
        while let (bytes, revision) = nextBatch() {
            guard persist(bytes) else { break }
            confirm(revision, onDurable)
            if written > compactAt { compact(capture: capture, onDurable: onDurable) }
        }
        Glibc.close(file)
        condition.lock()
        isDone = true
        condition.broadcast()
        condition.unlock()
    }

    private func nextBatch() -> (bytes: [UInt8], revision: UInt64)? {
        condition.lock()
        defer { condition.unlock() }
        while pending.isEmpty {
            if isClosing { return nil }
            condition.wait()
        }
        let batch = (pending, pendingRevision)
        pending = []
        return batch
    }

    private func confirm(_ revision: UInt64, _ onDurable: (UInt64) -> Void) {
        condition.lock()
        durable = revision
        problem = nil
        condition.broadcast()
        condition.unlock()
        onDurable(revision)
    }

    /// Appends and syncs; retries while writing fails. Returns false when the journal is closed in the meantime, or when the sync failed, which
    /// leaves the state of the file unknown.
    private func persist(_ bytes: [UInt8]) -> Bool {
        while true {
            do throws(FileError) {
                try FileWriting.write(bytes, to: file, path: files.directory)
                guard fdatasync(file) == 0 else {
                    note("fsync: \(String(cString: strerror(errno)))")
                    return false
                }
                written += bytes.count
                return true
            } catch {
                note(error.description)
            }
            // A part of the batch may have been written, so the file is cut back to its length before this attempt.
            guard ftruncate(file, off_t(written)) == 0, lseek(file, 0, SEEK_END) >= 0 else { return false }
            condition.lock()
            let gaveUp = isClosing
            if !gaveUp { _ = condition.wait(until: SystemTime().monotonic() + 0.5) }
            condition.unlock()
            if gaveUp { return false }
        }
    }

    private func note(_ trouble: String) {
        condition.lock()
        let isNew = problem != trouble
        problem = trouble
        condition.unlock()
        if isNew {
            Log("apiserver").error(
                "cannot write the journal", ["directory": .string(files.directory), "error": .string(trouble)])
        }
    }

    /// Begins a new journal and writes a snapshot of the contents of the old journals, while writing continues.
    private func compact(capture: (() -> Void) -> Capture?, onDurable: (UInt64) -> Void) {
        condition.lock()
        let isBusy = isCompacting
        condition.unlock()
        guard !isBusy else { return }
        // While the store is locked nothing is appended, so the pending changes are exactly those that are in the capture but not on disk.
        var rest: [UInt8] = []
        let captured = capture { [self] in
            condition.lock()
            rest = pending
            pending = []
            condition.unlock()
        }
        guard let captured else { return }
        guard persist(rest) else { return }
        confirm(captured.revision, onDurable)
        guard let next = try? files.openJournal("journal-\(captured.revision)", length: 0) else { return }
        Glibc.close(file)
        file = next
        written = JournalFiles.headLength
        let size = captured.objects.reduce(0) { $0 + $1.objects.reduce(0) { $0 + $1.body.count } }
        compactAt = max(minimumCompaction, 2 * size)
        condition.lock()
        isCompacting = true
        condition.unlock()
        startThread(name: "snapshot") { [self] in
            do {
                try files.writeSnapshot(captured)
                try files.removeFiles(olderThan: captured.revision)
            } catch {
                Log("apiserver").error("cannot write a snapshot; the journals are kept", ["error": .string("\(error)")])
            }
            condition.lock()
            isCompacting = false
            condition.broadcast()
            condition.unlock()
        }
    }
}
