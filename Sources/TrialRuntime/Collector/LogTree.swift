import Glibc

/// The files of a trial's outputs, found without following any link and within limits.
struct LogTree: Sendable {
    /// A folder, or a file, and its place among the outputs.
    struct Root: Sendable, Hashable {
        /// The names of its place; empty for the logs themselves.
        var prefix: [[UInt8]] = []
        var directory: String
        /// A file or folder in `directory`; nil for the directory itself.
        var item: String?
        /// Paths in it that are left out, because they come from another root.
        var omitted: Set<[[UInt8]]> = []
    }

    struct File: Sendable, Hashable {
        /// The names of its place among the outputs, as the file system has them.
        var components: [[UInt8]]
        var size: Int
        /// Where it is: the names below `directory`.
        var directory: String
        var names: [[UInt8]]
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
    private var root = Root(directory: "")
    private var places: Set<[[UInt8]]> = []

    /// The verifier's files come first and the agent's last: however many files an agent writes, the files that support the verdict are kept.
    private static let order = ["verifier", "setup", "command", "artifacts"].map { Array($0.utf8) }

    static func walk(_ roots: [Root], limits: CollectorLimits) -> LogTree {
        var tree = LogTree()
        for root in roots {
            tree.root = root
            tree.visitRoot(limits)
        }
        return tree
    }

    private mutating func visitRoot(_ limits: CollectorLimits) {
        let fd = Glibc.open(root.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard fd >= 0 else {
            unreadable.append(SkippedEntry(components: root.prefix, what: String(cString: strerror(errno))))
            return
        }
        guard let item = root.item else { return visit(fd, [], limits) }
        defer { close(fd) }
        // The item is the collector's own copy, or missing.
        var info = stat()
        guard fstatat(fd, item, &info, AT_SYMLINK_NOFOLLOW) == 0 else { return }
        if info.st_mode & S_IFMT == S_IFREG { return add(root.prefix, names: [Array(item.utf8)], size: Int(info.st_size)) }
        let child = openat(fd, item, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        if child >= 0 { visit(child, [], limits) }
    }

    /// A place is taken once: what comes later with the same place is not collected.
    private mutating func add(_ components: [[UInt8]], names: [[UInt8]], size: Int) {
        guard places.insert(components).inserted else {
            skipped.append(SkippedEntry(components: components, what: "duplicate"))
            return
        }
        files.append(File(components: components, size: size, directory: root.directory, names: names))
    }

    /// Takes ownership of the descriptor and closes it.
    ///
    /// - Parameter names: of the directory, below the root's.
    private mutating func visit(_ fd: Int32, _ names: [[UInt8]], _ limits: CollectorLimits) {
        guard let directory = fdopendir(fd) else {
            close(fd)
            return
        }
        defer { closedir(directory) }
        for name in self.names(in: directory, root.prefix + names, limits) {
            let below = names + [name]
            if root.omitted.contains(below) { continue }
            seen += 1
            let path = root.prefix + below
            var info = stat()
            let found = name.withCString { fstatat(fd, $0, &info, AT_SYMLINK_NOFOLLOW) }
            guard found == 0 else {
                unreadable.append(SkippedEntry(components: path, what: String(cString: strerror(errno))))
                continue
            }
            switch info.st_mode & S_IFMT {
            case S_IFREG:
                add(path, names: (root.item.map { [Array($0.utf8)] } ?? []) + below, size: Int(info.st_size))
            case S_IFDIR where path.count > limits.depth:
                unfinished.append(SkippedEntry(components: path, what: "deeper than \(limits.depth) directories"))
            case S_IFDIR:
                let child = name.withCString { openat(fd, $0, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) }
                if child >= 0 {
                    visit(child, below, limits)
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
        let room = max(0, limits.entries - seen)
        var names = Self.names(in: directory, atMost: room + 1)
        if names.count > room {
            unfinished.append(SkippedEntry(components: components, what: "more than \(limits.entries) entries in all"))
            names.removeLast()
        }
        names.sort { $0.lexicographicallyPrecedes($1) }
        guard components.isEmpty else { return names }
        return Self.order.filter(names.contains) + names.filter { !Self.order.contains($0) }
    }

    /// The names in a directory in the order of the file system, without `.` and `..`.
    static func names(in directory: OpaquePointer, atMost limit: Int) -> [[UInt8]] {
        var names: [[UInt8]] = []
        while names.count < limit, let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { tuple in
                tuple.withMemoryRebound(to: UInt8.self, capacity: 256) { Array(UnsafeBufferPointer(start: $0, count: strlen($0))) }
            }
            if name != [0x2E], name != [0x2E, 0x2E] { names.append(name) }
        }
        return names
    }

    static func kind(_ mode: mode_t) -> String {
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
