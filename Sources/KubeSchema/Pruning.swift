import Base

/// Removes fields that a schema does not name (`apiserver/schema/pruning`).
enum Pruning {
    /// Fields that the server defines for every object: kept at the root and in embedded resources.
    static let metaFields: Set<String> = ["apiVersion", "kind", "metadata"]

    /// Prunes a whole custom resource. Returns the removed paths, sorted.
    static func prune(_ value: inout JSONValue, _ root: SchemaNode) -> [String] {
        var removed: [String] = []
        prune(&value, root, path: "", isResource: true, &removed)
        return removed.sorted()
    }

    /// Prunes a part of a resource with the schema of that part.
    static func prune(_ value: inout JSONValue, by node: SchemaNode) -> [String] {
        var removed: [String] = []
        prune(&value, node, path: "", isResource: node.embedded, &removed)
        return removed.sorted()
    }

    private static func prune(
        _ value: inout JSONValue, _ node: SchemaNode?, path: String, isResource: Bool, _ removed: inout [String]
    ) {
        if let node, node.preservesUnknown {
            return pruneKnownOnly(&value, node, path: path, isResource: isResource, &removed)
        }
        switch value {
        case .object(var members):
            value = .null  // drops the other reference, so that changing the members copies nothing
            for key in Array(members.keys) {
                if isResource, metaFields.contains(key) { continue }
                if let property = node?.properties[key] {
                    prune(&members[key, default: .null], property, path: join(path, key), isResource: property.embedded, &removed)
                } else if let additional = node?.additional, !additional.refuses {
                    let schema = additional.schema
                    prune(&members[key, default: .null], schema, path: join(path, key), isResource: schema?.embedded ?? false, &removed)
                } else {
                    removed.append(join(path, key))
                    members[key] = nil
                }
            }
            value = .object(members)
        case .array(var elements):
            value = .null
            for index in elements.indices {
                let items = node?.items
                prune(&elements[index], items, path: path + "[\(index)]", isResource: items?.embedded ?? false, &removed)
            }
            value = .array(elements)
        default: break
        }
    }

    /// Under `x-kubernetes-preserve-unknown-fields`, pruning continues only inside fields that the schema names.
    private static func pruneKnownOnly(
        _ value: inout JSONValue, _ node: SchemaNode?, path: String, isResource: Bool, _ removed: inout [String]
    ) {
        guard let node else { return }
        switch value {
        case .object(var members):
            value = .null
            for key in Array(members.keys) {
                if isResource, metaFields.contains(key) { continue }
                if let schema = node.properties[key] {
                    prune(&members[key, default: .null], schema, path: join(path, key), isResource: schema.embedded, &removed)
                } else if let additional = node.additional, !additional.refuses {
                    let schema = additional.schema
                    prune(&members[key, default: .null], schema, path: join(path, key), isResource: schema?.embedded ?? false, &removed)
                }
            }
            value = .object(members)
        case .array(var elements):
            value = .null
            for index in elements.indices {
                pruneKnownOnly(&elements[index], node.items, path: path + "[\(index)]", isResource: node.items?.embedded ?? false, &removed)
            }
            value = .array(elements)
        default: break
        }
    }

    private static func join(_ path: String, _ key: String) -> String { path.isEmpty ? key : path + "." + key }
}

extension SchemaNode.Additional {
    /// `additionalProperties: false`.
    var refuses: Bool {
        if case .none = self { true } else { false }
    }
}
