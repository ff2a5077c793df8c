import Base

/// A set of fields in the form of `managedFields`: paths of members (`f:spec`), of list items by key (`k:{"id":"x"}`) and by value (`v:"a"`).
struct FieldTree: Sendable, Equatable {
    /// Whether the path itself is in the set (written as `.` when the set also has fields below it).
    var isMember = false
    var children: [String: FieldTree] = [:]

    static let leaf = FieldTree(isMember: true)

    var isEmpty: Bool { !isMember && children.isEmpty }

    // MARK: fieldsV1

    init(isMember: Bool = false, children: [String: FieldTree] = [:]) {
        self.isMember = isMember
        self.children = children
    }

    /// Reads `fieldsV1`. The root is not a member.
    init(fieldsV1 value: JSONValue) {
        for (key, child) in value.object ?? [:] where key != "." {
            let members = child.object ?? [:]
            var tree = FieldTree(fieldsV1: child)
            tree.isMember = members.isEmpty || members["."] != nil
            children[key] = tree
        }
    }

    var fieldsV1: JSONValue {
        var members = children.mapValues(\.fieldsV1)
        if isMember && !children.isEmpty { members["."] = [:] }
        return .object(members)
    }

    // MARK: The fields of an object

    /// The fields that an object sets.
    init(of value: JSONValue, shape: Shape) {
        self = Self.tree(of: value, shape.resolved)
        isMember = false
    }

    private static func tree(of value: JSONValue, _ shape: Shape) -> FieldTree {
        switch (shape, value) {
        case (.object(let object), .object(let members)) where !object.isAtomic && !members.isEmpty:
            return FieldTree(
                children: Dictionary(
                    uniqueKeysWithValues: members.map { key, member in
                        ("f:\(key)", tree(of: member, Shape.object(object).member(key).resolved))
                    }))
        case (.map(let element), .object(let members)) where !members.isEmpty:
            return FieldTree(
                children: Dictionary(uniqueKeysWithValues: members.map { ("f:\($0.key)", tree(of: $0.value, element.resolved)) }))
        case (.any, .object(let members)) where !members.isEmpty:
            return FieldTree(
                children: Dictionary(uniqueKeysWithValues: members.map { ("f:\($0.key)", tree(of: $0.value, .any)) }))
        case (.list(let list), .array(let items)) where list.kind != .atomic && !items.isEmpty:
            var children: [String: FieldTree] = [:]
            for item in items {
                var child = list.kind == .set ? .leaf : tree(of: item, list.element.resolved)
                child.isMember = true
                children[list.element(for: item)] = child
            }
            return FieldTree(children: children)
        default:
            return .leaf
        }
    }

    /// The tree in which every node is a member.
    var withContainers: FieldTree { FieldTree(isMember: true, children: children.mapValues(\.withContainers)) }

    // MARK: Sets

    func union(_ other: FieldTree) -> FieldTree {
        FieldTree(isMember: isMember || other.isMember, children: children.merging(other.children) { $0.union($1) })
    }

    func intersection(_ other: FieldTree) -> FieldTree {
        var result = FieldTree(isMember: isMember && other.isMember)
        for (key, child) in children {
            guard let counterpart = other.children[key] else { continue }
            let both = child.intersection(counterpart)
            if !both.isEmpty { result.children[key] = both }
        }
        return result
    }

    func subtracting(_ other: FieldTree) -> FieldTree {
        var result = FieldTree(isMember: isMember && !other.isMember)
        for (key, child) in children {
            guard let counterpart = other.children[key] else {
                result.children[key] = child
                continue
            }
            let rest = child.subtracting(counterpart)
            if !rest.isEmpty { result.children[key] = rest }
        }
        return result
    }

    /// The set without everything at or below the members of `other`, because the removal of a field removes its parts.
    func subtractingRecursively(_ other: FieldTree) -> FieldTree {
        if other.isMember { return FieldTree() }
        var result = self
        for (key, counterpart) in other.children {
            guard let child = result.children[key] else { continue }
            let rest = child.subtractingRecursively(counterpart)
            result.children[key] = rest.isEmpty ? nil : rest
        }
        return result
    }

    /// Removes the branch at the given path.
    mutating func remove(_ path: [String]) {
        guard let first = path.first, var child = children[first] else { return }
        if path.count == 1 {
            children[first] = nil
            return
        }
        child.remove(Array(path.dropFirst()))
        children[first] = child.isEmpty ? nil : child
    }

    /// The paths of the members in the form of messages: `.spec.parts[id="x"].n`.
    var paths: [String] {
        var found: [String] = []
        collect("", into: &found)
        return found.sorted()
    }

    private func collect(_ prefix: String, into found: inout [String]) {
        if isMember { found.append(prefix) }
        for (key, child) in children { child.collect(prefix + Self.text(key), into: &found) }
    }

    /// One element of a path in the form of messages: `.spec`, `[id="x"]`.
    static func text(_ element: String) -> String {
        let rest = element.dropFirst(2)
        switch element.prefix(2) {
        case "k:":
            let members = (try? JSONValue(parsing: String(rest)))?.object ?? [:]
            return "[" + members.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value.text)" }.joined(separator: ",") + "]"
        case "v:": return "[=\(rest)]"
        default: return ".\(rest)"
        }
    }
}

extension ListShape {
    /// The name of an item of the list in `managedFields`.
    func element(for item: JSONValue) -> String {
        switch kind {
        case .map(let keys):
            var id: [String: JSONValue] = [:]
            for key in keys { id[key] = item[key] ?? defaults[key].map { .string($0) } }
            return "k:\(JSONValue.object(id).text)"
        default:
            return "v:\(item.text)"
        }
    }
}
