import Base

extension YAML {
    /// The value in block style, ending with a newline. Keys are sorted by their bytes, so that equal values give equal
    /// text.
    ///
    /// The text reads back as the same value, also with YAML 1.1 readers (for which `no` is false): a string that
    /// any of them could read as another type is quoted. Infinite and NaN numbers are written as `null`, as in JSON.
    public static func emit(_ value: JSONValue) -> String {
        var emitter = YAMLEmitter()
        emitter.document(value)
        return emitter.text
    }

    /// Several documents, each after a line `---`.
    public static func emit(documents: [JSONValue]) -> String {
        documents.map { "---\n" + emit($0) }.joined()
    }
}

/// Writes one value.
struct YAMLEmitter {
    private(set) var text = ""

    mutating func document(_ value: JSONValue) {
        switch value {
        case .object(let members) where !members.isEmpty: mapping(members, indent: 0)
        case .array(let elements) where !elements.isEmpty: sequence(elements, indent: 0)
        default: text += inline(value, indent: 0) + "\n"
        }
    }

    /// - Parameter startsOnLine: whether the first key continues the current line (after a `- `).
    private mutating func mapping(_ members: [String: JSONValue], indent: Int, startsOnLine: Bool = false) {
        var isFirst = startsOnLine
        for (key, value) in members.sorted(by: { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }) {
            if !isFirst { text += spaces(indent) }
            isFirst = false
            let written = YAMLText.isPlainSafe(key) ? key : YAMLText.quoted(key)
            // YAML allows a key without `?` only up to 1024 characters.
            if written.utf8.count > 512 {
                text += "? \(written)\n\(spaces(indent)):"
            } else {
                text += "\(written):"
            }
            self.value(value, indent: indent)
        }
    }

    /// Writes the value of a key: on the same line, or as a collection below it.
    private mutating func value(_ value: JSONValue, indent: Int) {
        switch value {
        case .object(let members) where !members.isEmpty:
            text += "\n"
            mapping(members, indent: indent + 2)
        case .array(let elements) where !elements.isEmpty:
            // A sequence is not indented below its key, as Kubernetes' tools write it.
            text += "\n"
            sequence(elements, indent: indent)
        default:
            text += " \(inline(value, indent: indent + 2))\n"
        }
    }

    private mutating func sequence(_ elements: [JSONValue], indent: Int, startsOnLine: Bool = false) {
        var isFirst = startsOnLine
        for element in elements {
            if !isFirst { text += spaces(indent) }
            isFirst = false
            text += "- "
            switch element {
            case .object(let members) where !members.isEmpty:
                mapping(members, indent: indent + 2, startsOnLine: true)
            case .array(let inner) where !inner.isEmpty:
                sequence(inner, indent: indent + 2, startsOnLine: true)
            default:
                text += inline(element, indent: indent + 2) + "\n"
            }
        }
    }

    private func spaces(_ count: Int) -> String { String(repeating: " ", count: count) }

    /// A scalar or an empty collection, without the newline at its end.
    private func inline(_ value: JSONValue, indent: Int) -> String {
        switch value {
        case .null: "null"
        case .bool(let flag): flag ? "true" : "false"
        case .int(let number): String(number)
        case .double(let number): number.isFinite ? "\(number)" : "null"
        case .string(let string):
            if YAMLText.isPlainSafe(string) {
                string
            } else if indent > 0, let block = YAMLText.literalBlock(string, indent: spaces(indent)) {
                block
            } else {
                YAMLText.quoted(string)
            }
        case .array: "[]"
        case .object: "{}"
        }
    }
}
