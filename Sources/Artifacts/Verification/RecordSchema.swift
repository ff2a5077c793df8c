import Base
import EvalModel

/// One of the JSON Schemas of docs/schemas, as far as they use the language: type, required, properties, additionalProperties,
/// items, enum, const, pattern (that of ids), format (date-time), minimum, and references to $defs.
public struct RecordSchema: Sendable {
    public enum Document: String, Sendable, Hashable, CaseIterable { case run, summary, job }

    /// For the version that this program writes, and the only one it knows.
    public static func of(_ document: Document) -> RecordSchema {
        switch document {
        case .run: run
        case .summary: summary
        case .job: job
        }
    }

    private static let run = RecordSchema(RecordSchemaText.run)
    private static let summary = RecordSchema(RecordSchemaText.summary)
    private static let job = RecordSchema(RecordSchemaText.job)

    private let root: Node

    private init(_ text: String) {
        // The text is part of the program, and a test reads it.
        let value = (try? JSONValue(parsing: Array(text.utf8))) ?? .null
        root = Node(value, definitions: value["$defs"]?.object ?? [:])
    }

    /// What is wrong with a document, sorted; empty when it is as the schema says.
    ///
    /// - Parameter unknownFields: whether a field that the schema does not name is wrong; within a `schemaVersion` new ones
    ///   may come.
    public func problems(_ value: JSONValue, unknownFields: Bool = false) -> [String] {
        var found: [String] = []
        root.check(value, "", unknownFields, &found)
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
        let isID: Bool
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
            isID = schema["pattern"]?.string == "^[0-9a-f]{\(RunID.length)}$"
            isTime = schema["format"]?.string == "date-time"
            minimum = schema["minimum"]?.double
        }

        func check(_ value: JSONValue, _ path: String, _ unknownFields: Bool, _ found: inout [String]) {
            let place = path.isEmpty ? "the document" : path
            if let type, !Self.is(value, type) {
                found.append("\(place) is not \(type)")
                return
            }
            if let options, !options.contains(value) { found.append("\(place) is none of \(options.map(\.text).joined(separator: ", "))") }
            if let constant, constant != value { found.append("\(place) is not \(constant.text)") }
            if isID, RunID(value.string ?? "") == nil { found.append("\(place) does not match") }
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
