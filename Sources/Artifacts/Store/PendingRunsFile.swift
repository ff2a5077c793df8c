import Base
import CShims
import EvalModel
import Git
import Glibc

/// The format of a file of records, one after another. Each record is a line with its length and checksum, a line of JSON, the
/// bytes of its files, and its pack.
enum PendingRunsFile {
    /// `assay-run 2 <length> <checksum>\n`. The length has leading zeros, so that the line has a fixed length.
    private static let magic = Array("assay-run 2 ".utf8)
    private static let digits = 12
    private static let sumLength = 16
    private static let headLength = magic.count + digits + 1 + sumLength + 1

    struct Found: Sendable, Hashable {
        var name: String
        var job: String
        var range: Range<Int>
    }

    // MARK: Writing

    static func encode(_ run: PendingRun) -> [UInt8] {
        let files = run.files.sorted { $0.key < $1.key }
        var header: JSONValue = [
            "id": .string(run.id.rawValue), "job": .string(run.job), "message": .string(run.message), "date": .string(run.date.rfc3339),
            "files": .array(files.map { ["path": .string($0.key.text), "bytes": JSONValue($0.value.count)] }),
        ]
        if case .retry(let n) = run.slot { header["retry"] = JSONValue(n) }
        if let pack = run.pack { header["pack"] = ["tree": .string(pack.tree.hex), "bytes": JSONValue(pack.bytes.count)] }
        var body = header.serialized()
        body.append(0x0A)
        for file in files { body += file.value }
        if let pack = run.pack { body += pack.bytes }
        let head = padded(String(body.count), digits) + " " + checksum(body[...]) + "\n"
        return magic + Array(head.utf8) + body
    }

    private static func checksum(_ bytes: ArraySlice<UInt8>) -> String {
        padded(String(bytes.withUnsafeBytes { assay_checksum($0.baseAddress, $0.count) }, radix: 16), sumLength)
    }

    private static func padded(_ number: String, _ width: Int) -> String { String(repeating: "0", count: max(0, width - number.count)) + number }

    // MARK: Reading

    /// Reads a part of a file; nil if the part does not exist.
    static func read(_ file: String, _ range: Range<Int>) -> [UInt8]? {
        let fd = open(file, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { return nil }
        defer { close(fd) }
        return read(fd, range)
    }

    private static func read(_ fd: Int32, _ range: Range<Int>) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: range.count)
        var done = 0
        while done < range.count {
            let count = bytes.withUnsafeMutableBytes {
                pread(fd, $0.baseAddress?.advanced(by: done), range.count - done, off_t(range.lowerBound + done))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return nil }
            done += count
        }
        return bytes
    }

    /// Decodes a record; nil if its bytes do not match its checksum.
    static func decode(_ bytes: [UInt8]) -> PendingRun? {
        guard let length = bodyLength(bytes[...]), bytes.count == headLength + length,
            String(decoding: bytes[(headLength - sumLength - 1)..<(headLength - 1)], as: UTF8.self) == checksum(bytes[headLength...])
        else { return nil }
        return decode(body: bytes[headLength...])
    }

    /// Lists the records in a file by reading only the beginning of each; outputs are not read.
    /// - Returns: the records before the first damaged one. `isWhole` is true if the end of the file was reached.
    static func scan(_ file: String) -> (found: [Found], size: Int, changed: Timestamp, isWhole: Bool) {
        let fd = open(file, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { return ([], 0, Timestamp(seconds: 0), false) }
        defer { close(fd) }
        var info = stat()
        guard fstat(fd, &info) == 0 else { return ([], 0, Timestamp(seconds: 0), false) }
        let (size, changed) = (Int(info.st_size), Timestamp(seconds: Int64(info.st_mtim.tv_sec)))
        var found: [Found] = []
        var offset = 0
        while offset < size {
            guard let head = read(fd, offset..<min(size, offset + headLength)), let length = bodyLength(head[...]),
                length <= size - offset - headLength,
                let header = header(fd, offset + headLength, length), let id = header["id"]?.string.flatMap(RunID.init)
            else { return (found, size, changed, false) }
            let slot = header["retry"]?.int.map { PendingRun.Slot.retry($0) } ?? .final
            let end = offset + headLength + length
            found.append(Found(name: PendingRun.name(of: id, slot), job: header["job"]?.string ?? "", range: offset..<end))
            offset = end
        }
        return (found, size, changed, !found.isEmpty)
    }

    private static func bodyLength(_ head: ArraySlice<UInt8>) -> Int? {
        guard head.count >= headLength, head.starts(with: magic), head[head.startIndex + headLength - 1] == 0x0A else { return nil }
        return Int(String(decoding: head.dropFirst(magic.count).prefix(digits), as: UTF8.self))
    }

    private static func header(_ fd: Int32, _ start: Int, _ length: Int) -> JSONValue? {
        var limit = min(length, 8 << 10)
        while true {
            guard let bytes = read(fd, start..<(start + limit)) else { return nil }
            if let end = bytes.firstIndex(of: 0x0A) { return try? JSONValue(parsing: bytes[..<end]) }
            guard limit < length, limit < 16 << 20 else { return nil }
            limit = min(length, limit * 8)
        }
    }

    private static func decode(body bytes: ArraySlice<UInt8>) -> PendingRun? {
        guard let end = bytes.firstIndex(of: 0x0A), let header = try? JSONValue(parsing: bytes[..<end]),
            let id = header["id"]?.string.flatMap(RunID.init), let message = header["message"]?.string,
            let date = header["date"]?.string.flatMap(Timestamp.init(rfc3339:)), let list = header["files"]?.array
        else { return nil }
        var rest = bytes[(end + 1)...]
        func take(_ count: Int?) -> [UInt8]? {
            guard let count, count >= 0, rest.count >= count else { return nil }
            defer { rest = rest.dropFirst(count) }
            return Array(rest.prefix(count))
        }
        var files: [GitPath: [UInt8]] = [:]
        for file in list {
            guard let path = file["path"]?.string.flatMap({ try? GitPath(parsing: $0) }), let content = take(file["bytes"]?.int) else { return nil }
            files[path] = content
        }
        var pack: PendingRun.Pack?
        if let info = header["pack"] {
            guard let tree = info["tree"]?.string.flatMap({ GitObjectID($0) }), let content = take(info["bytes"]?.int) else { return nil }
            pack = .init(bytes: content, tree: tree)
        }
        return PendingRun(
            id: id, slot: header["retry"]?.int.map { .retry($0) } ?? .final, files: files, pack: pack, message: message, date: date,
            job: header["job"]?.string ?? "")
    }
}
