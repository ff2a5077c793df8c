import Glibc

/// Paths as text. Nothing here looks at the disk but `workingDirectory`.
public enum Path {
    /// `/a` of `/a/b`, `/` of `/a`, `.` of `a`.
    public static func parent(of path: String) -> String {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// The path as seen from the directory of `file`; an absolute or empty one is returned as it is.
    public static func resolve(_ path: String, besides file: String) -> String {
        if path.hasPrefix("/") || path.isEmpty { return path }
        guard let slash = file.utf8.lastIndex(of: UInt8(ascii: "/")) else { return path }
        return String(file[...slash]) + path
    }

    /// The absolute path, without `.`, `..` and empty parts. `..` removes the name before it, whether that is a link or not.
    public static func absolute(_ path: String, in directory: String = workingDirectory) -> String {
        var parts: [String] = []
        for part in (path.hasPrefix("/") ? path : "\(directory)/\(path)").pathComponents where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        return "/" + parts.joined(separator: "/")
    }

    /// Of the process.
    public static var workingDirectory: String {
        guard let text = getcwd(nil, 0) else { return "/" }
        defer { free(text) }
        return String(cString: text)
    }
}

extension StringProtocol {
    /// What stands between the slashes, empty parts left out. By bytes: a combining mark behind a slash makes one `Character`
    /// of both, and is the beginning of a name all the same.
    public var pathComponents: [String] {
        utf8.split(separator: UInt8(ascii: "/")).map { String(decoding: $0, as: UTF8.self) }
    }
}
