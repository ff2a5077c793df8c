import TOML

/// A mistake in a file, with its line.
struct FormatProblem: Error {
    var line: Int?
    var message: String
}

/// Reads the keys of one TOML table with their types. Keys that are never read are unknown.
struct TableReader {
    private let table: TOMLTable
    /// The table's name with a dot at its end; empty for the root.
    private let prefix: String
    private var known: Set<String> = []

    init(_ table: TOMLTable, name: String = "") {
        self.table = table
        prefix = name.isEmpty ? "" : name + "."
    }

    /// The keys that were not read, with their lines, in the order of the file.
    var unknown: [(key: String, line: Int)] {
        table.entries.filter { !known.contains($0.key) }.map { (prefix + $0.key, $0.keyPosition.line) }
    }

    mutating func node(_ key: String) -> TOMLNode? {
        known.insert(key)
        return table[key]
    }

    func line(_ key: String) -> Int? { table.entry(key)?.keyPosition.line }

    func problem(_ key: String, _ message: String) -> FormatProblem {
        FormatProblem(line: line(key), message: "\(prefix)\(key) \(message)")
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

    mutating func strings(_ key: String) throws(FormatProblem) -> [String]? {
        guard let node = node(key) else { return nil }
        guard case .array(let elements) = node.value else { throw wrongType(key, "an array of strings", node) }
        var result: [String] = []
        for element in elements {
            guard case .string(let text) = element.value else {
                throw FormatProblem(
                    line: element.position.line,
                    message: "\(prefix)\(key) must be an array of strings, but has \(element.value.kindName) in it")
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
                    message: "\(prefix)\(key).\(entry.key) must be a string, not \(entry.node.value.kindName)")
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

    mutating func array(_ key: String) throws(FormatProblem) -> [TOMLNode]? {
        guard let node = node(key) else { return nil }
        guard case .array(let elements) = node.value else { throw wrongType(key, "an array", node) }
        return elements
    }
}
