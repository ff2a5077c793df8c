/// A path within a repository that is checked: it cannot leave the repository or name git's own files.
///
/// Such paths come from users and registries, and are used as arguments of git and as parts of paths on disk.
public struct SourcePath: Sendable, Hashable, CustomStringConvertible {
    /// The longest path that is accepted, in bytes.
    public static let maximumBytes = 1024
    /// The longest file name that file systems allow, in bytes.
    public static let maximumNameBytes = 255

    /// The path without `.` components and without slashes at its ends; empty for the repository's root.
    public let text: String

    /// - Throws: `SourcePathError` for an absolute path, `..`, a name that git or a file system treats as `.git`, control
    ///   characters, a leading `-` or `:`, and paths or names that are too long.
    public init(_ path: String) throws(SourcePathError) {
        guard path.utf8.count <= Self.maximumBytes else { throw SourcePathError(path, "is longer than \(Self.maximumBytes) bytes") }
        guard path.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7F }) else {
            throw SourcePathError(path, "contains a control character")
        }
        guard !path.hasPrefix("/") else { throw SourcePathError(path, "must be relative to the repository's root") }
        guard !path.contains("\\") else { throw SourcePathError(path, "must not contain \\: use / between names") }
        // Git reads a leading dash as an option and a leading colon as pathspec magic.
        guard !path.hasPrefix("-"), !path.hasPrefix(":") else { throw SourcePathError(path, "must not begin with - or :") }
        var names: [Substring] = []
        for name in path.split(separator: "/") where name != "." {
            guard name != ".." else { throw SourcePathError(path, "must not contain ..") }
            guard name.utf8.count <= Self.maximumNameBytes else { throw SourcePathError(path, "has a name that is too long") }
            guard !Self.isGitsOwn(name) else { throw SourcePathError(path, "must not name .git") }
            names.append(name)
        }
        text = names.joined(separator: "/")
    }

    /// Whether some file system treats the name as `.git`: in any case, with trailing dots or blanks (NTFS), as the short
    /// name `git~1`, with a stream (`.git::$DATA`), or with characters that HFS+ ignores.
    public static func isGitsOwn(_ name: some StringProtocol) -> Bool {
        let visible = name.unicodeScalars.filter { !isIgnoredByHFS($0) }
        var plain = String(String.UnicodeScalarView(visible)).lowercased()
        if let stream = plain.firstIndex(of: ":") { plain = String(plain[..<stream]) }
        while let last = plain.last, last == "." || last == " " { plain.removeLast() }
        return plain == ".git" || plain == "git~1"
    }

    private static func isIgnoredByHFS(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x200C...0x200F, 0x202A...0x202E, 0x206A...0x206F, 0xFEFF: true
        default: false
        }
    }

    public var isRoot: Bool { text.isEmpty }

    /// The last name; nil for the root.
    public var name: String? { text.split(separator: "/").last.map(String.init) }

    /// This path with another one appended.
    ///
    /// - Throws: `SourcePathError`, as from the initialiser.
    public func appending(_ path: String) throws(SourcePathError) -> SourcePath {
        let below = try SourcePath(path)
        return try SourcePath(isRoot ? below.text : below.isRoot ? text : "\(text)/\(below.text)")
    }

    public var description: String { text }
}

/// The path is not allowed.
public struct SourcePathError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The path, shortened.
    public var path: String
    public var problem: String

    init(_ path: String, _ problem: String) {
        let shown = path.unicodeScalars.prefix(80).map { $0.value < 0x20 || $0.value == 0x7F ? "?" : String($0) }
        self.path = shown.joined() + (path.unicodeScalars.count > 80 ? "..." : "")
        self.problem = problem
    }

    public var description: String { "path \"\(path)\" \(problem)" }
}
