import Glibc

/// The kind of file at a path.
public enum FileEntry {
    public enum Kind: Sendable { case directory, file, link, other }

    /// The kind of the entry itself; links are not followed. Nil when there is no entry.
    public static func kind(_ path: String) -> Kind? {
        var info = stat()
        guard lstat(path, &info) == 0 else { return nil }
        switch info.st_mode & S_IFMT {
        case S_IFDIR: return .directory
        case S_IFREG: return .file
        case S_IFLNK: return .link
        default: return .other
        }
    }

    /// - Parameter followingLinks: true: a link to a missing file does not count.
    public static func exists(_ path: String, followingLinks: Bool = false) -> Bool {
        followingLinks ? access(path, F_OK) == 0 : kind(path) != nil
    }

    /// True for a directory and for a link to one.
    public static func isDirectory(_ path: String) -> Bool {
        var info = stat()
        return stat(path, &info) == 0 && info.st_mode & S_IFMT == S_IFDIR
    }

    /// The target of a symbolic link; nil for anything else.
    public static func linkTarget(_ path: String) -> String? {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink(path, &buffer, buffer.count)
        return count > 0 ? String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self) : nil
    }
}
