import TOML

/// A mistake in a file, with its line.
struct FormatProblem: Error {
    var line: Int?
    var message: String
}

/// Reads the keys of one TOML table with their types. Keys that are never read are unknown.
struct TableReader {
    private let table: TOMLTable
    /// Empty for the root.
    let name: String
    /// Where the table begins.
    private let line: Int?
    private var known: Set<String> = []

    init(_ table: TOMLTable, name: String = "", line: Int? = nil) {
        self.table = table
        self.name = name
        self.line = line
    }

    /// All keys, in the order of the file.
    var keys: [String] { table.entries.map(\.key) }

    /// The key with the names of the tables that it is in.
    func place(_ key: String) -> String { name.isEmpty ? key : "\(name).\(key)" }

    /// The keys that were not read, with their lines, in the order of the file.
    var unknown: [(key: String, line: Int)] {
        table.entries.filter { !known.contains($0.key) }.map { (place($0.key), $0.keyPosition.line) }
    }

    mutating func node(_ key: String) -> TOMLNode? {
        known.insert(key)
        return table[key]
    }

    /// The line of the key, or of the table when it has no such key.
    func line(_ key: String) -> Int? { table.entry(key)?.keyPosition.line ?? line }

    func problem(_ key: String, _ message: String) -> FormatProblem {
        FormatProblem(line: line(key), message: "\(place(key)) \(message)")
    }

    private func wrongType(_ key: String, _ expected: String, _ node: TOMLNode) -> FormatProblem {
        if case .string(let text) = node.value { return problem(key, "must be \(expected), not the string \"\(text.prefix(40))\"") }
        return problem(key, "must be \(expected), not \(node.value.kindName)")
    }

    mutating func string(_ key: String) throws(FormatProblem) -> String? {
        guard let node = node(key) else { return nil }
        guard case .string(let text) = node.value else { throw wrongType(key, "a string", node) }
        return text
    }

    /// The string, which may be empty.
    mutating func requiredString(_ key: String) throws(FormatProblem) -> String {
        guard let text = try string(key) else { throw problem(key, "is required") }
        return text
    }

    /// nil also for an empty string: it counts as not given.
    mutating func nonEmptyString(_ key: String) throws(FormatProblem) -> String? {
        guard let text = try string(key), !text.isEmpty else { return nil }
        return text
    }

    /// A string that must be one of the choices.
    mutating func choice<Choice: RawRepresentable & CaseIterable>(_ key: String, _: Choice.Type) throws(FormatProblem) -> Choice?
    where Choice.RawValue == String {
        guard let text = try string(key) else { return nil }
        guard let choice = Choice(rawValue: text) else {
            let choices = Choice.allCases.map { "\"\($0.rawValue)\"" }
            throw problem(key, "must be \(choices.dropLast().joined(separator: ", ")) or \(choices.last ?? ""), not \"\(text)\"")
        }
        return choice
    }

    /// The name or number of a user.
    mutating func user(_ key: String) throws(FormatProblem) -> String? {
        guard let node = node(key) else { return nil }
        if case .string(let name) = node.value { return name }
        guard let number = LaxValue.integer(node.value) else { throw wrongType(key, "a string or an integer", node) }
        return String(number)
    }

    /// The name of a Compose service, without blanks around it.
    mutating func service(_ key: String) throws(FormatProblem) -> String? {
        guard let text = try string(key) else { return nil }
        let name = text.trimmed
        let isWord: (UInt8) -> Bool = { (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0) }
        guard let first = name.utf8.first, isWord(first), name.utf8.allSatisfy({ isWord($0) || "_.-".utf8.contains($0) }) else {
            throw problem(key, "must be the name of a Compose service, not \"\(text)\"")
        }
        return name
    }

    /// A boolean, or one of the numbers and words that Harbor's parser reads as one (``LaxValue``).
    mutating func boolean(_ key: String) throws(FormatProblem) -> Bool? {
        guard let node = node(key) else { return nil }
        guard let flag = LaxValue.boolean(node.value) else { throw wrongType(key, "a boolean", node) }
        return flag
    }

