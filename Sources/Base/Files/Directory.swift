import Glibc

/// Creates, lists and removes directories.
public enum Directory {
    /// Creates the directory and its missing parents. A directory that exists is not changed.
    /// - Parameter mode: set regardless of the umask; parents that are created get only those of its bits that are in 0755.
    ///   Without a mode all get 0755 less the umask.
    public static func make(_ path: String, mode: mode_t? = nil) throws(FileError) {
        if FileEntry.isDirectory(path) { return }
        let parts = path.pathComponents
        var done = path.hasPrefix("/") ? "/" : ""
        for (index, part) in parts.enumerated() {
            done += done.isEmpty || done == "/" ? part : "/\(part)"
            let own = index == parts.count - 1 ? mode ?? 0o755 : (mode ?? 0o755) & 0o755
            if mkdir(done, own) != 0 {
                guard errno == EEXIST else { throw FileError("make the directory", done) }
            } else if mode != nil, chmod(done, own) != 0 {
                throw FileError("set the mode of", done)
            }
        }
        guard FileEntry.isDirectory(path) else { throw FileError("make the directory", path, ENOTDIR) }
    }

    /// The names in a directory, sorted, without `.` and `..`; nil when it cannot be read.
    /// - Parameter limit: at most this many names are returned; the first ones that the file system lists are kept.
    public static func names(in path: String, limit: Int = .max) -> [String]? {
        guard let names = rawNames(in: Array(path.utf8CString), limit: limit) else { return nil }
        return names.map { $0.withUnsafeBufferPointer { String(decoding: UnsafeRawBufferPointer($0).dropLast(), as: UTF8.self) } }.sorted()
    }

    /// Makes the names in a directory durable (fsync).
    public static func sync(_ path: String) throws(FileError) {
        let fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard fd >= 0 else { throw FileError("open", path) }
        defer { close(fd) }
        guard fsync(fd) == 0 else { throw FileError("sync", path) }
    }

    /// `rm -rf` of a file, a link (which is not followed), or a directory with its contents. What cannot be removed stays.
    /// - Returns: whether everything was removed.
    @discardableResult
    public static func removeTree(_ path: String) -> Bool { removeTree(Array(path.utf8CString)) }

    /// The bytes that a tree uses on its disk. Counting stops above the limit; mounted file systems are not entered.
    public static func usage(of path: String, upTo limit: Int) -> Int {
        var info = stat()
        guard lstat(path, &info) == 0 else { return 0 }
        let device = info.st_dev
        var pending = [Array(path.utf8CString)]
        var total = 0
        while let directory = pending.popLast(), total <= limit {
            for name in rawNames(in: directory) ?? [] {
                let entry = join(directory, name)
                guard lstat(entry, &info) == 0, info.st_dev == device else { continue }
                total += Int(info.st_blocks) * 512
                if info.st_mode & S_IFMT == S_IFDIR { pending.append(entry) }
            }
        }
        return total
    }

    // Works on bytes, because a name need not be UTF-8: converted to a `String` and back it would name another file.

    private static func removeTree(_ path: [CChar]) -> Bool {
        var info = stat()
        guard lstat(path, &info) == 0 else { return errno == ENOENT }
        guard info.st_mode & S_IFMT == S_IFDIR else { return unlink(path) == 0 || errno == ENOENT }
        // Entries of a directory without write permission cannot be removed; the output of a trial can contain such directories.
        if info.st_mode & 0o700 != 0o700 { chmod(path, 0o700) }
        for name in rawNames(in: path) ?? [] { _ = removeTree(join(path, name)) }
        return rmdir(path) == 0 || errno == ENOENT
    }

    /// The names, each with its terminating zero.
    private static func rawNames(in path: [CChar], limit: Int = .max) -> [[CChar]]? {
        guard let stream = opendir(path) else { return nil }
        defer { closedir(stream) }
        var names: [[CChar]] = []
        while names.count < limit, let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { $0.prefix { $0 != 0 }.map { CChar(bitPattern: $0) } }
            if name != [0x2E], name != [0x2E, 0x2E] { names.append(name + [0]) }
        }
        return names
    }

    private static func join(_ directory: [CChar], _ name: [CChar]) -> [CChar] { directory.dropLast() + [0x2F] + name }
}
