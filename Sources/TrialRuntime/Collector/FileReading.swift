import Glibc

/// Reading files of ours, in pieces.
enum FileReading {
    /// Up to `count` bytes at an offset; nil at the end, or when the file cannot be read.
    static func piece(_ fd: Int32, at offset: Int, count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        while true {
            let got = pread(fd, &bytes, count, off_t(offset))
            if got < 0, errno == EINTR { continue }
            guard got > 0 else { return nil }
            return got == count ? bytes : Array(bytes[..<got])
        }
    }

    /// The bytes of a file; nil when it has more than `limit`, or cannot be read.
    static func whole(_ path: String, limit: Int) -> [UInt8]? {
        let fd = open(path, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { return nil }
        defer { close(fd) }
        var info = stat()
        guard fstat(fd, &info) == 0, info.st_size <= limit else { return nil }
        return range(fd, 0..<Int(info.st_size))
    }

    /// The last bytes of a file; nil when it cannot be read.
    static func end(of path: String, bytes: Int) -> [UInt8]? {
        let fd = open(path, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { return nil }
        defer { close(fd) }
        var info = stat()
        guard fstat(fd, &info) == 0 else { return nil }
        return range(fd, max(0, Int(info.st_size) - bytes)..<Int(info.st_size))
    }

    /// Where the first line begins at or after an offset; the offset itself when there is none before `end`.
    static func lineStart(_ fd: Int32, from offset: Int, to end: Int) -> Int {
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

    private static func range(_ fd: Int32, _ range: Range<Int>) -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < range.count,
            let more = piece(fd, at: range.lowerBound + bytes.count, count: min(1 << 20, range.count - bytes.count))
        {
            bytes += more
        }
        return bytes
    }
}
