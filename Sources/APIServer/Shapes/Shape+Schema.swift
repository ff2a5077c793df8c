import Base

extension Shape {
    /// The shape of a custom resource from its `openAPIV3Schema`; its `metadata` is the same as in every object.
    static func customResource(_ schema: JSONValue) -> Shape {
        var fields = objectFields(schema)
        fields["apiVersion"] = FieldShape(shape: .string)
        fields["kind"] = FieldShape(shape: .string)
        fields["metadata"] = FieldShape(shape: .named("ObjectMeta"))
        return .object(
            ObjectShape(
                name: "", fields: fields, preservesUnknown: schema["x-kubernetes-preserve-unknown-fields"]?.bool == true))
    }

    /// The shape that a part of a schema describes.
    init(schema: JSONValue) {
        if schema["x-kubernetes-int-or-string"]?.bool == true {
            self = .intOrString
            return
        }
        switch schema["type"]?.string {
        case "string":
            // A string with a format is tracked like any other scalar (kube-openapi `schemaconv`).
            let format = schema["format"]?.string ?? ""
            self = format.isEmpty || format == "byte" ? .string : .scalar
        case "boolean": self = .bool
        case "integer": self = .int64
        case "number": self = .number
        case "array": self = .list(Self.list(schema))
        case "object": self = Self.object(schema)
        default: self = .any
        }
    }

    private static func objectFields(_ schema: JSONValue) -> [String: FieldShape] {
        let required = Set((schema["required"]?.array ?? []).compactMap(\.string))
        var fields: [String: FieldShape] = [:]
        for (name, property) in schema["properties"]?.object ?? [:] {
            fields[name] = FieldShape(shape: Shape(schema: property), isRequired: required.contains(name))
        }
        return fields
    }

    private static func object(_ schema: JSONValue) -> Shape {
        let preserves = schema["x-kubernetes-preserve-unknown-fields"]?.bool == true
        let isAtomic = schema["x-kubernetes-map-type"]?.string == "atomic"
        let additional: Shape? =
            switch schema["additionalProperties"] {
            case .object(let members)?: Shape(schema: .object(members))
            case .bool(true)?: .any
            default: nil
            }
        return .object(
            ObjectShape(
                name: "", fields: objectFields(schema), additional: additional, preservesUnknown: preserves, isAtomic: isAtomic))
    }

    private static func list(_ schema: JSONValue) -> ListShape {
        let items = schema["items"] ?? [:]
        var list = ListShape(element: Shape(schema: items), kind: .atomic)
        switch schema["x-kubernetes-list-type"]?.string {
        case "set":
            list.kind = .set
        case "map":
            let keys = (schema["x-kubernetes-list-map-keys"]?.array ?? []).compactMap(\.string)
            list.kind = .map(keys: keys)
            for key in keys {
                if let value = items.at("properties", key, "default") { list.defaults[key] = value.string ?? value.text }
            }
        default:
            break
        }
        return list
    }
}
