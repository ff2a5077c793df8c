import HTTPServing

/// A field selector: `metadata.name=a,status.phase!=Running`.
struct FieldSelector: Sendable {
    struct Term: Sendable {
        var path: String
        var value: String
        var isNegated: Bool
    }

    private(set) var terms: [Term] = []

    var isEmpty: Bool { terms.isEmpty }

    init() {}

    /// - Throws: a bad request when the syntax is wrong, or when objects cannot be selected by a field.
    init(parsing text: String, kind: ServedKind) throws(APIFailure) {
        // As in a real server, a part that is just an equals sign selects everything.
        for part in Self.split(text) where !part.isEmpty && part != "=" {
            guard let term = try Self.term(part) else {
                throw .badRequest("invalid selector: '\(text)'; can't understand '\(part)'")
            }
            let known = SelectableFields.paths[kind.id] ?? []
            guard
                term.path == "metadata.name" || (term.path == "metadata.namespace" && kind.isNamespaced)
                    || known.contains(term.path)
                    || kind.custom?.selectable.contains(term.path) == true
            else { throw .badRequest("field label not supported: \(term.path)") }
            terms.append(term)
        }
    }

    /// The only name that can match, if the selector requires a name.
    var onlyName: String? { terms.first { $0.path == "metadata.name" && !$0.isNegated }?.value }

    func matches(_ object: StoredObject) -> Bool {
        if terms.isEmpty { return true }
        return terms.allSatisfy { term in
            let value: String
            switch term.path {
            case "metadata.name": value = object.name
            case "metadata.namespace": value = object.namespace
            default: value = object.fields[term.path] ?? Self.lookup(term.path, object)
            }
            return (value == term.value) != term.isNegated
        }
    }

    /// The value of a selectable field of a custom resource.
    private static func lookup(_ path: String, _ object: StoredObject) -> String {
        guard let found = try? JSONPathExpression(path).values(in: object.value).first else { return "" }
        return found.string ?? (found.isNull ? "" : found.text)
    }

    /// Splits at commas; a backslash escapes the next character.
    private static func split(_ text: String) -> [String] {
        var parts = [""]
        var isEscaped = false
        for character in text {
            if isEscaped {
                parts[parts.count - 1] += "\\\(character)"
                isEscaped = false
            } else if character == "\\" {
                isEscaped = true
            } else if character == "," {
                parts.append("")
            } else {
                parts[parts.count - 1].append(character)
            }
        }
        return parts
    }

    private static func term(_ part: String) throws(APIFailure) -> Term? {
        for (sign, isNegated) in [("!=", true), ("==", false), ("=", false)] {
            var at = part.startIndex
            while at < part.endIndex {
                if part[at...].hasPrefix(sign) {
                    let value = part[part.index(at, offsetBy: sign.count)...]
                    return Term(path: String(part[..<at]), value: try unescaped(value), isNegated: isNegated)
                }
                at = part.index(after: at)
            }
        }
        return nil
    }

    /// In a value, a backslash must be followed by a backslash, a comma or an equals sign, and these must not occur without one (apimachinery
    /// `fields.UnescapeValue`).
    private static func unescaped(_ text: Substring) throws(APIFailure) -> String {
        var out = ""
        var rest = text
        while let character = rest.popFirst() {
            switch character {
            case "\\":
                let next = rest.popFirst()
                guard let next, ["\\", ",", "="].contains(next) else {
                    throw .badRequest("invalid field selector: invalid escape sequence: \\\(next.map(String.init) ?? "")")
                }
                out.append(next)
            case "=", ",":
                throw .badRequest(
                    "invalid field selector: unescaped character in value: \(character.unicodeScalars.first.map { String($0.value) } ?? "")")
            default:
                out.append(character)
            }
        }
        return out
    }
}

/// Selects the objects that a list or a watch returns.
struct Selection: Sendable {
    /// Empty means all namespaces.
    var namespace = ""
    var labels = LabelSelector()
    var fields = FieldSelector()

    init(namespace: String, query: HTTPQuery, kind: ServedKind) throws(APIFailure) {
        self.namespace = namespace
        if let text = query["labelSelector"] { labels = try LabelSelector(parsing: text) }
        if let text = query["fieldSelector"] { fields = try FieldSelector(parsing: text, kind: kind) }
    }

    var hasSelectors: Bool { !labels.isEmpty || !fields.isEmpty }

    func matches(_ object: StoredObject) -> Bool {
        (namespace.isEmpty || object.namespace == namespace) && labels.matches(object.labels) && fields.matches(object)
    }
}
