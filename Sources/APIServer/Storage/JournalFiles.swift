import Base
import Glibc

/// The files of a data directory: `snapshot-N` holds every object at revision N, `journal-N` holds the changes after it.
///
/// A snapshot is written under a temporary name and then renamed, so a file with the final name is complete. The last journal may end in the
/// middle of a record when the process died while writing it. That change was not confirmed to anyone, and the incomplete record is dropped.
struct JournalFiles {
    let directory: String

    struct Contents {
        var revision: UInt64 = 0
        var objects: [ObjectReference: (revision: UInt64, body: [UInt8])] = [:]
        /// The journal to continue: its name and the length of its valid part in bytes.
        var journal: (name: String, length: Int)?
    }

    private static let magic = Array("assay-store-1\n".utf8)

    func load() throws(APIServerError) -> Contents {
        let names = try list()
        var contents = Contents()
        let snapshots = names.compactMap { number(of: $0, prefix: "snapshot-") }.sorted()
        if let newest = snapshots.last { try readSnapshot(newest, into: &contents) }
        let base = contents.revision
        let journals = names.compactMap { number(of: $0, prefix: "journal-") }.sorted()
        for (place, start) in journals.enumerated() {
            let isLast = place == journals.count - 1
            let name = "journal-\(start)"
            let bytes = try read(name)
            let good = try replay(bytes, name: name, base: base, mayEndTorn: isLast, into: &contents)
            if isLast { contents.journal = (name, good) }
            if isLast && good < bytes.count {
                Log("apiserver").warning(
                    "dropped the unfinished end of the journal",
                    ["file": .string(path(name)), "bytes": JSONValue(bytes.count - good)])
            }
        }
        return contents
    }

    private func readSnapshot(_ revision: UInt64, into contents: inout Contents) throws(APIServerError) {
        let name = "snapshot-\(revision)"
        let bytes = try read(name)
        guard bytes.starts(with: Self.magic) else { throw damaged(name, "it does not begin as a snapshot") }
        var at = Self.magic.count
        var count: UInt64 = 0
        while let (record, end) = JournalRecord.decode(bytes, at: at) {
            at = end
            switch record {
            case .put(let resource, let key, let revision, let body):
                contents.objects[ObjectReference(resource: resource, key: key)] = (revision, body)
                count += 1
            case .end(let revision, let expected) where expected == count && at == bytes.count:
                contents.revision = revision
                return
            default:
                throw damaged(name, "unexpected record at byte \(at)")
            }
        }
        throw damaged(name, "broken record at byte \(at)")
    }

    /// - Returns: how many bytes of the journal are valid.
    private func replay(
        _ bytes: [UInt8], name: String, base: UInt64, mayEndTorn: Bool, into contents: inout Contents
    ) throws(APIServerError) -> Int {
        guard bytes.starts(with: Self.magic) else {
            // The process was killed between creating the file and writing its first line.
            if mayEndTorn && Self.magic.starts(with: bytes) { return 0 }
            throw damaged(name, "it does not begin as a journal")
        }
        var at = Self.magic.count
        while at < bytes.count {
            guard let (record, end) = JournalRecord.decode(bytes, at: at) else {
                guard mayEndTorn else { throw damaged(name, "broken record at byte \(at)") }
                return at
            }
            at = end
            guard record.revision > base else { continue }
            guard record.revision == contents.revision + 1 else {
                throw damaged(name, "revision \(record.revision) follows \(contents.revision)")
            }
            contents.revision = record.revision
            switch record {
            case .put(let resource, let key, let revision, let body):
                contents.objects[ObjectReference(resource: resource, key: key)] = (revision, body)
            case .delete(let resource, let key, _):
                contents.objects[ObjectReference(resource: resource, key: key)] = nil
            case .end:
                throw damaged(name, "end record in a journal")
            }
        }
        return at
    }

    // MARK: Writing

    /// Opens a journal for appending after `length` valid bytes; a new journal begins with its first line.
    func openJournal(_ name: String, length: Int) throws(APIServerError) -> Int32 {
        let file = open(path(name), O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw failure(name) }
        guard ftruncate(file, off_t(length)) == 0, lseek(file, 0, SEEK_END) >= 0 else { throw failure(name) }
        if length == 0 {
            try asServerError { () throws(FileError) in try FileWriting.write(Self.magic, to: file, path: path(name)) }
            guard fsync(file) == 0 else { throw failure(name) }
            try asServerError { () throws(FileError) in try Directory.sync(directory) }
        }
        return file
    }

    /// The offset of the first record in a journal.
    static var headLength: Int { magic.count }

    /// Writes a snapshot under a temporary name, then renames it.
    func writeSnapshot(_ capture: Journal.Capture) throws(APIServerError) {
        let temporary = "snapshot.tmp"
        let file = open(path(temporary), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw failure(temporary) }
        defer { close(file) }
        var buffer = Self.magic
        var count: UInt64 = 0
        for (resource, objects) in capture.objects {
            for object in objects {
                buffer += JournalRecord.put(resource: resource, object: object).encoded
                count += 1
                if buffer.count > 1 << 20 {
                    try asServerError { () throws(FileError) in try FileWriting.write(buffer, to: file, path: path(temporary)) }
                    buffer.removeAll(keepingCapacity: true)
                }
            }
        }
        buffer += JournalRecord.end(revision: capture.revision, count: count).encoded
        try asServerError { () throws(FileError) in try FileWriting.write(buffer, to: file, path: path(temporary)) }
        guard fsync(file) == 0 else { throw failure(temporary) }
        guard rename(path(temporary), path("snapshot-\(capture.revision)")) == 0 else { throw failure(temporary) }
        try asServerError { () throws(FileError) in try Directory.sync(directory) }
    }

    /// Removes the files that a snapshot has made unnecessary.
    func removeFiles(olderThan revision: UInt64) throws(APIServerError) {
        for name in try list() {
            let start = number(of: name, prefix: "snapshot-") ?? number(of: name, prefix: "journal-")
            if let start, start < revision { unlink(path(name)) }
        }
    }

    // MARK: Names

    func path(_ name: String) -> String { "\(directory)/\(name)" }

    private func number(of name: String, prefix: String) -> UInt64? {
        name.hasPrefix(prefix) ? UInt64(name.dropFirst(prefix.count)) : nil
    }

    private func list() throws(APIServerError) -> [String] {
        guard let names = Directory.names(in: directory) else { throw failure("") }
        return names
    }

    private func read(_ name: String) throws(APIServerError) -> [UInt8] {
        try asServerError { () throws(FileError) in try FileReading.bytes(path(name), limit: .max) }
    }

    private func asServerError<Result>(_ body: () throws(FileError) -> Result) throws(APIServerError) -> Result {
        do throws(FileError) { return try body() } catch { throw APIServerError(error) }
    }

    private func failure(_ name: String) -> APIServerError {
        APIServerError(FileError("use", name.isEmpty ? directory : path(name)))
    }

    private func damaged(_ name: String, _ why: String) -> APIServerError {
        .dataDirectory(path: path(name), reason: "damaged: \(why)")
    }
}

extension APIServerError {
    init(_ error: FileError) { self = .dataDirectory(path: error.path, reason: String(cString: strerror(error.number))) }
}
