import AssayAPI
import Base
import EvalModel

/// A decoder that has every key, returns a value for every type, and records the requests: the fields of a type.
final class SchemaProbe {
    /// The type at a path, in the terms of a structural schema.
    struct Field: Hashable, CustomStringConvertible {
        var type: String
        /// The allowed values of an enumeration, sorted.
        var values: [String] = []
        var description: String { values.isEmpty ? type : "\(type) \(values)" }
    }

    private(set) var fields: [String: Field] = [:]

    /// The fields of a type below a path: `spec.agents[].name`.
    static func fields<T: Decodable>(of type: T.Type, at path: String) throws -> [String: Field] {
        let probe = SchemaProbe()
        _ = try probe.make(type, path)
        return probe.fields
    }

    fileprivate func leaf<T>(_ path: String, _ type: String, _ value: T) -> T {
        fields[path] = Field(type: type)
        return value
    }

    fileprivate func make<T: Decodable>(_ type: T.Type, _ path: String) throws -> T {
        // Types that are encoded as one value, whatever properties they have.
        if type == JSONValue.self { return try cast(leaf(path, "any", JSONValue.null)) }
        if type == Timestamp.self { return try cast(leaf(path, "string", Timestamp(seconds: 0))) }
        if type == TrialIndexSet.self { return try cast(leaf(path, "string", TrialIndexSet())) }
        if type == [String: String].self { return try cast(leaf(path, "map", [String: String]())) }
        if type == [String: Quantity].self { return try cast(leaf(path, "map", [String: Quantity]())) }
        if type == [String: Int].self { return try cast(leaf(path, "map", [String: Int]())) }
        if type == [String: Double].self { return try cast(leaf(path, "map", [String: Double]())) }
        if let kind = type as? any (CaseIterable & RawRepresentable).Type {
            let (first, values) = cases(kind)
            fields[path] = Field(type: "string", values: values.sorted())
            return try cast(first)
        }
        return try T(from: ProbeDecoder(probe: self, path: path))
    }

    private func cases<C: CaseIterable & RawRepresentable>(_ type: C.Type) -> (first: C?, values: [String]) {
        var values = type.allCases.compactMap { $0.rawValue as? String }
        if type == EvalTargetSpec.Kind.self { values += EvalTargetSpec.Kind.aliases.keys }
        return (type.allCases.first, values)
    }

    private func cast<T>(_ value: Any?) throws -> T {
        guard let value = value as? T else {
            throw DecodingError.typeMismatch(T.self, .init(codingPath: [], debugDescription: "the probe has no \(T.self)"))
        }
        return value
    }
}

private struct ProbeDecoder: Decoder {
    let probe: SchemaProbe
    let path: String
    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedDecodingContainer<Key> {
        KeyedDecodingContainer(ProbeKeyed<Key>(probe: probe, path: path))
    }
    func unkeyedContainer() -> any UnkeyedDecodingContainer { ProbeUnkeyed(probe: probe, path: path + "[]") }
    func singleValueContainer() -> any SingleValueDecodingContainer { ProbeSingle(probe: probe, path: path) }
}

private struct ProbeSingle: SingleValueDecodingContainer {
    let probe: SchemaProbe
    let path: String
    var codingPath: [any CodingKey] { [] }

    func decodeNil() -> Bool { false }
    func decode(_ type: Bool.Type) -> Bool { probe.leaf(path, "boolean", false) }
    func decode(_ type: String.Type) -> String { probe.leaf(path, "string", "") }
    func decode(_ type: Double.Type) -> Double { probe.leaf(path, "number", 0) }
    func decode(_ type: Float.Type) -> Float { probe.leaf(path, "number", 0) }
    func decode(_ type: Int.Type) -> Int { probe.leaf(path, "integer", 0) }
    func decode(_ type: Int8.Type) -> Int8 { probe.leaf(path, "integer", 0) }
    func decode(_ type: Int16.Type) -> Int16 { probe.leaf(path, "integer", 0) }
    func decode(_ type: Int32.Type) -> Int32 { probe.leaf(path, "integer", 0) }
    func decode(_ type: Int64.Type) -> Int64 { probe.leaf(path, "integer", 0) }
    func decode(_ type: UInt.Type) -> UInt { probe.leaf(path, "integer", 0) }
    func decode(_ type: UInt8.Type) -> UInt8 { probe.leaf(path, "integer", 0) }
    func decode(_ type: UInt16.Type) -> UInt16 { probe.leaf(path, "integer", 0) }
    func decode(_ type: UInt32.Type) -> UInt32 { probe.leaf(path, "integer", 0) }
    func decode(_ type: UInt64.Type) -> UInt64 { probe.leaf(path, "integer", 0) }
    func decode<T: Decodable>(_ type: T.Type) throws -> T { try probe.make(type, path) }
}

