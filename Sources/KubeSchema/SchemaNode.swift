import Base
import CEL

/// One node of a schema, which describes one part of an object. Immutable after parsing, so that many requests can share it.
package final class SchemaNode: Sendable {
    /// What an object may contain besides its named properties.
    enum Additional: Sendable {
        case any
        case none
        case matching(SchemaNode)

        var schema: SchemaNode? {
            if case .matching(let node) = self { node } else { nil }
        }
    }

    /// One entry of `x-kubernetes-validations`.
    struct Rule: Sendable {
        let rule: String
        let message: String
        let messageExpression: String
        let reason: String?
        let fieldPath: String
        let optionalOldSelf: Bool
    }

    /// The declared type; empty when there is none.
    package let type: String
    package let format: String
    package let nullable: Bool
    let defaultValue: JSONValue?
    let properties: [String: SchemaNode]
    let additional: Additional?
    let items: SchemaNode?

    package let intOrString: Bool
    package let preservesUnknown: Bool
    package let embedded: Bool
    package let listType: String?
    package let listMapKeys: [String]
    let mapType: String?
    let rules: [Rule]

    let required: [String]
    let enumeration: [JSONValue]
    let minimum: Double?
    let maximum: Double?
    let exclusiveMinimum: Bool
    let exclusiveMaximum: Bool
    let multipleOf: Double?
    let minLength: Int?
    let maxLength: Int?
    let pattern: String
    let compiledPattern: Pattern?
    let minItems: Int?
    let maxItems: Int?
    let uniqueItems: Bool
    let minProperties: Int?
    let maxProperties: Int?
    let allOf: [SchemaNode]
    let anyOf: [SchemaNode]
    let oneOf: [SchemaNode]
    let not: SchemaNode?
    /// Keywords of OpenAPI v3 in this node that a structural schema must not contain.
    let forbiddenKeywords: [String]
    /// Whether the node has a title or description, which is not allowed in a nested node.
    let described: Bool

    /// The allowed types of a value; an empty list means any.
    var types: [String] {
        if intOrString { return ["integer", "string"] }
        return type.isEmpty ? [] : [type]
    }

    init(parsing schema: JSONValue, path: String) throws {
        let reader = try SchemaReader(schema, path: path)
        type = try reader.string("type") ?? ""
        nullable = try reader.bool("nullable") ?? false
        defaultValue = schema["default"].flatMap { $0.isNull ? nil : $0 }
        intOrString = try reader.bool("x-kubernetes-int-or-string") ?? false
        preservesUnknown = try reader.bool("x-kubernetes-preserve-unknown-fields") ?? false
        embedded = try reader.bool("x-kubernetes-embedded-resource") ?? false
        listType = try reader.string("x-kubernetes-list-type")
        listMapKeys = try reader.strings("x-kubernetes-list-map-keys")
        mapType = try reader.string("x-kubernetes-map-type")
        properties = try reader.nodes(byName: "properties")
        items = try reader.node("items")
        additional = try reader.additional()
        required = try reader.strings("required")
        enumeration = try reader.array("enum")
        minimum = try reader.number("minimum")
        maximum = try reader.number("maximum")
        exclusiveMinimum = try reader.bool("exclusiveMinimum") ?? false
        exclusiveMaximum = try reader.bool("exclusiveMaximum") ?? false
        multipleOf = try reader.number("multipleOf")
        minLength = try reader.integer("minLength")
        maxLength = try reader.integer("maxLength")
        pattern = try reader.string("pattern") ?? ""
        // StructuralCheck reports a pattern that does not compile; in validation it matches nothing.
        compiledPattern = pattern.isEmpty ? nil : try? Pattern(pattern)
        minItems = try reader.integer("minItems")
        maxItems = try reader.integer("maxItems")
        uniqueItems = try reader.bool("uniqueItems") ?? false
        minProperties = try reader.integer("minProperties")
        maxProperties = try reader.integer("maxProperties")
        allOf = try reader.nodes("allOf")
        anyOf = try reader.nodes("anyOf")
        oneOf = try reader.nodes("oneOf")
        not = try reader.node("not")
        rules = try reader.rules()
        forbiddenKeywords = reader.present(["$ref", "definitions", "dependencies", "patternProperties", "additionalItems", "$schema", "id"])
        described = !reader.present(["title", "description"]).isEmpty
        let declared = try reader.string("format") ?? ""
        format = Formats.applies(declared, to: intOrString ? "" : type) ? declared : ""
    }

    /// The schema of a field: a named one or that of additional properties.
    func child(_ name: String) -> SchemaNode? {
        properties[name] ?? additional?.schema
    }
}

