/// The static type of an expression.
package indirect enum CELType: Sendable {
    /// Known only at evaluation.
    case dyn
    case null, bool, int, uint, double, string, bytes, timestamp, duration, type
    case list(CELType)
    case map(CELType, CELType)
    case object(any CELSchema, isResource: Bool)
    case optional(CELType)
    /// A library type, by name: `net.IP`.
    case opaque(String)

    /// The type of the values that a schema describes; nil for values that CEL rules may not read.
    package init?(_ node: any CELSchema, isResource: Bool = false) {
        if node.intOrString {
            self = .dyn
            return
        }
        switch node.type {
        case "object":
            guard let values = node.valueSchema else {
                self = .object(node, isResource: isResource || node.embedded)
                return
            }
            guard let value = CELType(values) else { return nil }
            self = .map(.string, value)
        case "array":
            guard let items = node.elementSchema.flatMap({ CELType($0) }) else { return nil }
            self = .list(items)
        case "string":
            switch node.format {
            case "date", "date-time": self = .timestamp
            case "duration": self = .duration
            case "byte": self = .bytes
            default: self = .string
            }
        case "integer": self = .int
        case "number": self = .double
        case "boolean": self = .bool
        default: return nil
        }
    }

    var name: String {
        switch self {
        case .dyn: "dyn"
        case .null: "null"
        case .bool: "bool"
        case .int: "int"
        case .uint: "uint"
        case .double: "double"
        case .string: "string"
        case .bytes: "bytes"
        case .timestamp: "timestamp"
        case .duration: "duration"
        case .type: "type"
        case .list(let element): "list(\(element.name))"
        case .map(let key, let value): "map(\(key.name), \(value.name))"
        case .object: "object"
        case .optional(let inner): "optional_type(\(inner.name))"
        case .opaque(let name): name
        }
    }

    /// Whether a value of one type can be used where the other is required; `dyn` fits every type.
    package static func fits(_ first: CELType, _ second: CELType) -> Bool {
        switch (first, second) {
        case (.dyn, _), (_, .dyn): true
        case (.null, .null), (.bool, .bool), (.int, .int), (.uint, .uint), (.double, .double), (.string, .string), (.bytes, .bytes),
            (.timestamp, .timestamp), (.duration, .duration), (.type, .type):
            true
        case (.list(let a), .list(let b)): fits(a, b)
        case (.map(let a, let b), .map(let c, let d)): fits(a, c) && fits(b, d)
        case (.optional(let a), .optional(let b)): fits(a, b)
        case (.object(let a, _), .object(let b, _)): a === b
        case (.opaque(let a), .opaque(let b)): a == b
        // Optionals and library types may be compared with null to test for absence.
        case (.null, .optional), (.optional, .null), (.null, .opaque), (.opaque, .null): true
        default: false
        }
    }

    var isNumber: Bool {
        switch self {
        case .int, .uint, .double: true
        default: false
        }
    }

    var isDyn: Bool {
        if case .dyn = self { true } else { false }
    }

    /// The type of an object's field or of a map's value; nil when there is none.
    func field(_ name: String) -> CELType? {
        switch self {
        case .dyn: return .dyn
        case .map(_, let value): return value
        case .object(let node, let isResource):
            guard let property = CELIdentifier.unescape(name) else { return nil }
            return node.fieldSchema(property, ofResource: isResource).flatMap { CELType($0) }
        default: return nil
        }
    }
}