private struct ProbeKeyed<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let probe: SchemaProbe
    let path: String
    var codingPath: [any CodingKey] { [] }
    var allKeys: [Key] { [] }

    private func at(_ key: Key) -> ProbeSingle { ProbeSingle(probe: probe, path: "\(path).\(key.stringValue)") }

    func contains(_ key: Key) -> Bool { true }
    func decodeNil(forKey key: Key) -> Bool { false }
    func decode(_ type: Bool.Type, forKey key: Key) -> Bool { at(key).decode(type) }
    func decode(_ type: String.Type, forKey key: Key) -> String { at(key).decode(type) }
    func decode(_ type: Double.Type, forKey key: Key) -> Double { at(key).decode(type) }
    func decode(_ type: Float.Type, forKey key: Key) -> Float { at(key).decode(type) }
    func decode(_ type: Int.Type, forKey key: Key) -> Int { at(key).decode(type) }
    func decode(_ type: Int8.Type, forKey key: Key) -> Int8 { at(key).decode(type) }
    func decode(_ type: Int16.Type, forKey key: Key) -> Int16 { at(key).decode(type) }
    func decode(_ type: Int32.Type, forKey key: Key) -> Int32 { at(key).decode(type) }
    func decode(_ type: Int64.Type, forKey key: Key) -> Int64 { at(key).decode(type) }
    func decode(_ type: UInt.Type, forKey key: Key) -> UInt { at(key).decode(type) }
    func decode(_ type: UInt8.Type, forKey key: Key) -> UInt8 { at(key).decode(type) }
    func decode(_ type: UInt16.Type, forKey key: Key) -> UInt16 { at(key).decode(type) }
    func decode(_ type: UInt32.Type, forKey key: Key) -> UInt32 { at(key).decode(type) }
    func decode(_ type: UInt64.Type, forKey key: Key) -> UInt64 { at(key).decode(type) }
    func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T { try at(key).decode(type) }

    private var inner: ProbeDecoder { ProbeDecoder(probe: probe, path: path) }
    func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type, forKey key: Key) -> KeyedDecodingContainer<Nested> {
        KeyedDecodingContainer(ProbeKeyed<Nested>(probe: probe, path: "\(path).\(key.stringValue)"))
    }
    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedDecodingContainer {
        ProbeUnkeyed(probe: probe, path: "\(path).\(key.stringValue)[]")
    }
    func superDecoder() -> any Decoder { inner }
    func superDecoder(forKey key: Key) -> any Decoder { inner }
}

/// An array of one.
private struct ProbeUnkeyed: UnkeyedDecodingContainer {
    let probe: SchemaProbe
    let path: String
    var codingPath: [any CodingKey] { [] }
    var count: Int? { 1 }
    var isAtEnd: Bool { currentIndex >= 1 }
    private(set) var currentIndex = 0

    init(probe: SchemaProbe, path: String) {
        self.probe = probe
        self.path = path
    }

    private mutating func next() -> ProbeSingle {
        currentIndex += 1
        return ProbeSingle(probe: probe, path: path)
    }

    mutating func decodeNil() -> Bool { false }
    mutating func decode(_ type: Bool.Type) -> Bool { next().decode(type) }
    mutating func decode(_ type: String.Type) -> String { next().decode(type) }
    mutating func decode(_ type: Double.Type) -> Double { next().decode(type) }
    mutating func decode(_ type: Float.Type) -> Float { next().decode(type) }
    mutating func decode(_ type: Int.Type) -> Int { next().decode(type) }
    mutating func decode(_ type: Int8.Type) -> Int8 { next().decode(type) }
    mutating func decode(_ type: Int16.Type) -> Int16 { next().decode(type) }
    mutating func decode(_ type: Int32.Type) -> Int32 { next().decode(type) }
    mutating func decode(_ type: Int64.Type) -> Int64 { next().decode(type) }
    mutating func decode(_ type: UInt.Type) -> UInt { next().decode(type) }
    mutating func decode(_ type: UInt8.Type) -> UInt8 { next().decode(type) }
    mutating func decode(_ type: UInt16.Type) -> UInt16 { next().decode(type) }
    mutating func decode(_ type: UInt32.Type) -> UInt32 { next().decode(type) }
    mutating func decode(_ type: UInt64.Type) -> UInt64 { next().decode(type) }
    mutating func decode<T: Decodable>(_ type: T.Type) throws -> T { try next().decode(type) }
    mutating func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) -> KeyedDecodingContainer<Nested> {
        currentIndex += 1
        return KeyedDecodingContainer(ProbeKeyed<Nested>(probe: probe, path: path))
    }
    mutating func nestedUnkeyedContainer() -> any UnkeyedDecodingContainer {
        currentIndex += 1
        return ProbeUnkeyed(probe: probe, path: path + "[]")
    }
    mutating func superDecoder() -> any Decoder { ProbeDecoder(probe: probe, path: path) }
}
