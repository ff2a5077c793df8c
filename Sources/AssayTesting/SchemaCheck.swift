import Base

/// Holds values to a JSON Schema of docs/schemas; fields that it does not name are problems, too.
public struct SchemaCheck: Sendable {
    /// The schema as it is written.
    public let text: JSONValue
    private let schema: JSONSchema

    /// Reads docs/schemas of the checkout that this was compiled in.
    public init(_ name: String) throws {
        let root = Path.absolute("../..", in: Path.parent(of: #filePath))
        text = try JSONValue(parsing: FileReading.bytes("\(root)/docs/schemas/\(name)"))
        schema = JSONSchema(text)
    }

    /// What is wrong with a value, sorted.
    ///
    /// - Parameter definition: one of `$defs`; nil for the schema itself.
    public func problems(_ value: JSONValue, as definition: String? = nil) -> [String] {
        schema.problems(value, as: definition, unknownFields: true)
    }
}
