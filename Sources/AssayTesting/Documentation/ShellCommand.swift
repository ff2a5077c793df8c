/// One command of a shell session in a page: its words, as a shell splits them.
///
/// Pipes, lists and substitutions outside of quotes are commands of their own. Variables at a command's front, redirections and comments are left out.
public struct ShellCommand: Sendable, CustomStringConvertible {
    /// The page and the line that the command begins in.
    public var place: String
    public var words: [String]

    public var description: String { "\(place): \(words.joined(separator: " "))" }

    /// The script of a session: what is typed, without prompts and without what programs print. The whole text of a script in bash; nil for other languages.
    public static func script(of block: MarkdownPage.Block) -> String? {
        switch block.language {
        case "bash", "sh": return block.text
        case "console":
            // Lines of output stay as blank lines, so that numbers of lines stay right.
            var isContinued = false
            return block.text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
                let hasPrompt = line.hasPrefix("$ ") || line.hasPrefix("> ")
                let typed = hasPrompt ? line.dropFirst(2) : isContinued ? line : ""
                isContinued = typed.hasSuffix("\\")
                return typed
            }.joined(separator: "\n")
        default: return nil
        }
    }

    /// The commands of a block; none for a block that is no shell session.
    public static func all(in block: MarkdownPage.Block) -> [ShellCommand] {
        guard let script = script(of: block) else { return [] }
        var reader = ShellReader(page: block.page, line: block.line)
        reader.read(script)
        return reader.commands
    }

    /// The commands of a text that is one line, as `run:` in a workflow or code within a sentence.
    public static func all(in text: String, page: String, line: Int) -> [ShellCommand] {
        var reader = ShellReader(page: page, line: line)
        reader.read(text)
        return reader.commands
    }
}

/// Splits a script into commands and words.
private struct ShellReader {
    let page: String
    var line: Int
    var commands: [ShellCommand] = []
    private var words: [String] = []
    private var firstLine = 0
    private var word: String?
    /// The next word belongs to a redirection.
    private var isRedirected = false

    init(page: String, line: Int) { (self.page, self.line) = (page, line) }

    mutating func read(_ script: String) {
        var rest = script[...]
        while let character = rest.popFirst() {
            switch character {
            case "\\":
                let next = rest.popFirst()
                if next == "\n" { line += 1 } else if let next { word = (word ?? "") + String(next) }
            case "'", "\"":
                let end = rest.firstIndex(of: character) ?? rest.endIndex
                word = (word ?? "") + rest[..<end]
                line += rest[..<end].count { $0 == "\n" }
                rest = rest[end...].dropFirst()
            case "#" where word == nil: rest = rest.drop { $0 != "\n" }
            case "\n":
                endCommand()
                line += 1
            case ";", "|", "&", "(", ")", "`": endCommand()
            case "<", ">":
                // A number directly before it is the descriptor.
                if word.map({ $0.allSatisfy(\.isNumber) }) == true { word = nil }
                endWord()
                rest = rest.drop { $0 == "<" || $0 == ">" || $0 == "&" }
                isRedirected = true
            case " ", "\t": endWord()
            default: word = (word ?? "") + String(character)
            }
        }
        endCommand()
    }

    private static let keywords: Set<String> = ["do", "done", "else", "fi", "for", "if", "then", "time", "while", "!", "{", "}"]

    private mutating func endWord() {
        guard let ended = word else { return }
        word = nil
        if isRedirected {
            isRedirected = false
        } else if !words.isEmpty {
            words.append(ended)
        } else if !Self.keywords.contains(ended), ended.firstMatch(of: /^[A-Za-z_][A-Za-z0-9_]*=/) == nil {
            (words, firstLine) = ([ended], line)
        }
    }

    private mutating func endCommand() {
        endWord()
        isRedirected = false
        if !words.isEmpty { commands.append(ShellCommand(place: "\(page):\(firstLine)", words: words)) }
        words = []
    }
}
