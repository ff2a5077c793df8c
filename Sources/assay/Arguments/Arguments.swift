/// A command line that does not match the syntax. The message says what to type instead.
struct UsageError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// The words of one command line, checked against the command's syntax.
struct Arguments: Sendable {
    private(set) var positionals: [String] = []
    private var values: [String: [String]] = [:]
    private var flags: Set<String> = []
    private(set) var wantsHelp = false

    /// Accepts `--name value`, `--name=value` and `--flag`; `--` ends the options.
    init(_ words: [String], syntax: CommandSyntax) throws(UsageError) {
        var rest = words[...]
        let hint = "see: assay \(syntax.name) --help"
        while let word = rest.popFirst() {
            if word == "--" {
                positionals += rest
                rest = []
            } else if word == "--help" || word == "-h" {
                wantsHelp = true
            } else if word.hasPrefix("--") {
                let parts = word.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                let name = String(parts[0])
                guard let option = syntax.options.first(where: { $0.name == name }) else {
                    throw UsageError("unknown option --\(name) (\(hint))")
                }
                if option.value == nil {
                    guard parts.count == 1 else { throw UsageError("--\(name) takes no value (\(hint))") }
                    flags.insert(name)
                } else if option.valueIsOptional, parts.count == 1, rest.first?.hasPrefix("-") ?? true {
                    flags.insert(name)
                } else {
                    guard let value = parts.count == 2 ? String(parts[1]) : rest.popFirst() else {
                        throw UsageError("--\(name) needs a value (\(hint))")
                    }
                    guard option.repeats || values[name] == nil else { throw UsageError("--\(name) was given twice (\(hint))") }
                    values[name, default: []].append(value)
                }
            } else if word.hasPrefix("-"), word.count > 1 {
                throw UsageError("unknown option \(word) (\(hint))")
            } else {
                positionals.append(word)
            }
        }
        guard !wantsHelp else { return }
        let required = syntax.positionals.count(where: \.required)
        if positionals.count < required { throw UsageError("\(syntax.positionals[positionals.count].name) is missing (\(hint))") }
        if positionals.count > syntax.positionals.count {
            throw UsageError("unexpected argument \"\(positionals[syntax.positionals.count])\" (\(hint))")
        }
    }

    func flag(_ name: String) -> Bool { flags.contains(name) }
    func value(_ name: String) -> String? { values[name]?.last }
    /// Whether the option was given, with a value or without.
    func has(_ name: String) -> Bool { flag(name) || values[name] != nil }
    func all(_ name: String) -> [String] { values[name] ?? [] }

    func integer(_ name: String, in range: ClosedRange<Int>) throws(UsageError) -> Int? {
        guard let text = value(name) else { return nil }
        guard let number = Int(text), range.contains(number) else {
            throw UsageError("--\(name) takes a whole number from \(range.lowerBound) to \(range.upperBound), not \"\(text)\"")
        }
        return number
    }

    func number(_ name: String, in range: ClosedRange<Double>) throws(UsageError) -> Double? {
        guard let text = value(name) else { return nil }
        guard let number = Double(text), range.contains(number) else {
            throw UsageError("--\(name) takes a number from \(range.lowerBound) to \(range.upperBound), not \"\(text)\"")
        }
        return number
    }
}
