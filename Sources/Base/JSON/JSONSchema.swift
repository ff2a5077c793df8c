/// A JSON Schema, limited to the keywords that docs/schemas use: type, required, properties, additionalProperties, items, enum, const, pattern (a
/// number of hex digits), format (date-time), minimum, and references to $defs.
public struct JSONSchema: Sendable {
    private let root: Node
    private let definitions: [String: Node]

    /// Reads a schema. Other keywords are ignored.
    public init(_ schema: JSONValue) {
        let parts = schema["$defs"]?.object ?? [:]
        root = Node(schema, definitions: parts)
        definitions = parts.mapValues { Node($0, definitions: parts) }
    }

    /// The problems of a value, sorted; empty when it is valid.
    ///
    /// - Parameters:
    ///   - definition: one of `$defs`, instead of the schema itself.
    ///   - unknownFields: whether a field that the schema does not name is a problem.
    public func problems(_ value: JSONValue, as definition: String? = nil, unknownFields: Bool = false) -> [String] {
        guard let node = definition.map({ definitions[$0] }) ?? root else { return ["there is no \(definition ?? "") in the schema"] }
        var found: [String] = []
        node.check(value, "", unknownFields, &found)
        return found.sorted()
    }

    private final class Node: Sendable {
        let type: String?
        let required: [String]
        let properties: [String: Node]
        let others: Node?
        let items: Node?
        let options: [JSONValue]?
        let constant: JSONValue?
        let hexDigits: Int?
        let isTime: Bool
        let minimum: Double?

        init(_ schema: JSONValue, definitions: [String: JSONValue]) {
            var schema = schema
            if let name = schema["$ref"]?.string?.split(separator: "/").last, let target = definitions[String(name)] { schema = target }
            type = schema["type"]?.string
            required = schema["required"]?.array?.compactMap(\.string) ?? []
            properties = (schema["properties"]?.object ?? [:]).mapValues { Node($0, definitions: definitions) }
            others = schema["additionalProperties"].map { Node($0, definitions: definitions) }
            items = schema["items"].map { Node($0, definitions: definitions) }
            options = schema["enum"]?.array
            constant = schema["const"]
            hexDigits = schema["pattern"]?.string.flatMap(Self.hexDigits)
            isTime = schema["format"]?.string == "date-time"
            minimum = schema["minimum"]?.double
        }

        /// The number N of `^[0-9a-f]{N}$`, the only supported kind of pattern.
        private static func hexDigits(_ pattern: String) -> Int? {
            guard pattern.hasPrefix("^[0-9a-f]{"), pattern.hasSuffix("}$") else { return nil }
            return Int(pattern.dropFirst("^[0-9a-f]{".count).dropLast("}$".count))
        }

        func check(_ value: JSONValue, _ path: String, _ unknownFields: Bool, _ found: inout [String]) {
            let place = path.isEmpty ? "the document" : path
            if let type, !Self.is(value, type) {
                found.append("\(place) is not \(type)")
                return
            }
            if let options, !options.contains(value) { found.append("\(place) is none of \(options.map(\.text).joined(separator: ", "))") }
            if let constant, constant != value { found.append("\(place) is not \(constant.text)") }
            if let hexDigits, !Self.isHex(value.string ?? "", hexDigits) { found.append("\(place) does not match") }
            if isTime, Timestamp(rfc3339: value.string ?? "") == nil { found.append("\(place) is no time") }
            if let minimum, let number = value.double, number < minimum { found.append("\(place) is too small") }
            if let object = value.object {
                for key in required where object[key] == nil { found.append("\(path.isEmpty ? "" : path + ".")\(key) is missing") }
                for (key, inner) in object {
                    let name = path.isEmpty ? key : "\(path).\(key)"
                    if let node = properties[key] ?? others {
                        node.check(inner, name, unknownFields, &found)
                    } else if unknownFields, type == "object" {
                        found.append("\(name) is not in the schema")
                    }
                }
            }
            if let items, let array = value.array {
                for (index, inner) in array.enumerated() { items.check(inner, "\(path)[\(index)]", unknownFields, &found) }
            }
        }

        private static func isHex(_ text: String, _ count: Int) -> Bool {
            text.utf8.count == count && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
        }

        private static func `is`(_ value: JSONValue, _ type: String) -> Bool {
            switch type {
            case "object": value.object != nil
            case "array": value.array != nil
            case "string": value.string != nil
            case "boolean": value.bool != nil
            case "integer": value.int != nil
            case "number": value.double != nil
            default: false
            }
        }
    }
}
