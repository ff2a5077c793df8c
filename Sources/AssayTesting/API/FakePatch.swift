import Base

/// The part of patching that the operator's own patches need. The embedded API server implements all of it.
enum FakePatch {
    static func apply(_ patch: JSONValue, to object: JSONValue, contentType: String) -> JSONValue? {
        contentType.hasPrefix("application/json-patch") ? operations(patch, object) : merge(patch, object)
    }

    /// RFC 7386.
    static func merge(_ patch: JSONValue, _ object: JSONValue) -> JSONValue {
        guard let changes = patch.object else { return patch }
        var result = object.object ?? [:]
        for (key, value) in changes {
            result[key] = value.isNull ? nil : merge(value, result[key] ?? .null)
        }
        return .object(result)
    }

    /// RFC 6902, only test, add, replace and remove. Nil when a test fails or a path does not exist.
    private static func operations(_ patch: JSONValue, _ object: JSONValue) -> JSONValue? {
        var result = object
        for operation in patch.array ?? [] {
            let path = (operation["path"]?.string ?? "").split(separator: "/").map {
                String($0).replacing("~1", with: "/").replacing("~0", with: "~")
            }
            let changed = change(result, path[...], operation["op"]?.string ?? "", operation["value"] ?? .null)
            guard let changed else { return nil }
            result = changed
        }
        return result
    }

    private static func change(
        _ value: JSONValue, _ path: ArraySlice<String>, _ op: String, _ new: JSONValue
    ) -> JSONValue? {
        guard let first = path.first else {
            if op == "test" { return value == new ? value : nil }
            return new
        }
        let isLast = path.count == 1
        if var members = value.object {
            if isLast, op == "remove" { return members.removeValue(forKey: first) == nil ? nil : .object(members) }
            if isLast, op == "add" {
                members[first] = new
                return .object(members)
            }
            guard let child = members[first], let changed = change(child, path.dropFirst(), op, new) else { return nil }
            members[first] = changed
            return .object(members)
        }
        guard var elements = value.array else { return nil }
        if isLast, op == "add", first == "-" { return .array(elements + [new]) }
        guard let at = Int(first), at >= 0, at < elements.count || (op == "add" && isLast && at == elements.count) else {
            return nil
        }
        if isLast, op == "add" {
            elements.insert(new, at: at)
        } else if isLast, op == "remove" {
            elements.remove(at: at)
        } else {
            guard let changed = change(elements[at], path.dropFirst(), op, new) else { return nil }
            elements[at] = changed
        }
        return .array(elements)
    }
}
