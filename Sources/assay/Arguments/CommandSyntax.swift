/// The arguments of one subcommand. The help text and the parser use the same declaration.
struct CommandSyntax: Sendable {
    struct Option: Sendable {
        /// The long name without the dashes.
        let name: String
        /// The name of the value in the help; nil for a flag.
        let value: String?
        let help: String
        var repeats = false
        /// The value may be left out; only for commands without positional arguments.
        var valueIsOptional = false
    }

    struct Positional: Sendable {
        let name: String
        let help: String
        var required = true
    }

    let name: String
    let summary: String
    var details = ""
    var positionals: [Positional] = []
    var options: [Option] = []

    var usage: String {
        let words = positionals.map { $0.required ? $0.name : "[\($0.name)]" }
        return (["assay", name] + words + (options.isEmpty ? [] : ["[options]"])).joined(separator: " ")
    }

    var help: String {
        var out = "\(summary)\n\nUsage: \(usage)\n"
        for paragraph in details.split(separator: "\n\n") {
            out += "\n" + Self.wrap(String(paragraph), Self.width).joined(separator: "\n") + "\n"
        }
        let rows = positionals.map { ($0.name, $0.help) }
        if !rows.isEmpty { out += "\nArguments:\n" + Self.table(rows) }
        let options = options.map { ("--\($0.name)" + ($0.value.map { " \($0)" } ?? ""), $0.help) } + [("--help", "Show this text.")]
        out += "\nOptions:\n" + Self.table(options)
        return out
    }

    /// The width of help texts, in columns.
    private static let width = 100

    static func table(_ rows: [(String, String)]) -> String {
        let width = min(30, rows.map(\.0.count).max() ?? 0)
        return rows.map { left, right in
            let lines = wrap(right, Self.width - width - 4)
            let pad = String(repeating: " ", count: width + 4)
            let first = left.count > width ? "  \(left)\n\(pad)" : "  \(left)" + String(repeating: " ", count: width - left.count + 2)
            return first + lines.joined(separator: "\n\(pad)") + "\n"
        }.joined()
    }

    private static func wrap(_ text: String, _ width: Int) -> [String] {
        var lines = [""]
        for word in text.split(whereSeparator: \.isWhitespace) {
            if !lines[lines.count - 1].isEmpty, lines[lines.count - 1].count + word.count + 1 > width { lines.append("") }
            lines[lines.count - 1] += (lines[lines.count - 1].isEmpty ? "" : " ") + word
        }
        return lines
    }
}
