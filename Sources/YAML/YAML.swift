import Base

/// YAML to `JSONValue` and back.
///
/// Reading follows the YAML 1.2 core schema with what Kubernetes adds and JSON takes away:
/// - `no`, `yes`, `on`, `off` are strings; `0o17` and `0x1F` are integers; `017` is seventeen, as 1.2 has it.
/// - `.inf` and `.nan` are refused, because JSON has no such number. Integers beyond 64 bits become doubles.
/// - A key given twice is an error, as a later one would silently win. `<<` merges, and explicit keys win.
/// - Anchors and aliases work, within a bound on what aliases may expand to.
/// - Keys become strings: `1:` is the key "1", `true:` the key "true". A null or a collection as a key is refused.
public enum YAML {
    /// How deeply collections may nest. Reading, writing and encoding recurse.
    public static let maximumDepth = 256

    /// What all aliases of one document may expand to: the number of nodes, plus one for every 32 bytes of text.
    public static let maximumAliasCost = 200_000

    /// Every document of the stream, empty ones (`null`) included.
    ///
    /// - Throws: `YAMLError` with the line and column at which reading stopped.
    public static func parse(_ bytes: [UInt8]) throws(YAMLError) -> [JSONValue] {
        try bytes.withUnsafeBufferPointer { (buffer) throws(YAMLError) -> [JSONValue] in
            var composer = try YAMLComposer(events: YAMLEvents(buffer))
            return try composer.documents()
        }
    }

    public static func parse(_ text: String) throws(YAMLError) -> [JSONValue] {
        try parse(Array(text.utf8))
    }

    /// The documents of the stream that hold something. A file of manifests often has a comment between two `---`.
    public static func documents(_ bytes: [UInt8]) throws(YAMLError) -> [JSONValue] {
        try parse(bytes).filter { !$0.isNull }
    }

    /// The only document of the stream; `null` when there is none.
    ///
    /// - Throws: `YAMLError`, also when more than one document holds something.
    public static func parseSingle(_ bytes: [UInt8]) throws(YAMLError) -> JSONValue {
        let found = try documents(bytes)
        guard found.count <= 1 else {
            throw YAMLError(message: "expected one document, found \(found.count)", line: 1, column: 1)
        }
        return found.first ?? .null
    }

    public static func parseSingle(_ text: String) throws(YAMLError) -> JSONValue {
        try parseSingle(Array(text.utf8))
    }
}

/// A text that is no YAML, or none that can be JSON.
public struct YAMLError: Error, Sendable, Hashable, CustomStringConvertible {
    public var message: String
    /// Counts from 1.
    public var line: Int
    /// In characters; counts from 1.
    public var column: Int

    public init(message: String, line: Int, column: Int) {
        self.message = message
        self.line = line
        self.column = column
    }

    public var description: String { "line \(line), column \(column): \(message)" }
}
