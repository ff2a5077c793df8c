import Glibc

/// Reads files, up to a limit. Opening a FIFO does not block.
public enum FileReading {
    /// All bytes of a file.
    /// - Parameter limit: a larger file is an error (EFBIG), so that a path to an unexpected file cannot fill the memory.
    public static func bytes(_ path: String, limit: Int = 1 << 30) throws(FileError) -> [UInt8] {
        let fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard fd >= 0 else { throw FileError("read", path) }
        defer { close(fd) }
        let bytes = try upTo(limit == .max ? limit : limit + 1, from: fd, path)
        guard bytes.count <= limit else { throw FileError("read", path, EFBIG) }
        return bytes
    }

    /// All bytes of a file; nil when it cannot be read or is larger than `limit`.
    public static func whole(_ path: String, limit: Int = 1 << 30) -> [UInt8]? { try? bytes(path, limit: limit) }

    /// The first `limit` bytes, or fewer, of a regular file. Links are not followed. Nil when the file cannot be read.
    public static func beginning(of path: String, limit: Int) -> [UInt8]? {
        let fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard fd >= 0 else { return nil }
        defer { close(fd) }
        var info = stat()
        guard fstat(fd, &info) == 0, info.st_mode & S_IFMT == S_IFREG else { return nil }
        return try? upTo(limit, from: fd, path)
    }

    /// Like `beginning`, as text. Bytes that are not UTF-8 become U+FFFD.
    public static func text(_ path: String, limit: Int = 1 << 20) -> String? {
        beginning(of: path, limit: limit).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The last bytes of a file; nil when it cannot be read.
    public static func end(of path: String, bytes: Int) -> [UInt8]? {
        let fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard fd >= 0 else { return nil }
        defer { close(fd) }
        var info = stat()
        guard fstat(fd, &info) == 0 else { return nil }
        return range(fd, max(0, Int(info.st_size) - bytes)..<Int(info.st_size))
    }

    /// The SHA-256 of a file of any size, as 64 lower-case hexadecimal digits; nil when it cannot be read. Links are followed.
    public static func sha256(of path: String) -> String? {
        let fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard fd >= 0 else { return nil }
        defer { close(fd) }
        var hash = SHA256()
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = read(fd, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { return nil }
            if count == 0 { return hash.hexDigest() }
            hash.update(buffer[..<count])
        }
    }

    // MARK: Open files

    /// Reads an open file from its current position to its end, or to `limit` bytes.
    public static func upTo(_ limit: Int, from fd: Int32, _ path: String) throws(FileError) -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: min(max(1, limit), 64 << 10))
        while bytes.count < limit {
            let count = read(fd, &buffer, min(buffer.count, limit - bytes.count))
            if count < 0 {
                if errno == EINTR { continue }
                throw FileError("read", path)
            }
            if count == 0 { break }
            bytes.append(contentsOf: buffer[..<count])
        }
        return bytes
    }

    /// Up to `count` bytes at an offset; nil at the end of the file, or when it cannot be read.
    public static func piece(_ fd: Int32, at offset: Int, count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        while true {
            let got = pread(fd, &bytes, count, off_t(offset))
            if got < 0, errno == EINTR { continue }
            guard got > 0 else { return nil }
            return got == count ? bytes : Array(bytes[..<got])
        }
    }

    /// The bytes of a range; fewer when the file ends inside it or cannot be read.
    public static func range(_ fd: Int32, _ range: Range<Int>) -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < range.count,
            let more = piece(fd, at: range.lowerBound + bytes.count, count: min(1 << 20, range.count - bytes.count))
        {
            bytes += more
        }
        return bytes
    }

    /// The offset of the first line that begins at or after `offset`; `offset` itself when none begins before `end`.
    public static func lineStart(_ fd: Int32, from offset: Int, to end: Int) -> Int {
        var at = max(0, offset - 1)
        while at < end, let bytes = piece(fd, at: at, count: min(1 << 16, end - at)) {
            if let newline = bytes.firstIndex(of: 0x0A) {
                let start = at + newline + 1
                return start < end ? start : offset
            }
            at += bytes.count
        }
        return offset
    }
}
