import Glibc

/// The files below the logs directory, found without following any link and within limits.
struct LogTree: Sendable {
    struct File: Sendable, Hashable {
        /// The names from the root on, as the file system has them.
        var components: [[UInt8]]
        var size: Int
    }

    struct SkippedEntry: Sendable, Hashable {
        var components: [[UInt8]]
        /// `symlink`, `fifo`, ... or why the entry could not be read.
        var what: String
    }

    var files: [File] = []
    var skipped: [SkippedEntry] = []
    var unreadable: [SkippedEntry] = []
    /// Directories that hold more entries than were examined.
    var unfinished: [SkippedEntry] = []
    private var seen = 0

    /// The verifier's files come first and the agent's last: however many files an agent writes, the files that support the verdict are kept.
    private static let order = ["verifier", "setup", "command", "artifacts"].map { Array($0.utf8) }

    static func walk(_ root: String, limits: CollectorLimits) -> LogTree {
        var tree = LogTree()
        let fd = Glibc.open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard fd >= 0 else {
            tree.unreadable.append(SkippedEntry(components: [], what: String(cString: strerror(errno))))
            return tree
        }
        tree.visit(fd, [], limits)
        return tree
    }

    /// Takes ownership of the descriptor and closes it.
    private mutating func visit(_ fd: Int32, _ components: [[UInt8]], _ limits: CollectorLimits) {
        guard let directory = fdopendir(fd) else {
            close(fd)
            return
        }
        defer { closedir(directory) }
        for name in names(in: directory, components, limits) {
            seen += 1
            let path = components + [name]
            var info = stat()
            let found = name.withCString { fstatat(fd, $0, &info, AT_SYMLINK_NOFOLLOW) }
            guard found == 0 else {
                unreadable.append(SkippedEntry(components: path, what: String(cString: strerror(errno))))
                continue
            }
            switch info.st_mode & S_IFMT {
            case S_IFREG:
                files.append(File(components: path, size: Int(info.st_size)))
            case S_IFDIR where path.count > limits.depth:
                unfinished.append(SkippedEntry(components: path, what: "deeper than \(limits.depth) directories"))
            case S_IFDIR:
                let child = name.withCString { openat(fd, $0, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) }
                if child >= 0 {
                    visit(child, path, limits)
                } else {
                    unreadable.append(SkippedEntry(components: path, what: String(cString: strerror(errno))))
                }
            default:
                skipped.append(SkippedEntry(components: path, what: Self.kind(info.st_mode)))
            }
        }
    }

    /// The sorted names in a directory, at most as many as the limit of entries still allows.
    private mutating func names(
        in directory: OpaquePointer, _ components: [[UInt8]], _ limits: CollectorLimits
    ) -> [[UInt8]] {
        var names: [[UInt8]] = []
        let room = max(0, limits.entries - seen)
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { tuple in
                tuple.withMemoryRebound(to: UInt8.self, capacity: 256) { Array(UnsafeBufferPointer(start: $0, count: strlen($0))) }
            }
            if name == [0x2E] || name == [0x2E, 0x2E] { continue }
            if names.count >= room {
                unfinished.append(SkippedEntry(components: components, what: "more than \(limits.entries) entries in all"))
                break
            }
            names.append(name)
        }
        names.sort { $0.lexicographicallyPrecedes($1) }
        guard components.isEmpty else { return names }
        return Self.order.filter(names.contains) + names.filter { !Self.order.contains($0) }
    }

    private static func kind(_ mode: mode_t) -> String {
        switch mode & S_IFMT {
        case S_IFLNK: "symlink"
        case S_IFIFO: "fifo"
        case S_IFSOCK: "socket"
        case S_IFCHR, S_IFBLK: "device"
        default: "unknown"
        }
    }

    /// Opens a file below the root without following a link and without blocking; nil with `errno` set.
    ///
    /// The tree may have changed since the walk, so the type of the opened file is checked again.
    static func open(_ components: [[UInt8]], below root: String) -> Int32? {
        var fd = Glibc.open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        for (index, name) in components.enumerated() {
            guard fd >= 0 else { return nil }
            let parent = fd
            let last = index == components.count - 1
            fd = name.withCString {
                openat(parent, $0, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | (last ? O_NONBLOCK | O_NOCTTY : O_DIRECTORY))
            }
            let number = errno
            close(parent)
            errno = number
        }
        guard fd >= 0 else { return nil }
        var info = stat()
        guard fstat(fd, &info) == 0, info.st_mode & S_IFMT == S_IFREG else {
            close(fd)
            errno = EINVAL
            return nil
        }
        return fd
    }

    /// The bytes of a small file; nil when it is missing, a link, or not a regular file. Reads at most `limit` + 1 bytes, so that the caller can
    /// tell when the file is longer than `limit`.
    static func contents(_ path: [String], below root: String, limit: Int) -> [UInt8]? {
        guard let fd = open(path.map { Array($0.utf8) }, below: root) else { return nil }
        defer { close(fd) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while bytes.count <= limit {
            let count = read(fd, &buffer, min(buffer.count, limit + 1 - bytes.count))
            if count <= 0 { break }
            bytes.append(contentsOf: buffer[0..<count])
        }
        return bytes
    }
}

extension [UInt8] {
    /// Calls the body with the name as a C string. Names read from a directory hold no NUL.
    func withCString<Result>(_ body: (UnsafePointer<CChar>) -> Result) -> Result {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: count + 1) { buffer in
            for (index, byte) in enumerated() { buffer.initializeElement(at: index, to: CChar(bitPattern: byte)) }
            buffer.initializeElement(at: count, to: 0)
            // The address is not nil, because the allocation has at least one element.
            return buffer.withMemoryRebound(to: CChar.self) { body(UnsafePointer($0.baseAddress.unsafelyUnwrapped)) }
        }
    }
}
