import Glibc

/// Paths as text. Only `workingDirectory` reads from the system.
public enum Path {
    /// The parent directory: `/a` for `/a/b`, `/` for `/a`, `.` for `a`.
    public static func parent(of path: String) -> String {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// A relative path resolved against the directory of `file`; an absolute or empty path is returned unchanged.
    public static func resolve(_ path: String, besides file: String) -> String {
        if path.hasPrefix("/") || path.isEmpty { return path }
        guard let slash = file.utf8.lastIndex(of: UInt8(ascii: "/")) else { return path }
        return String(file[...slash]) + path
    }

    /// The absolute path, without `.`, `..` and empty parts. `..` removes the preceding name, even when that is a link.
    public static func absolute(_ path: String, in directory: String = workingDirectory) -> String {
        var parts: [String] = []
        for part in (path.hasPrefix("/") ? path : "\(directory)/\(path)").pathComponents where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        return "/" + parts.joined(separator: "/")
    }

    /// The working directory of the process.
    public static var workingDirectory: String {
        guard let text = getcwd(nil, 0) else { return "/" }
        defer { free(text) }
        return String(cString: text)
    }
}

extension StringProtocol {
    /// The parts between the slashes, without empty ones. Split by bytes: Swift joins a slash and a following combining mark into
    /// one `Character`, but the mark is the beginning of a name.
    public var pathComponents: [String] {
        utf8.split(separator: UInt8(ascii: "/")).map { String(decoding: $0, as: UTF8.self) }
    }
}
