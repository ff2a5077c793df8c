import Base

/// Strategic merge patch: a merge patch that merges some lists by a key (apimachinery `strategicpatch`).
///
/// Supported directives: `$patch: delete|replace|merge`, `$deleteFromPrimitiveList/x`, `$setElementOrder/x`, `$retainKeys`.
struct StrategicMergePatch {
    struct Fault: Error {
        var message: String
    }

    static func apply(_ patch: JSONValue, to target: JSONValue, shape: Shape) throws(Fault) -> JSONValue {
        guard let changes = patch.object else { throw Fault(message: "the patch is no object") }
        return try merge(changes, into: target.object ?? [:], shape: shape).map { .object($0) } ?? .object([:])
    }

    /// Returns nil when the patch deletes the object.
    private static func merge(
        _ patch: [String: JSONValue], into target: [String: JSONValue], shape: Shape
    ) throws(Fault) -> [String: JSONValue]? {
        var patch = patch
        var result = target
        switch patch.removeValue(forKey: "$patch")?.string {
        case "delete": return nil
        case "replace": return patch.filter { !$0.key.hasPrefix("$") }
        case "merge", nil: break
        case let other?: throw Fault(message: "Unknown patch type found: \(other)")
        }
        if let retained = patch.removeValue(forKey: "$retainKeys")?.array {
            let names = Set(retained.compactMap(\.string))
            result = result.filter { names.contains($0.key) }
        }
        for (key, change) in patch.sorted(by: { $0.key < $1.key }) {
            if key.hasPrefix("$deleteFromPrimitiveList/") {
                let name = String(key.dropFirst("$deleteFromPrimitiveList/".count))
                let gone = change.array ?? []
                if let items = result[name]?.array { result[name] = .array(items.filter { !gone.contains($0) }) }
            } else if key.hasPrefix("$setElementOrder/") {
                continue
            } else if change.isNull {
                result[key] = nil
            } else if let members = change.object {
                let before = result[key]?.object ?? [:]
                result[key] = try merge(members, into: before, shape: shape.member(key)).map { .object($0) }
            } else if let items = change.array, let list = shape.member(key).list {
                result[key] = .array(try mergeLists(items, into: result[key]?.array ?? [], list: list))
            } else {
                result[key] = change
            }
        }
        for (key, order) in patch where key.hasPrefix("$setElementOrder/") {
            let name = String(key.dropFirst("$setElementOrder/".count))
            guard let items = result[name]?.array, let list = shape.member(name).list else { continue }
            result[name] = .array(sorted(items, by: order.array ?? [], key: list.mergeKey ?? ""))
        }
        return result
    }

    private static func mergeLists(_ patch: [JSONValue], into target: [JSONValue], list: ListShape) throws(Fault) -> [JSONValue] {
        guard let key = list.mergeKey else { return patch }
        if key.isEmpty { return target + patch.filter { !target.contains($0) } }
        if patch.contains(where: { $0["$patch"]?.string == "replace" }) {
            return patch.filter { $0["$patch"] == nil }
        }
        var result = target
        for item in patch {
            guard let members = item.object else { throw Fault(message: "an item of a merged list is no object") }
            guard let id = members[key] else {
                throw Fault(message: "map: \(item.text) does not contain declared merge key: \(key)")
            }
            let place = result.firstIndex { $0[key] == id }
            let before = place.flatMap { result[$0].object } ?? [:]
            let merged = try merge(members, into: before, shape: list.element)
            switch (place, merged) {
            case (let place?, let merged?): result[place] = .object(merged)
            case (let place?, nil): result.remove(at: place)
            case (nil, let merged?): result.append(.object(merged))
            case (nil, nil): break
            }
        }
        return result
    }

    /// Sorts the items that the order names among the places that they occupy; the other items keep their places.
    private static func sorted(_ items: [JSONValue], by order: [JSONValue], key: String) -> [JSONValue] {
        func rank(_ item: JSONValue) -> Int? {
            order.firstIndex { key.isEmpty ? $0 == item : $0[key] == item[key] }
        }
        let ranked = items.filter { rank($0) != nil }.sorted { (rank($0) ?? 0) < (rank($1) ?? 0) }
        var next = ranked.makeIterator()
        return items.map { rank($0) == nil ? $0 : next.next() ?? $0 }
    }
}
