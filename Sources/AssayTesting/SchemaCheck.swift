import Base
import Foundation

/// Holds values to a JSON Schema of docs/schemas: as much of JSON Schema as those use.
public struct SchemaCheck: Sendable {
    public let schema: JSONValue

    /// Reads docs/schemas of the checkout that this was compiled in.
    public init(_ name: String) throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        schema = try JSONValue(parsing: [UInt8](Data(contentsOf: root.appending(path: "docs/schemas/\(name)"))))
    }

    /// What is wrong with a value, sorted; fields that are not named are problems, too.
    ///
    /// - Parameter definition: one of `$defs`; nil for the schema itself.
    public func problems(_ value: JSONValue, as definition: String? = nil) -> [String] {
        guard let definition else { return problems(value, schema, at: "") }
        guard let part = schema.at("$defs", definition) else { return ["there is no \(definition) in the schema"] }
        return problems(value, part, at: "")
    }

    private func problems(_ value: JSONValue, _ part: JSONValue, at path: String) -> [String] {
        var part = part
        if let name = part["$ref"]?.string?.split(separator: "/").last, let target = schema.at("$defs", String(name)) { part = target }
        var found: [String] = []
        if let type = part["type"]?.string, !isOf(value, type) { return ["\(path) is not \(type)"] }
        if let options = part["enum"]?.array, !options.contains(value) { found.append("\(path) is none of the values") }
        if let constant = part["const"], constant != value { found.append("\(path) is not \(constant.text)") }
        if part["pattern"]?.string == "^[0-9a-f]{16}$", !isID(value.string ?? "") { found.append("\(path) does not match") }
        if part["format"]?.string == "date-time", Timestamp(rfc3339: value.string ?? "") == nil { found.append("\(path) is no time") }
        if let minimum = part["minimum"]?.double, (value.double ?? minimum) < minimum { found.append("\(path) is too small") }
        for key in part["required"]?.array ?? [] where value[key.string ?? ""] == nil { found.append("\(key.string ?? "") is missing") }
        // Without a type anything goes.
        guard part["type"] != nil else { return found.sorted() }
        for (key, inner) in value.object ?? [:] where part["additionalProperties"] != true {
            let name = path.isEmpty ? key : "\(path).\(key)"
            if let property = part.at("properties", key) ?? part["additionalProperties"] {
                found += problems(inner, property, at: name)
            } else {
                found.append("\(name) is not in the schema")
            }
        }
        if let items = part["items"] {
            for (index, inner) in (value.array ?? []).enumerated() { found += problems(inner, items, at: "\(path)[\(index)]") }
        }
        return found.sorted()
    }

    private func isID(_ text: String) -> Bool {
        text.utf8.count == 16 && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }

    private func isOf(_ value: JSONValue, _ type: String) -> Bool {
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
