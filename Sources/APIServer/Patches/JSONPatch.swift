import Base

/// JSON patch (RFC 6902), without side effects: either every operation is applied, or the first one that fails is reported.
struct JSONPatch {
    enum Fault: Error, Equatable {
        /// The document is not a patch.
        case malformed(String)
        case tooLong(Int)
        /// An operation is malformed or does not fit the object, for example a failed test or a path that does not exist.
        case unappliable(String)
    }

    /// The largest number of operations in a patch, as in kube-apiserver.
    static let maximumOperations = 10_000

    private struct Operation {
        var name: String
        var path: [String]
        var from: [String]
        var value: JSONValue?
    }

    private var operations: [Operation] = []

    init(_ document: JSONValue) throws(Fault) {
        guard let items = document.array else {
            throw .malformed("json: cannot unmarshal \(document.goKind) into Go value of type []handlers.jsonPatchOp")
        }
        guard items.count <= Self.maximumOperations else {
            throw .tooLong(items.count)
        }
        for item in items {
            guard item.object != nil else {
                throw .malformed("json: cannot unmarshal \(item.goKind) into Go value of type handlers.jsonPatchOp")
            }
            guard let name = item["op"]?.string else { throw .unappliable("an operation lacks its op") }
            guard let path = item["path"]?.string else { throw .unappliable("operation \(name) lacks its path") }
            let from = item["from"]?.string
            if (name == "move" || name == "copy") && from == nil { throw .unappliable("operation \(name) lacks its from") }
            operations.append(
                Operation(name: name, path: try Self.pointer(path), from: try Self.pointer(from ?? ""), value: item["value"]))
        }
    }

    private static func pointer(_ text: String) throws(Fault) -> [String] {
        if text.isEmpty { return [] }
        guard text.hasPrefix("/") else { throw .unappliable("a JSON pointer begins with a slash: \(text)") }
        return text.dropFirst().split(separator: "/", omittingEmptySubsequences: false).map { unescaped($0) }
    }

    private static func unescaped(_ text: Substring) -> String {
        var out = ""
        var rest = text
        while let character = rest.popFirst() {
            if character == "~", let code = rest.first, code == "0" || code == "1" {
                rest = rest.dropFirst()
                out.append(code == "0" ? "~" : "/")
            } else {
                out.append(character)
            }
        }
        return out
    }

    func apply(to object: JSONValue) throws(Fault) -> JSONValue {
        var result = object
        for operation in operations {
            switch operation.name {
            case "add": try Self.add(operation.value ?? .null, at: operation.path[...], in: &result)
            case "remove": _ = try Self.remove(at: operation.path[...], in: &result)
            case "replace":
                if operation.path.isEmpty {
                    result = operation.value ?? .null
                } else {
                    // A missing member is added, as in the library that kube-apiserver uses (json-patch v4).
                    let parent = try Self.read(operation.path.dropLast(), in: result)
                    if parent.array != nil { _ = try Self.remove(at: operation.path[...], in: &result) }
                    try Self.add(operation.value ?? .null, at: operation.path[...], in: &result)
                }
            case "move":
                let value = try Self.remove(at: operation.from[...], in: &result)
                try Self.add(value, at: operation.path[...], in: &result)
            case "copy":
                try Self.add(try Self.read(operation.from, in: result), at: operation.path[...], in: &result)
            case "test":
                // A missing member equals null, as in the library that kube-apiserver uses.
                let found = (try? Self.read(operation.path, in: result)) ?? .null
                guard found == operation.value ?? .null else {
                    throw .unappliable("testing value /\(operation.path.joined(separator: "/")) failed")
                }
            default:
                throw .unappliable("unexpected kind: \(operation.name)")
            }
        }
        return result
    }

    private static func missing(_ path: some Sequence<String>) -> Fault {
        .unappliable("path does not exist: /\(path.joined(separator: "/"))")
    }

    private static func read(_ path: some Sequence<String>, in value: JSONValue) throws(Fault) -> JSONValue {
        var at = value
        for step in path {
            if let members = at.object, let next = members[step] {
                at = next
            } else if let items = at.array, let index = Int(step), items.indices.contains(index) {
                at = items[index]
            } else {
                throw missing(path)
            }
        }
        return at
    }

    private static func add(_ new: JSONValue, at path: ArraySlice<String>, in value: inout JSONValue) throws(Fault) {
        guard let step = path.first else {
            value = new
            return
        }
        switch value {
        case .object(var members):
            if path.count == 1 {
                members[step] = new
            } else {
                guard var child = members[step] else { throw missing(path) }
                try add(new, at: path.dropFirst(), in: &child)
                members[step] = child
            }
            value = .object(members)
        case .array(var items):
            if path.count == 1 {
                guard let index = step == "-" ? items.count : Int(step), index >= 0, index <= items.count else {
                    throw missing(path)
                }
                items.insert(new, at: index)
            } else {
                guard let index = Int(step), items.indices.contains(index) else { throw missing(path) }
                try add(new, at: path.dropFirst(), in: &items[index])
            }
            value = .array(items)
        default:
            throw missing(path)
        }
    }

    private static func remove(at path: ArraySlice<String>, in value: inout JSONValue) throws(Fault) -> JSONValue {
        guard let step = path.first else { throw missing(path) }
        switch value {
        case .object(var members):
            guard var child = members[step] else { throw missing(path) }
            let removed: JSONValue
            if path.count == 1 {
                removed = child
                members[step] = nil
            } else {
                removed = try remove(at: path.dropFirst(), in: &child)
                members[step] = child
            }
            value = .object(members)
            return removed
        case .array(var items):
            guard let index = Int(step), items.indices.contains(index) else { throw missing(path) }
            let removed = path.count == 1 ? items.remove(at: index) : try remove(at: path.dropFirst(), in: &items[index])
            value = .array(items)
            return removed
        default:
            throw missing(path)
        }
    }
}
