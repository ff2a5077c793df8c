import Base

/// The old value that corresponds to a part of the new object (`apiserver/pkg/cel/common.CorrelatedObject`).
///
/// Members of objects correspond by name. List elements correspond only in lists of type map, by their keys.
struct Correlation {
    let old: JSONValue
    let node: SchemaNode

    func member(_ name: String) -> Correlation? {
        guard let value = old.object?[name], let schema = node.child(name) else { return nil }
        return Correlation(old: value, node: schema)
    }

    /// Finds the old elements of a list; built once per list.
    func elements() -> Elements {
        Elements(lookup: ListTypes.Lookup(node, old.array), items: node.items)
    }

    struct Elements {
        fileprivate let lookup: ListTypes.Lookup?
        fileprivate let items: SchemaNode?

        func partner(of element: JSONValue) -> Correlation? {
            guard let lookup, let items, let match = lookup.match(element) else { return nil }
            return Correlation(old: match, node: items)
        }
    }

    /// Whether the value is unchanged. The order of a list of type map is ignored.
    func isUnchanged(_ value: JSONValue) -> Bool {
        switch (value, old) {
        case (.object(let new), .object(let before)):
            guard new.count == before.count else { return false }
            return new.allSatisfy { member($0.key)?.isUnchanged($0.value) ?? false }
        case (.array(let new), .array(let before)):
            guard new.count == before.count else { return false }
            guard node.listType == "map" else { return value == old }
            let elements = elements()
            return new.allSatisfy { elements.partner(of: $0)?.isUnchanged($0) ?? false }
        default: return value == old
        }
    }
}
