import Base

/// A mistake in a JSON or YAML file, with the path of the value.
public struct FileFormatError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The file's kind or name: `registry.json`.
    public var file: String
    /// The position: `agents[1].name`, or `line 3, column 4`; empty for the whole file.
    public var place: String
    public var message: String

    public init(file: String, place: String, message: String) {
        self.file = file
        self.place = place
        self.message = message
    }

    public var description: String { place.isEmpty ? "\(file): \(message)" : "\(file): \(place): \(message)" }
}

/// Reads the keys of one JSON or YAML object with their types. Keys that are never read are unknown.
struct ValueReader {
    private let file: String
    private let members: [String: JSONValue]
    /// The same object with scalars as they are written, for YAML whose readers take any scalar as a string; nil for JSON.
    private let texts: JSONValue?
    /// The object's path; empty for the root.
    let path: String
    private var known: Set<String> = []

    init(_ value: JSONValue, texts: JSONValue? = nil, file: String, path: String = "") throws(FileFormatError) {
        guard case .object(let members) = value else {
            throw FileFormatError(file: file, place: path, message: "must be an object, not \(Self.kindName(value))")
        }
        self.file = file
        self.path = path
        self.members = members
        self.texts = texts
    }

    /// The paths of the keys that were not read.
    var unknown: [String] { unknownKeys.map(place) }

    /// The keys that were not read, sorted.
    var unknownKeys: [String] { members.keys.filter { !known.contains($0) }.sorted() }

    func place(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

    func problem(_ key: String, _ message: String) -> FileFormatError {
        FileFormatError(file: file, place: place(key), message: message)
    }

    /// The value; nil when the key is missing or null. (`key:` without a value is null in YAML.)
    mutating func value(_ key: String) -> JSONValue? {
        known.insert(key)
        guard let value = members[key], !value.isNull else { return nil }
        return value
    }

    private func wrongType(_ key: String, _ expected: String, _ value: JSONValue) -> FileFormatError {
        problem(key, "must be \(expected), not \(Self.kindName(value))")
    }

    mutating func string(_ key: String) throws(FileFormatError) -> String? {
        guard let value = value(key) else { return nil }
        guard let text = Self.text(value, texts?[key]) else { throw wrongType(key, "a string", value) }
        return text
    }

    /// - Parameter written: the text of the scalar in the file, when any scalar counts as a string.
    private static func text(_ value: JSONValue, _ written: JSONValue?) -> String? { value.string ?? written?.string }

    mutating func requiredString(_ key: String) throws(FileFormatError) -> String {
        guard let text = try string(key), !text.isEmpty else { throw problem(key, "is required") }
        return text
    }

    /// A string that must be one of the choices.
    mutating func choice<Choice: RawRepresentable & CaseIterable>(
        _ key: String, _: Choice.Type
    ) throws(FileFormatError) -> Choice? where Choice.RawValue == String {
        guard let text = try string(key) else { return nil }
        guard let choice = Choice(rawValue: text) else {
            let choices = Choice.allCases.map(\.rawValue).joined(separator: ", ")
            throw problem(key, "must be one of \(choices), not \"\(text)\"")
        }
        return choice
    }

    mutating func boolean(_ key: String) throws(FileFormatError) -> Bool? {
        guard let value = value(key) else { return nil }
        if case .bool(let flag) = value { return flag }
        // YAML 1.1 has more words for them.
        if texts != nil, let word = value.string?.lowercased() {
            if ["yes", "y", "on"].contains(word) { return true }
            if ["no", "n", "off"].contains(word) { return false }
        }
        throw wrongType(key, "true or false", value)
    }

    mutating func integer(_ key: String, atLeast least: Int) throws(FileFormatError) -> Int? {
        guard let value = value(key) else { return nil }
        guard let number = value.int else { throw wrongType(key, "a whole number", value) }
        guard number >= least else { throw problem(key, "must be at least \(least), not \(number)") }
        return number
    }

    mutating func positive(_ key: String) throws(FileFormatError) -> Double? {
        guard let value = value(key) else { return nil }
        guard let number = value.double else { throw wrongType(key, "a number", value) }
        guard number.isFinite, number > 0 else { throw problem(key, "must be above 0, not \(number)") }
        return number
    }

    /// A whole number; nil for 0, which means "not set".
    mutating func integerUnlessZero(_ key: String) throws(FileFormatError) -> Int? {
        try integer(key, atLeast: 0).flatMap { $0 == 0 ? nil : $0 }
    }

    /// A number; nil for 0, which means "not set".
    mutating func positiveUnlessZero(_ key: String) throws(FileFormatError) -> Double? {
        value(key)?.double == 0 ? nil : try positive(key)
    }

    mutating func object(_ key: String) throws(FileFormatError) -> ValueReader? {
        guard let value = value(key) else { return nil }
        return try ValueReader(value, texts: texts?[key], file: file, path: place(key))
    }

    /// A map whose values are strings.
    mutating func strings(_ key: String) throws(FileFormatError) -> [String: String]? {
        guard let value = value(key) else { return nil }
        guard case .object(let members) = value else { throw wrongType(key, "a map", value) }
        var result: [String: String] = [:]
        for (name, value) in members.sorted(by: { $0.key < $1.key }) {
            let written = texts?[key]?[name]
            if value.isNull, texts != nil {
                result[name] = ""
                continue
            }
            guard let text = Self.text(value, written) else {
                throw problem("\(key).\(name)", "must be a string, not \(Self.kindName(value)): quote it")
            }
            result[name] = text
        }
        return result
    }

    /// The elements of an array of objects; empty when the key is missing.
    mutating func objects(_ key: String) throws(FileFormatError) -> [ValueReader] {
        guard let value = value(key) else { return [] }
        guard case .array(let elements) = value else { throw wrongType(key, "a list", value) }
        return try Self.objects(elements, texts: texts?[key]?.array, file: file, path: place(key))
    }

    /// Readers for the elements of an array. `path` is the array's path; empty when the file itself is the array.
    static func objects(_ elements: [JSONValue], texts: [JSONValue]? = nil, file: String, path: String) throws(FileFormatError) -> [ValueReader] {
        var result: [ValueReader] = []
        for (index, element) in elements.enumerated() {
            result.append(try ValueReader(element, texts: texts?[index], file: file, path: "\(path)[\(index)]"))
        }
        return result
    }

    static func kindName(_ value: JSONValue) -> String {
        switch value {
        case .null: "null"
        case .bool: "a boolean"
        case .int, .double: "a number"
        case .string: "a string"
        case .array: "a list"
        case .object: "an object"
        }
    }
}
