import Base

/// YAML to `JSONValue` and back.
///
/// The reader follows the YAML 1.2 core schema, with these rules where Kubernetes or JSON need them:
/// - `no`, `yes`, `on`, `off` are strings; `0o17` and `0x1F` are integers; `017` is seventeen.
/// - `.inf` and `.nan` are errors, because JSON has no such numbers. Integers beyond 64 bits become doubles.
/// - A duplicate key is an error. `<<` merges; explicit keys win over merged ones.
/// - Anchors and aliases work, up to a limit on the expanded size.
/// - Keys become strings: `1:` is the key "1", `true:` the key "true". A null or a collection as a key is an error.
public enum YAML {
    /// How deeply collections may nest. There is a limit because reading and writing recurse.
    public static let maximumDepth = 256

    /// The most that all aliases of one document may expand to, in nodes; every 32 bytes of text count as one more.
    public static let maximumAliasCost = 200_000

    /// Every document of the stream, empty ones (`null`) included.
    ///
    /// - Throws: `YAMLError` with the line and column of the mistake.
    public static func parse(_ bytes: [UInt8]) throws(YAMLError) -> [JSONValue] { try parse(bytes, keepsText: false) }

    private static func parse(_ bytes: [UInt8], keepsText: Bool) throws(YAMLError) -> [JSONValue] {
        let separators = YAMLSeparators(hiding: bytes)
        return try separators.bytes.withUnsafeBufferPointer { (buffer) throws(YAMLError) -> [JSONValue] in
            var composer = try YAMLComposer(events: YAMLEvents(buffer, separators: separators), keepsText: keepsText)
            return try composer.documents()
        }
    }

    /// The only document of the stream, with every scalar as the text that is written: `1.10` is "1.10", `yes` is "yes". Null stays null.
    ///
    /// For formats whose other readers take any scalar where a string is expected.
    ///
    /// - Throws: `YAMLError`, as `parseSingle`.
    public static func parseSingleAsTexts(_ bytes: [UInt8]) throws(YAMLError) -> JSONValue {
        try single(try parse(bytes, keepsText: true).filter { !$0.isNull })
    }

    public static func parse(_ text: String) throws(YAMLError) -> [JSONValue] {
        try parse(Array(text.utf8))
    }

    /// The documents of the stream that are not empty. Manifest files often have only a comment between two `---`.
    public static func documents(_ bytes: [UInt8]) throws(YAMLError) -> [JSONValue] {
        try parse(bytes).filter { !$0.isNull }
    }

    /// The only document of the stream; `null` when there is none.
    ///
    /// - Throws: `YAMLError`, also when more than one document is not empty.
    public static func parseSingle(_ bytes: [UInt8]) throws(YAMLError) -> JSONValue {
        try single(try documents(bytes))
    }

    private static func single(_ found: [JSONValue]) throws(YAMLError) -> JSONValue {
        guard found.count <= 1 else {
            throw YAMLError(message: "expected one document, found \(found.count)", line: 1, column: 1)
        }
        return found.first ?? .null
    }

    public static func parseSingle(_ text: String) throws(YAMLError) -> JSONValue {
        try parseSingle(Array(text.utf8))
    }
}

/// The text is not valid YAML, or has a value that JSON cannot hold.
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
