import Base
import Glibc

/// Whole files and directories, with the errors of the system named.
public enum PlainFile {
    public struct Failure: Error, Sendable, Hashable, CustomStringConvertible {
        public let operation: String
        public let path: String
        public let number: Int32

        public init(_ operation: String, _ path: String, _ number: Int32 = errno) {
            self.operation = operation
            self.path = path
            self.number = number
        }

        public var isFull: Bool { number == ENOSPC || number == EDQUOT || number == EROFS }
        public var description: String { "\(operation) \(path): \(String(cString: strerror(number)))" }
    }

    /// The bytes, or nil when the file cannot be read or is larger than `limit`.
    public static func read(_ path: String, limit: Int = 1 << 30) -> [UInt8]? {
        let fd = open(path, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { return nil }
        defer { close(fd) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = Glibc.read(fd, &buffer, buffer.count)
            if count < 0 {
                if errno == EINTR { continue }
                return nil
            }
            if count == 0 { return bytes }
            bytes.append(contentsOf: buffer[..<count])
            if bytes.count > limit { return nil }
        }
    }

    /// At most the first `limit` bytes of a regular file that is not behind a link; nil when it cannot be read.
    public static func readBeginning(_ path: String, limit: Int) -> [UInt8]? {
        let fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard fd >= 0 else { return nil }
        defer { close(fd) }
        var info = stat()
        guard fstat(fd, &info) == 0, info.st_mode & S_IFMT == S_IFREG else { return nil }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: min(max(1, limit), 64 << 10))
        while bytes.count < limit {
            let count = Glibc.read(fd, &buffer, min(buffer.count, limit - bytes.count))
            if count < 0 {
                if errno == EINTR { continue }
                return nil
            }
            if count == 0 { break }
            bytes.append(contentsOf: buffer[..<count])
        }
        return bytes
    }

    public static func exists(_ path: String) -> Bool {
        var info = stat()
        return lstat(path, &info) == 0
    }

    public static func isDirectory(_ path: String) -> Bool {
        var info = stat()
        return stat(path, &info) == 0 && info.st_mode & S_IFMT == S_IFDIR
    }

    /// `mkdir -p`.
    public static func makeDirectories(_ path: String, mode: mode_t = 0o755) throws(Failure) {
        if isDirectory(path) { return }
        var done = path.hasPrefix("/") ? "/" : ""
        for part in path.split(separator: "/") {
            done += done.isEmpty || done == "/" ? String(part) : "/\(part)"
            if mkdir(done, mode) != 0, errno != EEXIST { throw Failure("make directory", done) }
        }
        guard isDirectory(path) else { throw Failure("make directory", path, ENOTDIR) }
    }

    public static func writeAll(_ fd: Int32, _ bytes: some Collection<UInt8>, path: String) throws(Failure) {
        let failed = bytes.withContiguousStorageIfAvailable { write(fd, UnsafeRawBufferPointer($0)) }
            ?? Array(bytes).withUnsafeBytes { write(fd, $0) }
        if let failed { throw Failure("write", path, failed) }
    }

    private static func write(_ fd: Int32, _ buffer: UnsafeRawBufferPointer) -> Int32? {
        var done = 0
        while done < buffer.count {
            let count = Glibc.write(fd, buffer.baseAddress?.advanced(by: done), buffer.count - done)
            if count < 0 {
                if errno == EINTR { continue }
                return errno
            }
            done += count
        }
        return nil
    }

    /// Writes beside the file and renames over it: a reader sees the old bytes or the new ones. With `durable` the
    /// bytes and the name are on the disk when this returns.
    public static func replace(_ path: String, with bytes: some Collection<UInt8>, mode: mode_t = 0o644, durable: Bool = true) throws(Failure) {
        let temporary = "\(path).tmp-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        let fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        guard fd >= 0 else { throw Failure("create", temporary) }
        do throws(Failure) {
            defer { close(fd) }
            try writeAll(fd, bytes, path: temporary)
            if durable, fsync(fd) != 0 { throw Failure("fsync", temporary) }
        } catch {
            unlink(temporary)
            throw error
        }
        guard rename(temporary, path) == 0 else {
            let number = errno
            unlink(temporary)
            throw Failure("rename to", path, number)
        }
        if durable { try syncDirectory(parent(of: path)) }
    }

    /// Makes the names in a directory durable.
    public static func syncDirectory(_ path: String) throws(Failure) {
        let fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard fd >= 0 else { throw Failure("open", path) }
        defer { close(fd) }
        guard fsync(fd) == 0 else { throw Failure("fsync", path) }
    }

    public static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// The names in a directory, sorted, without `.` and `..`; nil when it cannot be read.
    public static func names(in path: String) -> [String]? {
        guard let stream = opendir(path) else { return nil }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// `rm -rf`, without following links; what cannot be removed stays.
    public static func removeTree(_ path: String) {
        var info = stat()
        guard lstat(path, &info) == 0 else { return }
        if info.st_mode & S_IFMT == S_IFDIR {
            // A directory without write permission keeps its entries otherwise (trial output can be like that).
            if info.st_mode & 0o700 != 0o700 { chmod(path, 0o700) }
            for name in names(in: path) ?? [] { removeTree("\(path)/\(name)") }
            rmdir(path)
        } else {
            unlink(path)
        }
    }
}
