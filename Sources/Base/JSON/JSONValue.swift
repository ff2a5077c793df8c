/// A JSON document, or a part of one (RFC 8259).
///
/// Integers that fit into 64 bits stay integers; all other numbers are doubles. The members of objects have no order; `serialized` always sorts the
/// keys, so that equal values give equal bytes.
public enum JSONValue: Sendable, Hashable {
    case null
    case bool(Bool)
    case int(Int64)
    case double(Double)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])
}

// MARK: Reading a part

extension JSONValue {
    public var isNull: Bool { self == .null }

    public var string: String? {
        if case .string(let s) = self { return s }
        return nil
    }

    /// The number, if it is whole and fits. `3.0` counts as whole, because JSON does not distinguish it from `3`.
    public var int: Int? {
        switch self {
        case .int(let i): return Int(i)
        case .double(let d): return Int(exactly: d)
        default: return nil
        }
    }

    public var double: Double? {
        switch self {
        case .int(let i): return Double(i)
        case .double(let d): return d
        default: return nil
        }
    }

    public var bool: Bool? {
        if case .bool(let b) = self { return b }
        return nil
    }

    public var array: [JSONValue]? {
        if case .array(let a) = self { return a }
        return nil
    }

    public var object: [String: JSONValue]? {
        if case .object(let o) = self { return o }
        return nil
    }

    /// The member of an object; nil for all other values. Setting a member of `null` makes an object. Setting a member of another value that is not
    /// an object does nothing. Setting nil removes the member.
    public subscript(key: String) -> JSONValue? {
        get {
            if case .object(let o) = self { return o[key] }
            return nil
        }
        set {
            switch self {
            case .object(var o):
                self = .null  // gives up the shared storage, so that the write below happens in place
                o[key] = newValue
                self = .object(o)
            case .null:
                if let newValue { self = .object([key: newValue]) }
            default:
                break
            }
        }
    }

    /// The item of an array; nil when there is none.
    public subscript(index: Int) -> JSONValue? {
        if case .array(let a) = self, a.indices.contains(index) { return a[index] }
        return nil
    }

    /// The value below object members: `at("spec", "source", "repo")`.
    public func at(_ path: String...) -> JSONValue? {
        var value = self
        for key in path {
            guard let next = value[key] else { return nil }
            value = next
        }
        return value
    }

    /// Sets the value below object members and creates missing objects; nil removes it. A value on the path that is not an object is replaced by one.
    public mutating func set(_ path: [String], to newValue: JSONValue?) {
        set(path[...], to: newValue)
    }

    private mutating func set(_ path: ArraySlice<String>, to newValue: JSONValue?) {
        guard let key = path.first else {
            self = newValue ?? .null
            return
        }
        var members = object ?? [:]
        if path.count == 1 {
            members[key] = newValue
        } else {
            var child = members[key] ?? .null
            if child.object == nil {
                if newValue == nil { return }
                child = .object([:])
            }
            child.set(path.dropFirst(), to: newValue)
            members[key] = child
        }
        self = .object(members)
    }
}

// MARK: Literals

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral,
    ExpressibleByStringInterpolation
{
    public init(stringLiteral value: String) { self = .string(value) }
    public init(integerLiteral value: Int64) { self = .int(value) }
    public init(floatLiteral value: Double) { self = .double(value) }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        self = .object(Dictionary(elements, uniquingKeysWith: { _, last in last }))
    }
    public init(nilLiteral: ()) { self = .null }
}

extension JSONValue {
    public init(_ value: Int) { self = .int(Int64(value)) }
}

// MARK: Text

extension JSONValue {
    /// Parses one document. Throws when text follows it, for invalid UTF-8, and for nesting deeper than `JSONReader.maximumDepth`. Of a repeated key,
    /// the last value is used.
    public init(parsing bytes: some Collection<UInt8>) throws(JSONSyntaxError) {
        var parser = JSONReader(Array(bytes))
        self = try parser.document(duplicates: nil)
    }

    public init(parsing text: String) throws(JSONSyntaxError) {
        try self.init(parsing: Array(text.utf8))
    }

    /// Like `init(parsing:)`, and also returns the path of every repeated key (`spec.color`), in order of appearance.
    public static func parseReportingDuplicates(
        _ bytes: [UInt8]
    ) throws(JSONSyntaxError) -> (value: JSONValue, duplicates: [String]) {
        let found = JSONReader.Duplicates()
        var parser = JSONReader(bytes)
        let value = try parser.document(duplicates: found)
        return (value, found.paths)
    }

    /// UTF-8 JSON with sorted keys. `pretty` indents by two spaces and ends without a newline. Numbers that JSON cannot represent (infinities, NaN)
    /// become `null`.
    public func serialized(pretty: Bool = false) -> [UInt8] {
        var writer = JSONWriter(pretty: pretty)
        writer.write(self)
        return writer.bytes
    }

    /// The beginning of the indented form, for display: slightly more than `limit` bytes at most. The limit is needed because indentation can
    /// multiply the length of a value.
    public func excerpt(_ limit: Int) -> [UInt8] {
        var writer = JSONWriter(pretty: true, limit: limit)
        writer.write(self)
        return writer.bytes
    }

    /// The compact serialization as a string.
    public var text: String { String(decoding: serialized(), as: UTF8.self) }
}
