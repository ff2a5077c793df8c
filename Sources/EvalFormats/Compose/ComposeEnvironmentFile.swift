import Base

/// A file of variables (`env_file`), read as Compose reads it. Source: compose-go, package `dotenv`.
struct ComposeEnvironmentFile {
    struct Entry: Hashable {
        var name: String
        /// nil: a name alone, whose value the job may give.
        var value: String?
        /// Whether `$NAME` in the value is a variable. Not between single quotes, and not in a file with `format: raw`.
        var isExpanded = false
    }

    private(set) var entries: [Entry] = []
    /// The name of a value whose quote is not closed.
    private(set) var openQuote: String?

    /// - Parameter isRaw: `format: raw`: what stands behind `=` is the value, with its quotes.
    init(_ text: String, isRaw: Bool = false) {
        var rest = text.hasPrefix("\u{FEFF}") ? text.dropFirst() : text[...]
        while true {
            rest = rest.drop { $0.isWhitespace }
            guard !rest.isEmpty, openQuote == nil else { return }
            var line = rest.prefix { !$0.isNewline }
            rest = rest[line.endIndex...]
            guard !line.hasPrefix("#") else { continue }
            if line.hasPrefix("export ") || line.hasPrefix("export\t") { line = line.dropFirst(7).drop { $0.isWhitespace } }
            guard let separator = line.firstIndex(where: { $0 == "=" || $0 == ":" && !isRaw }) else {
                entries.append(Entry(name: line.trimmed, value: nil))
                continue
            }
            let name = line[..<separator].trimmed
            let value = line[line.index(after: separator)...].drop { $0.isWhitespace }
            if isRaw {
                entries.append(Entry(name: name, value: String(line[line.index(after: separator)...])))
            } else if let quote = value.first, quote == "'" || quote == "\"" {
                rest = quoted(name, text[value.startIndex...].dropFirst(), quote)
            } else {
                let end = value.firstRange(of: " #")?.lowerBound ?? value.endIndex
                entries.append(Entry(name: name, value: value[..<end].trimmed, isExpanded: true))
            }
        }
    }

    /// Reads a value from behind its opening quote; it may have several lines. Returns what follows its last line.
    private mutating func quoted(_ name: String, _ text: Substring, _ quote: Character) -> Substring {
        var value = ""
        var isEscaped = false
        for index in text.indices {
            let character = text[index]
            if isEscaped {
                value += Self.escaped(character, in: quote)
                isEscaped = false
            } else if character == "\\" {
                isEscaped = true
            } else if character == quote {
                entries.append(Entry(name: name, value: value, isExpanded: quote == "\""))
                return text[index...].drop { !$0.isNewline }
            } else {
                value.append(character)
            }
        }
        openQuote = name
        return ""
    }

    /// What a backslash and a character mean: between single quotes themselves.
    private static func escaped(_ character: Character, in quote: Character) -> String {
        guard quote == "\"" else { return "\\\(character)" }
        switch character {
        case "n": return "\n"
        case "r": return "\r"
        case "t": return "\t"
        case "\"", "\\", "'": return String(character)
        case "$": return "$$"
        default: return "\\\(character)"
        }
    }
}
