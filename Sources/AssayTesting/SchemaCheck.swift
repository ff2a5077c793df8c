import Base

/// Checks values against a JSON Schema of docs/schemas. Fields that the schema does not name are problems, too.
public struct SchemaCheck: Sendable {
    /// The schema document.
    public let text: JSONValue
    private let schema: JSONSchema

    /// Reads docs/schemas from the source directory that this file was compiled in.
    public init(_ name: String) throws {
        let root = Path.absolute("../..", in: Path.parent(of: #filePath))
        text = try JSONValue(parsing: FileReading.bytes("\(root)/docs/schemas/\(name)"))
        schema = JSONSchema(text)
    }

    /// The problems of a value, sorted.
    ///
    /// - Parameter definition: one of `$defs`; nil for the schema itself.
    public func problems(_ value: JSONValue, as definition: String? = nil) -> [String] {
        schema.problems(value, as: definition, unknownFields: true)
    }
}
