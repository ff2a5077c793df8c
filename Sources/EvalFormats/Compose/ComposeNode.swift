import Base

/// A value of a Compose file, with the path of its key.
struct ComposeNode {
    let value: JSONValue
    let path: String

    init(_ value: JSONValue, path: String = "") {
        self.value = value
        self.path = path
    }

    /// The member of a map; nil when it is missing or null.
    subscript(key: String) -> ComposeNode? {
        guard let found = value[key], !found.isNull else { return nil }
        return ComposeNode(found, path: path.isEmpty ? key : "\(path).\(key)")
    }

    /// The members of a map, by name; nil for anything else.
    var members: [(name: String, node: ComposeNode)]? {
        guard let object = value.object else { return nil }
        return object.sorted { $0.key < $1.key }.map { ($0.key, ComposeNode($0.value, path: path.isEmpty ? $0.key : "\(path).\($0.key)")) }
    }

    /// The elements of a list; nil for anything else.
    var elements: [ComposeNode]? {
        value.array?.enumerated().map { ComposeNode($1, path: "\(path)[\($0)]") }
    }

    var text: String? { ComposeValues.text(value) }

    /// A flag, also written as text.
    var flag: Bool? {
        switch value {
        case .bool(let flag): flag
        case .string("true"): true
        case .string("false"): false
        default: nil
        }
    }

    /// A list of texts, or one text; nil for anything else.
    var texts: [String]? {
        if let text { return [text] }
        guard let elements else { return nil }
        let found = elements.compactMap(\.text)
        return found.count == elements.count ? found : nil
    }

    /// The pairs of a map, or of a list of `NAME<separator>VALUE`. The value is nil where there is none.
    func pairs(_ separators: [Character] = ["="]) -> [(name: String, value: ComposeNode?, text: String?)]? {
        if let members {
            return members.map { name, node in (name, node.value.isNull ? nil : node, node.text) }
        }
        guard let elements else { return nil }
        var found: [(name: String, value: ComposeNode?, text: String?)] = []
        for element in elements {
            guard let text = element.text else { return nil }
            guard let at = text.firstIndex(where: separators.contains) else {
                found.append((text, nil, nil))
                continue
            }
            let value = String(text[text.index(after: at)...])
            found.append((String(text[..<at]), ComposeNode(.string(value), path: element.path), value))
        }
        return found
    }

    /// The value with every text's variables replaced, but those of keys in `except`, which stay as they are written.
    ///
    /// - Parameter except: paths such as `services.*.environment`; `*` is any one key.
    func expanded(_ variables: ComposeVariables, except: [[String]], _ notes: inout ComposeNotes) -> ComposeNode {
        ComposeNode(Self.expand(value, path, [], variables, except, &notes), path: path)
    }

    private static func expand(
        _ value: JSONValue, _ path: String, _ keys: [String], _ variables: ComposeVariables, _ except: [[String]], _ notes: inout ComposeNotes
    ) -> JSONValue {
        if except.contains(where: { $0.count == keys.count && zip($0, keys).allSatisfy { $0 == "*" || $0 == $1 } }) { return value }
        switch value {
        case .string(let text):
            return .string(self.text(text, path, variables, &notes))
        case .array(let elements):
            return .array(
                elements.enumerated().map { index, element in expand(element, "\(path)[\(index)]", keys + ["[]"], variables, except, &notes) })
        case .object(let members):
            var result: [String: JSONValue] = [:]
            for (key, member) in members.sorted(by: { $0.key < $1.key }) {
                result[key] = expand(member, path.isEmpty ? key : "\(path).\(key)", keys + [key], variables, except, &notes)
            }
            return .object(result)
        default: return value
        }
    }

    /// A text with its variables replaced. One without a value is refused.
    static func text(_ text: String, _ path: String, _ variables: ComposeVariables, _ notes: inout ComposeNotes) -> String {
        guard text.contains("$") else { return text }
        guard let found = variables.expand(text) else {
            notes.refuse(path, "\"\(text.prefix(100))\" is no valid use of a variable; write $$ for a dollar")
            return text
        }
        for name in found.missing {
            notes.refuse(
                path,
                "${\(name)} has no value\(found.complaint.map { " (\($0))" } ?? ""): give it a default (${\(name):-...}); a variable of the job can "
                    + "only be the whole value of an entry of `environment`")
        }
        return found.text
    }
}