    /// An integer, a float without a fraction, or a string that is one of them.
    mutating func integer(_ key: String, atLeast least: Int, atMost most: Int = 1 << 40) throws(FormatProblem) -> Int? {
        guard let node = node(key) else { return nil }
        guard let number = LaxValue.integer(node.value) else { throw wrongType(key, "an integer", node) }
        guard number >= least else { throw problem(key, "must be at least \(least), not \(number)") }
        guard number <= most else { throw problem(key, "must be at most \(most), not \(number)") }
        return Int(number)
    }

    /// An integer, a float, or a string that is one of them; above zero.
    mutating func positive(_ key: String, atMost most: Double = .greatestFiniteMagnitude) throws(FormatProblem) -> Double? {
        guard let node = node(key) else { return nil }
        guard let number = LaxValue.number(node.value) else { throw wrongType(key, "a number", node) }
        guard number.isFinite, number > 0 else { throw problem(key, "must be a number above 0, not \(number)") }
        guard number <= most else { throw problem(key, "must be at most \(most), not \(number)") }
        return number
    }

    /// A number that may be 0.
    mutating func notNegative(_ key: String) throws(FormatProblem) -> Double? {
        guard let number = try finite(key) else { return nil }
        guard number >= 0 else { throw problem(key, "must not be below 0, but is \(number)") }
        return number
    }

    /// Any number but `inf` and `nan`.
    mutating func finite(_ key: String) throws(FormatProblem) -> Double? {
        guard let node = node(key) else { return nil }
        guard let number = LaxValue.number(node.value) else { throw wrongType(key, "a number", node) }
        guard number.isFinite else { throw problem(key, "must be a finite number, not \(number)") }
        return number
    }

    mutating func strings(_ key: String) throws(FormatProblem) -> [String]? {
        guard let node = node(key) else { return nil }
        guard case .array(let elements) = node.value else { throw wrongType(key, "an array of strings", node) }
        var result: [String] = []
        for element in elements {
            guard case .string(let text) = element.value else {
                throw FormatProblem(
                    line: element.position.line,
                    message: "\(place(key)) must be an array of strings, but has \(element.value.kindName) in it")
            }
            result.append(text)
        }
        return result
    }

    /// A table whose values are strings.
    mutating func stringTable(_ key: String) throws(FormatProblem) -> [String: String]? {
        guard let table = try subtable(key) else { return nil }
        var result: [String: String] = [:]
        for entry in table.entries {
            guard case .string(let text) = entry.node.value else {
                throw FormatProblem(
                    line: entry.keyPosition.line,
                    message: "\(place(key)).\(entry.key) must be a string, not \(entry.node.value.kindName)")
            }
            result[entry.key] = text
        }
        return result
    }

    /// Marks a key as known and returns whether it is there.
    mutating func has(_ key: String) -> Bool { node(key) != nil }

    mutating func subtable(_ key: String) throws(FormatProblem) -> TOMLTable? {
        guard let node = node(key) else { return nil }
        guard case .table(let table) = node.value else { throw wrongType(key, "a table", node) }
        return table
    }

    /// A reader for a table.
    mutating func table(_ key: String) throws(FormatProblem) -> TableReader? {
        try subtable(key).map { TableReader($0, name: place(key), line: table.entry(key)?.keyPosition.line) }
    }

    /// Readers for an array of tables; empty when the key is missing.
    mutating func tables(_ key: String) throws(FormatProblem) -> [TableReader] {
        var readers: [TableReader] = []
        for (index, node) in (try array(key) ?? []).enumerated() {
            guard case .table(let table) = node.value else {
                throw FormatProblem(
                    line: node.position.line, message: "\(place(key)) must be an array of tables, but has \(node.value.kindName) in it")
            }
            readers.append(TableReader(table, name: "\(place(key))[\(index)]", line: node.position.line))
        }
        return readers
    }

    mutating func array(_ key: String) throws(FormatProblem) -> [TOMLNode]? {
        guard let node = node(key) else { return nil }
        guard case .array(let elements) = node.value else { throw wrongType(key, "an array", node) }
        return elements
    }
}

extension String {
    /// Without white space at both ends.
    var trimmed: String {
        var rest = drop(while: \.isWhitespace)
        while rest.last?.isWhitespace == true { rest.removeLast() }
        return String(rest)
    }
}
