import Base

/// Merges and compares objects by their shape (structured-merge-diff).
enum TypedMerge {
    /// Merges `applied` into `live`: members and items of `applied` replace those of `live`, and the others stay.
    static func merge(_ applied: JSONValue, over live: JSONValue?, shape: Shape) -> JSONValue {
        guard let live else { return applied }
        switch (shape.resolved, applied, live) {
        case (.object(let object), .object(let new), .object(let old)) where !object.isAtomic:
            var result = old
            for (key, value) in new { result[key] = merge(value, over: old[key], shape: Shape.object(object).member(key)) }
            return .object(result)
        case (.map(let element), .object(let new), .object(let old)):
            var result = old
            for (key, value) in new { result[key] = merge(value, over: old[key], shape: element) }
            return .object(result)
        case (.any, .object(let new), .object(let old)):
            var result = old
            for (key, value) in new { result[key] = merge(value, over: old[key], shape: .any) }
            return .object(result)
        case (.list(let list), .array(let new), .array(let old)) where list.kind != .atomic:
            var result = old
            for item in new {
                let id = list.element(for: item)
                if let place = result.firstIndex(where: { list.element(for: $0) == id }) {
                    result[place] = merge(item, over: result[place], shape: list.element)
                } else {
                    result.append(item)
                }
            }
            return .array(result)
        default:
            return applied
        }
    }

    /// The difference between two states of an object.
    struct Difference {
        /// Fields of the new state that are missing or different in the old state.
        var changed = FieldTree()
        /// Fields that only the old state has.
        var removed = FieldTree()
    }

    static func difference(from old: JSONValue, to new: JSONValue, shape: Shape) -> Difference {
        var result = Difference()
        if old != new { compare(old, new, shape.resolved, &result.changed, &result.removed) }
        return result
    }

    private static func compare(
        _ old: JSONValue, _ new: JSONValue, _ shape: Shape, _ changed: inout FieldTree, _ removed: inout FieldTree
    ) {
        switch (shape, old, new) {
        case (.object(let object), .object(let before), .object(let after)) where !object.isAtomic:
            compareMembers(before, after, { Shape.object(object).member($0) }, &changed, &removed)
        case (.map(let element), .object(let before), .object(let after)):
            compareMembers(before, after, { _ in element }, &changed, &removed)
        case (.any, .object(let before), .object(let after)):
            compareMembers(before, after, { _ in .any }, &changed, &removed)
        case (.list(let list), .array(let before), .array(let after)) where list.kind != .atomic:
            let items = { (array: [JSONValue]) in
                Dictionary(array.map { (list.element(for: $0), $0) }, uniquingKeysWith: { first, _ in first })
            }
            compareChildren(items(before), items(after), { _ in list.element }, &changed, &removed)
        default:
            changed.isMember = true
        }
    }

    private static func compareMembers(
        _ before: [String: JSONValue], _ after: [String: JSONValue], _ shape: (String) -> Shape, _ changed: inout FieldTree,
        _ removed: inout FieldTree
    ) {
        let named = { (members: [String: JSONValue]) in
            Dictionary(uniqueKeysWithValues: members.map { ("f:\($0.key)", $0.value) })
        }
        compareChildren(named(before), named(after), { shape(String($0.dropFirst(2))) }, &changed, &removed)
    }

    private static func compareChildren(
        _ before: [String: JSONValue], _ after: [String: JSONValue], _ shape: (String) -> Shape,
        _ changed: inout FieldTree, _ removed: inout FieldTree
    ) {
        for (key, value) in after {
            if let old = before[key] {
                guard old != value else { continue }
                var more = FieldTree()
                var less = FieldTree()
                compare(old, value, shape(key).resolved, &more, &less)
                if !more.isEmpty { changed.children[key] = more }
                if !less.isEmpty { removed.children[key] = less }
            } else {
                changed.children[key] = whole(value, shape(key))
            }
        }
        for (key, value) in before where after[key] == nil {
            removed.children[key] = whole(value, shape(key))
        }
    }

    /// The field tree of a value that is added or removed as a whole, with everything in it (structured-merge-diff `typed/compare.go`).
    private static func whole(_ value: JSONValue, _ shape: Shape) -> FieldTree { FieldTree(of: value, shape: shape).withContainers }

    /// The object without the given fields, and without what becomes empty when they are removed.
    static func removing(_ fields: FieldTree, from value: JSONValue, shape: Shape) -> JSONValue? {
        switch (shape.resolved, value) {
        case (.list(let list), .array(let items)) where list.kind != .atomic && !fields.children.isEmpty:
            let rest = items.compactMap { item -> JSONValue? in
                guard let gone = fields.children[list.element(for: item)] else { return item }
                if gone.isMember { return nil }
                return removing(gone, from: item, shape: list.element)
            }
            return rest.isEmpty && !items.isEmpty ? nil : .array(rest)
        case (let resolved, .object(let members)) where !fields.children.isEmpty:
            var rest = members
            for (element, gone) in fields.children where element.hasPrefix("f:") {
                let key = String(element.dropFirst(2))
                guard let child = rest[key] else { continue }
                if gone.isMember && gone.children.isEmpty {
                    rest[key] = nil
                } else {
                    rest[key] = removing(gone, from: child, shape: resolved.member(key))
                }
            }
            return rest.isEmpty && !members.isEmpty ? nil : .object(rest)
        default:
            return fields.isMember ? nil : value
        }
    }
}