/// Typed access to one schema object; every error contains the path.
private struct SchemaReader {
    let fields: [String: JSONValue]
    let path: String

    init(_ schema: JSONValue, path: String) throws {
        guard case .object(let fields) = schema else { throw SchemaError(path: path, message: "a schema must be an object") }
        self.fields = fields
        self.path = path
    }

    func value(_ key: String) -> JSONValue? {
        guard let value = fields[key], !value.isNull else { return nil }
        return value
    }

    func fault(_ key: String, _ expected: String) -> SchemaError {
        SchemaError(path: at(key), message: "must be \(expected)")
    }

    func at(_ key: String) -> String { path.isEmpty ? key : path + "." + key }

    func string(_ key: String) throws -> String? {
        guard let value = value(key) else { return nil }
        guard case .string(let text) = value else { throw fault(key, "a string") }
        return text
    }

    func bool(_ key: String) throws -> Bool? {
        guard let value = value(key) else { return nil }
        guard case .bool(let flag) = value else { throw fault(key, "a boolean") }
        return flag
    }

    func number(_ key: String) throws -> Double? {
        switch value(key) {
        case nil: return nil
        case .int(let number): return Double(number)
        case .double(let number): return number
        default: throw fault(key, "a number")
        }
    }

    func integer(_ key: String) throws -> Int? {
        guard let value = value(key) else { return nil }
        guard let number = value.int else { throw fault(key, "an integer") }
        return number
    }

    func array(_ key: String) throws -> [JSONValue] {
        guard let value = value(key) else { return [] }
        guard case .array(let elements) = value else { throw fault(key, "an array") }
        return elements
    }

    func strings(_ key: String) throws -> [String] {
        try array(key).map { element in
            guard case .string(let text) = element else { throw fault(key, "an array of strings") }
            return text
        }
    }

    func node(_ key: String) throws -> SchemaNode? {
        try value(key).map { try SchemaNode(parsing: $0, path: at(key)) }
    }

    func nodes(_ key: String) throws -> [SchemaNode] {
        try array(key).enumerated().map { try SchemaNode(parsing: $1, path: at(key) + "[\($0)]") }
    }

    func nodes(byName key: String) throws -> [String: SchemaNode] {
        guard let value = value(key) else { return [:] }
        guard case .object(let members) = value else { throw fault(key, "an object") }
        var nodes: [String: SchemaNode] = [:]
        for (name, schema) in members { nodes[name] = try SchemaNode(parsing: schema, path: at(key) + "[\(name)]") }
        return nodes
    }

    func additional() throws -> SchemaNode.Additional? {
        switch value("additionalProperties") {
        case nil: return nil
        case .bool(let allowed): return allowed ? .any : SchemaNode.Additional.none
        case .some(let schema): return .matching(try SchemaNode(parsing: schema, path: at("additionalProperties")))
        }
    }

    func rules() throws -> [SchemaNode.Rule] {
        try array("x-kubernetes-validations").enumerated().map { index, entry in
            let reader = try SchemaReader(entry, path: at("x-kubernetes-validations") + "[\(index)]")
            return SchemaNode.Rule(
                rule: try reader.string("rule") ?? "",
                message: try reader.string("message") ?? "",
                messageExpression: try reader.string("messageExpression") ?? "",
                reason: try reader.string("reason"),
                fieldPath: try reader.string("fieldPath") ?? "",
                optionalOldSelf: try reader.bool("optionalOldSelf") ?? false)
        }
    }

    func present(_ keys: [String]) -> [String] { keys.filter { value($0) != nil } }
}
