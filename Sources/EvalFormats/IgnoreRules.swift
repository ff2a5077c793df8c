/// The patterns of a `.harborignore`, with git's rules (gitignore(5)). Pure.
public struct IgnoreRules: Sendable, Hashable {
    /// The name of the file with the rules. It is never a part of what a task gives.
    public static let fileName = ".harborignore"

    private struct Rule: Sendable, Hashable {
        var isNegated = false
        var isFolderOnly = false
        /// The parts between slashes; `**` stands for any number of folders.
        var parts: [String] = []
    }

    private let rules: [Rule]

    public init(_ text: String) {
        rules = text.split(whereSeparator: \.isNewline).compactMap { Self.rule(String($0)) }
    }

    private static func rule(_ line: String) -> Rule? {
        var text = line[...]
        // Blanks at the end count only when they are escaped.
        while text.last == " ", !text.dropLast().hasSuffix("\\") { text.removeLast() }
        guard let first = text.first, first != "#" else { return nil }
        var rule = Rule()
        if first == "!" {
            rule.isNegated = true
            text.removeFirst()
        }
        if text.last == "/" {
            rule.isFolderOnly = true
            text.removeLast()
        }
        // A slash before the end ties the pattern to the folder of the file; without one it matches at any depth.
        let isAnchored = text.contains("/")
        if text.first == "/" { text.removeFirst() }
        guard !text.isEmpty else { return nil }
        rule.parts = (isAnchored ? [] : ["**"]) + text.split(separator: "/", omittingEmptySubsequences: true).map(String.init)
        return rule
    }

    /// Whether the path is left out, as far as these rules say; nil when none of them is about it.
    ///
    /// - Parameter path: relative to the folder of the file.
    public func decision(_ path: [String], isFolder: Bool) -> Bool? {
        rules.last { rule in (!rule.isFolderOnly || isFolder) && Self.matches(rule.parts[...], path[...]) }.map { !$0.isNegated }
    }

    private static func matches(_ parts: ArraySlice<String>, _ path: ArraySlice<String>) -> Bool {
        guard let part = parts.first else { return path.isEmpty }
        let rest = parts.dropFirst()
        guard part == "**" else {
            guard let name = path.first, Glob(part).matches(name) else { return false }
            return matches(rest, path.dropFirst())
        }
        // At the end `**` matches everything inside, but not the folder itself.
        if rest.isEmpty { return !path.isEmpty }
        return (0...path.count).contains { matches(rest, path.dropFirst($0)) }
    }
}
