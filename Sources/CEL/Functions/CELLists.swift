/// The list functions of Kubernetes and of cel-go's list and set libraries.
enum CELLists {
    static func call(_ name: String, _ values: [CELValue]) throws(CELError) -> CELValue {
        if name == "lists.range" {
            let count = try CELStrings.int(values[0])
            guard count >= 0, count <= 100_000 else { throw CELError("range size out of bounds: \(count)") }
            return .list((0..<count).map { .int(Int64($0)) })
        }
        guard case .list(let first) = values[0], case .list(let second) = values[1] else { throw .noOverload }
        switch name {
        case "sets.contains": return .bool(try includes(first, second))
        case "sets.equivalent":
            guard try includes(first, second) else { return .bool(false) }
            return .bool(try includes(second, first))
        default:
            for index in 0..<first.count where try second.contains(try first.element(index)) { return .bool(true) }
            return .bool(false)
        }
    }

    private static func includes(_ whole: CELList, _ part: CELList) throws(CELError) -> Bool {
        for index in 0..<part.count where try !whole.contains(try part.element(index)) { return false }
        return true
    }

    /// Calls a list function; nil when it does not exist.
    static func method(_ list: CELList, _ name: String, _ values: [CELValue]) throws(CELError) -> CELValue? {
        let elements = try list.elements()
        switch (name, values.count) {
        case ("isSorted", 0):
            for index in elements.indices.dropFirst() where try order(elements[index - 1], elements[index]) > 0 { return .bool(false) }
            return .bool(true)
        case ("sum", 0):
            guard var total = elements.first else { return .int(0) }
            for element in elements.dropFirst() { total = try CELOperators.apply("_+_", [total, element]) }
            return total
        case ("min", 0), ("max", 0):
            guard var best = elements.first else { throw CELError("\(name) called on empty list") }
            for element in elements.dropFirst() where try order(element, best) == (name == "min" ? -1 : 1) { best = element }
            return best
        case ("indexOf", 1), ("lastIndexOf", 1):
            let indices = name == "indexOf" ? Array(elements.indices) : elements.indices.reversed()
            for index in indices where try CELValue.equal(elements[index], values[0]) { return .int(Int64(index)) }
            return .int(-1)
        case ("join", 0), ("join", 1):
            let separator = values.isEmpty ? "" : try CELStrings.string(values[0])
            var parts: [String] = []
            for element in elements { parts.append(try CELStrings.string(element)) }
            return .string(parts.joined(separator: separator))
        case ("slice", 2):
            let (start, end) = (try CELStrings.int(values[0]), try CELStrings.int(values[1]))
            guard start >= 0, end >= 0 else { throw CELError("cannot slice(\(start), \(end)), negative indexes not supported") }
            guard start <= end else { throw CELError("cannot slice(\(start), \(end)), start index must be less than or equal to end index") }
            guard end <= elements.count else { throw CELError("cannot slice(\(start), \(end)), list is length \(elements.count)") }
            return .list(Array(elements[start..<end]))
        case ("flatten", 0): return .list(try flattened(elements, depth: 1))
        case ("flatten", 1):
            let depth = try CELStrings.int(values[0])
            if depth < 0 { throw CELError("level must be non-negative") }
            return .list(try flattened(elements, depth: depth))
        case ("distinct", 0):
            var kept: [CELValue] = []
            for element in elements where try !CELList(kept).contains(element) { kept.append(element) }
            return .list(kept)
        case ("reverse", 0): return .list(elements.reversed())
        case ("first", 0): return .optional(elements.first)
        case ("last", 0): return .optional(elements.last)
        case ("sort", 0): return .list(try sorted(elements, by: elements))
        case ("@sortByAssociatedKeys", 1):
            guard case .list(let keys) = values[0] else { throw .noOverload }
            return .list(try sorted(elements, by: try keys.elements()))
        default: return nil
        }
    }

    private static func order(_ first: CELValue, _ second: CELValue) throws(CELError) -> Int {
        try CELValue.order(first, second) ?? 0
    }

    private static func flattened(_ elements: [CELValue], depth: Int) throws(CELError) -> [CELValue] {
        var out: [CELValue] = []
        for element in elements {
            if depth > 0, case .list(let inner) = element {
                out += try flattened(try inner.elements(), depth: depth - 1)
            } else {
                out.append(element)
            }
        }
        return out
    }

    private static func sorted(_ elements: [CELValue], by keys: [CELValue]) throws(CELError) -> [CELValue] {
        guard elements.count == keys.count else { throw .noOverload }
        // The types are compared before sorting, so that the sort itself cannot fail.
        for key in keys.dropFirst() where key.typeName != keys[0].typeName { throw CELError("list elements must have the same type") }
        if let first = keys.first { _ = try CELValue.order(first, first) }
        let indices = keys.indices.sorted { ((try? CELValue.order(keys[$0], keys[$1])) ?? 0, $0) < (0, $1) }
        return indices.map { elements[$0] }
    }
}
