import Base

/// JSON merge patch (RFC 7386).
enum MergePatch {
    static func apply(_ patch: JSONValue, to target: JSONValue) -> JSONValue {
        guard let changes = patch.object else { return patch }
        var members = target.object ?? [:]
        for (key, change) in changes {
            if change.isNull {
                members[key] = nil
            } else {
                members[key] = apply(change, to: members[key] ?? .null)
            }
        }
        return .object(members)
    }
}
