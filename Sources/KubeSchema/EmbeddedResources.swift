import Base

/// `x-kubernetes-embedded-resource`: an embedded object must have `apiVersion` and `kind`, and metadata only as an object
/// (`apiserver/schema/objectmeta`).
enum EmbeddedResources {
    static func faults(in value: JSONValue, _ root: SchemaNode) -> [FieldError] {
        var faults: [FieldError] = []
        visit(value, root, "", &faults)
        return faults
    }

    private static func visit(_ value: JSONValue, _ node: SchemaNode, _ path: String, _ faults: inout [FieldError]) {
        switch value {
        case .object(let members):
            if node.embedded { check(members, path, &faults) }
            for (key, member) in members {
                if let property = node.properties[key] {
                    visit(member, property, path.isEmpty ? key : path + "." + key, &faults)
                } else if let schema = node.additional?.schema {
                    visit(member, schema, path + "[\(key)]", &faults)
                }
            }
        case .array(let elements):
            guard let items = node.items else { return }
            for (index, element) in elements.enumerated() { visit(element, items, "\(path)[\(index)]", &faults) }
        default: break
        }
    }

    private static func check(_ members: [String: JSONValue], _ path: String, _ faults: inout [FieldError]) {
        for key in ["apiVersion", "kind"] {
            let place = path + "." + key
            switch members[key] {
            case nil: faults.append(.required(place))
            case .string(let text):
                if text.isEmpty { faults.append(.invalid(place, .string(text), "must not be empty")) }
            case .some(let other): faults.append(.invalid(place, other, "must be a string"))
            }
        }
        if let metadata = members["metadata"], metadata.object == nil {
            faults.append(.invalid(path + ".metadata", metadata, "must be an object"))
        }
    }
}
