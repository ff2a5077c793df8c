import Base

/// A path in a repository's tree. It is relative and normalised, and has no component that git or a file system could interpret
/// differently.
///
/// The check is needed because `fast-import` of git 2.39 accepts `../x` and `.git/hooks/x`, and `mktree` accepts `.git`.
public struct GitPath: Sendable, Hashable, Comparable, Codable, CustomStringConvertible {
    /// The components; empty for the root.
    public let components: [String]

    public static let root = GitPath(unchecked: [])
    /// The maximum length of a path and of a component, in bytes (PATH_MAX and NAME_MAX of Linux).
    public static let maximumLength = 4095
    public static let maximumComponentLength = 255

    private init(unchecked components: [String]) { self.components = components }

    /// Parses a path that a user wrote. A leading `./` and a trailing `/` are removed; `.` and the empty text mean the root.
    public init(parsing text: String) throws(GitError) {
        func refuse(_ why: String) -> GitError { GitError(.invalidInput, "the path \(quoted(text)) is refused: \(why)") }
        guard text.utf8.count <= Self.maximumLength else { throw refuse("it is longer than \(Self.maximumLength) bytes") }
        guard !text.hasPrefix("/") else { throw refuse("it must be relative to the repository's root") }
        guard !text.contains("\\") else { throw refuse("it holds a backslash; use / between folders") }
        var rest = text[...]
        while rest.hasPrefix("./") { rest = rest.dropFirst(2) }
        if rest == "." { rest = "" }
        while rest.hasSuffix("/") { rest = rest.dropLast() }
        var components: [String] = []
        if !rest.isEmpty {
            for bytes in rest.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
                let part = String(decoding: bytes, as: UTF8.self)
                if let why = Self.problem(component: part) { throw refuse(why) }
                components.append(part)
            }
        }
        self.components = components
    }

    /// Why a name cannot be used in a tree that Assay writes or exports; nil if it can.
    public static func problem(component: some StringProtocol) -> String? {
        guard !component.isEmpty else { return "it has an empty component" }
        guard component != ".", component != ".." else { return "it has a component . or .." }
        guard component.utf8.count <= maximumComponentLength else { return "a component is longer than \(maximumComponentLength) bytes" }
        guard !component.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F || $0 == "/" }) else {
            return "it holds a control character"
        }
        guard !isDotGit(component) else { return "a component is a spelling of .git" }
        return nil
    }

    /// Whether a file system may treat the name as `.git`: in any case, with trailing dots, blanks or streams (NTFS), as `git~1` (8.3
    /// names), or with code points that HFS+ ignores (git's path.c `is_ntfs_dotgit`, utf8.c `is_hfs_dotgit`).
    public static func isDotGit(_ component: some StringProtocol) -> Bool {
        let visible = String(String.UnicodeScalarView(component.unicodeScalars.filter { !ignoredByHFS($0.value) })).lowercased()
        guard visible.hasPrefix(".git") || visible.hasPrefix("git~1") else { return false }
        var rest = visible.dropFirst(visible.hasPrefix(".git") ? 4 : 5)
        if let stream = rest.firstIndex(of: ":") { rest = rest[..<stream] }
        return rest.allSatisfy { $0 == "." || $0 == " " }
    }

    private static func ignoredByHFS(_ scalar: UInt32) -> Bool {
        switch scalar {
        case 0x200C...0x200F, 0x202A...0x202E, 0x206A...0x206F, 0xFEFF: true
        default: false
        }
    }

    public var text: String { components.joined(separator: "/") }
    public var description: String { text.isEmpty ? "." : text }
    public var isRoot: Bool { components.isEmpty }
    public var last: String? { components.last }
    public var parent: GitPath { GitPath(unchecked: components.dropLast()) }

    public static func / (base: GitPath, other: GitPath) -> GitPath { GitPath(unchecked: base.components + other.components) }

    /// The path of an entry in this folder. Throws when the name is not valid.
    public func appending(_ component: some StringProtocol) throws(GitError) -> GitPath {
        if let why = Self.problem(component: component) {
            throw GitError(.invalidInput, "the name \(quoted(String(component))) in \(description) is refused: \(why)")
        }
        return GitPath(unchecked: components + [String(component)])
    }

    /// Whether this path is `other` or is below it.
    public func isWithin(_ other: GitPath) -> Bool { components.starts(with: other.components) }

    public static func < (a: GitPath, b: GitPath) -> Bool { a.text < b.text }

    public init(from decoder: any Decoder) throws { try self.init(parsing: decoder.singleValueContainer().decode(String.self)) }
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }
}
