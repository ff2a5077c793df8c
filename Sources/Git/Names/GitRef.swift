import Base

/// The full id of a commit, tree or blob: 40 (SHA-1) or 64 (SHA-256) lower-case hex digits.
public struct GitObjectID: Sendable, Hashable, Codable, Comparable, CustomStringConvertible {
    public let hex: String

    /// nil unless the text is a full id.
    public init?(_ text: some StringProtocol) {
        let digits = text.utf8
        guard digits.count == 40 || digits.count == 64, digits.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) })
        else { return nil }
        hex = String(text)
    }

    /// Takes an id that git itself printed, without checking it.
    init(printed digits: UnsafeRawBufferPointer) { hex = String(decoding: digits, as: UTF8.self) }

    public var description: String { hex }
    /// The first twelve digits, for messages.
    public var short: String { String(hex.prefix(12)) }
    /// Whether this is the all-zero id, which git uses for "no object".
    public var isZero: Bool { hex.utf8.allSatisfy { $0 == 48 } }

    public static func < (a: GitObjectID, b: GitObjectID) -> Bool { a.hex < b.hex }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let id = GitObjectID(text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "not a full git object id: \(quoted(text))")
        }
        self = id
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(hex)
    }
}

/// The text by which a user names a commit: a branch, a tag, a full ref (`refs/...`), `HEAD`, or a commit id.
///
/// The grammar is that of `git check-ref-format`, without a leading dash. It excludes revision syntax (`~`, `^`, `:`, `@{`), so that
/// git never interprets user input as an option or an expression (CVE-2026-40938, CVE-2025-21613).
public struct GitRef: Sendable, Hashable, CustomStringConvertible {
    public let text: String

    public init(parsing text: String) throws(GitError) {
        if let why = Self.problem(text) {
            throw GitError(.invalidInput, "the ref \(quoted(text)) is refused: \(why); write a branch, a tag or a commit")
        }
        self.text = text
    }

    public var description: String { text }

    /// The commit id, if the ref is a full id.
    public var commit: GitObjectID? { GitObjectID(text) }

    /// Whether this could be an abbreviated commit id (4 to 39 hex digits).
    public var isAbbreviation: Bool {
        (4...39).contains(text.utf8.count) && text.utf8.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
    }

    static func problem(_ text: String) -> String? {
        guard !text.isEmpty else { return "it is empty" }
        guard text.utf8.count <= 1024 else { return "it is longer than 1024 bytes" }
        guard !text.hasPrefix("-") else { return "it begins with a dash, which git would read as an option" }
        guard !text.unicodeScalars.contains(where: { $0.value < 0x21 || $0.value == 0x7F || " ~^:?*[\\".unicodeScalars.contains($0) })
        else { return "it holds a blank, a control character or one of ~ ^ : ? * [ \\" }
        guard !text.contains(".."), !text.contains("@{"), text != "@" else { return "it holds .. or @{" }
        guard !text.hasSuffix("."), !text.hasSuffix("/"), !text.hasPrefix("/"), !text.contains("//") else {
            return "it begins or ends with a slash or ends with a dot"
        }
        for component in text.split(separator: "/") where component.hasPrefix(".") || component.hasSuffix(".lock") {
            return "a part of it begins with a dot or ends with .lock"
        }
        return nil
    }
}

/// The name of a branch, without `refs/heads/`.
public struct GitBranch: Sendable, Hashable, Codable, CustomStringConvertible {
    public let name: String
    public var ref: String { "refs/heads/\(name)" }
    public var description: String { name }

    public init(parsing text: String) throws(GitError) {
        if let why = GitRef.problem(text) {
            throw GitError(.invalidInput, "the branch \(quoted(text)) is refused: \(why)")
        }
        guard !text.hasPrefix("refs/"), text != "HEAD" else {
            throw GitError(.invalidInput, "the branch \(quoted(text)) is refused: write the branch's name alone, without refs/heads/")
        }
        name = text
    }

    public init(from decoder: any Decoder) throws { try self.init(parsing: decoder.singleValueContainer().decode(String.self)) }
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(name)
    }
}
