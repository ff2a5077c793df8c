/// A complete TOML 1.0 parser that keeps the position of every key and value.
public enum TOML {
    /// How deeply tables and arrays may nest. There is a limit because the parser recurses.
    public static let maximumDepth = 200

    /// The document's root table.
    ///
    /// - Throws: `TOMLError` with the line and column of the mistake.
    public static func parse(_ bytes: [UInt8]) throws(TOMLError) -> TOMLTable {
        var parser = try TOMLParser(bytes)
        return try parser.document()
    }

    public static func parse(_ text: String) throws(TOMLError) -> TOMLTable {
        try parse(Array(text.utf8))
    }
}

/// A place in the document; both count from 1, the column in characters.
public struct TOMLPosition: Sendable, Hashable, CustomStringConvertible {
    public var line: Int
    public var column: Int

    public init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }

    public var description: String { "line \(line), column \(column)" }
}

/// The text is not valid TOML.
public struct TOMLError: Error, Sendable, Hashable, CustomStringConvertible {
    public var message: String
    public var position: TOMLPosition

    public init(message: String, position: TOMLPosition) {
        self.message = message
        self.position = position
    }

    public var description: String { "\(position): \(message)" }
}
