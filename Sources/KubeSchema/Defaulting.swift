import Base

/// Nulls and defaults (`apiserver/schema/defaulting`).
enum Defaulting {
    /// Removes nulls that the schema does not allow and has no default for. Nulls with a default stay: `fill` replaces them.
    static func dropNulls(_ value: inout JSONValue, _ node: SchemaNode?) {
        switch value {
        case .object(var members):
            value = .null
            for key in Array(members.keys) {
                let schema = node?.child(key)
                if let schema, members[key]?.isNull == true, !schema.nullable, schema.defaultValue == nil {
                    members[key] = nil
                } else {
                    dropNulls(&members[key, default: .null], schema)
                }
            }
            value = .object(members)
        case .array(var elements):
            value = .null
            for index in elements.indices { dropNulls(&elements[index], node?.items) }
            value = .array(elements)
        default: break
        }
    }

    /// Sets absent fields, and nulls where null is not allowed, to their defaults. Then does the same inside all values,
    /// including the defaults.
    static func fill(_ value: inout JSONValue, _ node: SchemaNode?) {
        guard let node else { return }
        switch value {
        case .object(var members):
            value = .null
            for (key, property) in node.properties {
                guard let standard = property.defaultValue else { continue }
                if members[key].map({ $0.isNull && !property.nullable }) ?? true { members[key] = standard }
            }
            for key in Array(members.keys) {
                if let property = node.properties[key] {
                    fill(&members[key, default: .null], property)
                } else if let schema = node.additional?.schema {
                    if members[key]?.isNull == true, !schema.nullable { members[key] = schema.defaultValue ?? .null }
                    fill(&members[key, default: .null], schema)
                }
            }
            value = .object(members)
        case .array(var elements):
            value = .null
            for index in elements.indices {
                if let items = node.items, elements[index].isNull, !items.nullable { elements[index] = items.defaultValue ?? .null }
                fill(&elements[index], node.items)
            }
            value = .array(elements)
        default: break
        }
    }
}
