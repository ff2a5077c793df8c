import Base
import Glibc

/// The few file operations of the node, with errors that name the path.
enum HostFiles {
    struct Failure: Error, Sendable, CustomStringConvertible {
        var operation: String
        var path: String
        var number: Int32
        var description: String { "cannot \(operation) \(path): \(String(cString: strerror(number)))" }
    }

    /// Creates the directory and those above it. The mode is set whatever the umask says.
    static func makeDirectory(_ path: String, mode: mode_t = 0o755) throws(Failure) {
        if mkdir(path, mode) != 0 {
            let number = errno
            if number == ENOENT, let slash = path.lastIndex(of: "/"), slash > path.startIndex {
                try makeDirectory(String(path[..<slash]))
                guard mkdir(path, mode) == 0 || errno == EEXIST else { throw Failure(operation: "create", path: path, number: errno) }
            } else if number != EEXIST {
                throw Failure(operation: "create", path: path, number: number)
            } else {
                return
            }
        }
        guard chmod(path, mode) == 0 else { throw Failure(operation: "set the mode of", path: path, number: errno) }
    }

    /// Writes a file that appears whole or not at all.
    static func replace(_ path: String, with bytes: [UInt8], mode: mode_t = 0o644) throws(Failure) {
        let temporary = "\(path).new.\(getpid())"
        try write(temporary, bytes, mode: mode)
        guard rename(temporary, path) == 0 else { throw Failure(operation: "rename to", path: path, number: errno) }
    }

    static func write(_ path: String, _ bytes: [UInt8], mode: mode_t = 0o644) throws(Failure) {
        let fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode)
        guard fd >= 0 else { throw Failure(operation: "write", path: path, number: errno) }
        defer { close(fd) }
        var at = 0
        while at < bytes.count {
            let count = bytes.withUnsafeBytes { Glibc.write(fd, $0.baseAddress?.advanced(by: at), bytes.count - at) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Failure(operation: "write", path: path, number: errno) }
            at += count
        }
        _ = fchmod(fd, mode)
    }

    /// - Parameter limit: bytes that are read at most.
    static func read(_ path: String, limit: Int = 16 << 20) throws(Failure) -> [UInt8] {
        let fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard fd >= 0 else { throw Failure(operation: "read", path: path, number: errno) }
        defer { close(fd) }
        var all: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while all.count < limit {
            let count = Glibc.read(fd, &buffer, min(buffer.count, limit - all.count))
            if count < 0, errno == EINTR { continue }
            if count < 0 { throw Failure(operation: "read", path: path, number: errno) }
            if count == 0 { break }
            all.append(contentsOf: buffer[..<count])
        }
        return all
    }

    static func text(_ path: String, limit: Int = 1 << 20) -> String? {
        (try? read(path, limit: limit)).map { String(decoding: $0, as: UTF8.self) }
    }

    enum Kind: Sendable { case directory, file, link, other }

    /// Of the entry itself, not of what a link points to.
    static func kind(_ path: String) -> Kind? {
        var info = stat()
        guard lstat(path, &info) == 0 else { return nil }
        switch info.st_mode & S_IFMT {
        case S_IFDIR: return .directory
        case S_IFREG: return .file
        case S_IFLNK: return .link
        default: return .other
        }
    }

    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    static func linkTarget(_ path: String) -> String? {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = buffer.withUnsafeMutableBufferPointer { bytes in
            bytes.baseAddress.map { readlink(path, UnsafeMutableRawPointer($0).assumingMemoryBound(to: CChar.self), bytes.count) } ?? -1
        }
        return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
    }

    static func names(in directory: String) -> [String] {
        guard let handle = opendir(directory) else { return [] }
        defer { closedir(handle) }
        var names: [String] = []
        while let entry = readdir(handle) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// Removes a tree; links are removed, not followed. What cannot be removed is left.
    /// - Returns: whether it is gone.
    @discardableResult
    static func remove(_ path: String) -> Bool {
        if kind(path) == .directory {
            _ = chmod(path, 0o700)
            for name in names(in: path) { remove(path + "/" + name) }
            return rmdir(path) == 0 || errno == ENOENT
        }
        return unlink(path) == 0 || errno == ENOENT
    }

    /// Bytes that a tree takes on its disk, counted up to the limit; other file systems below it are not entered.
    static func usage(of path: String, upTo limit: Int) -> Int {
        var info = stat()
        guard lstat(path, &info) == 0 else { return 0 }
        let device = info.st_dev
        var pending = [path]
        var total = 0
        while let directory = pending.popLast(), total <= limit {
            for name in names(in: directory) {
                let entry = directory + "/" + name
                guard lstat(entry, &info) == 0, info.st_dev == device else { continue }
                total += Int(info.st_blocks) * 512
                if info.st_mode & S_IFMT == S_IFDIR { pending.append(entry) }
            }
        }
        return total
    }
}
