import Base

/// The simple JSONPath of printer columns: `.spec.size`, `.status.conditions[?(@.type=="Ready")].status`, `.items[0]`, `['a.b']`.
struct JSONPathExpression: Sendable {
    struct SyntaxFault: Error {}

    private enum Step: Sendable {
        case member(String)
        case index(Int)
        case all
        /// `[?(@.path op value)]`; without an operator the path must exist.
        case filter(path: JSONPathExpression, comparison: String?, value: JSONValue)
    }

    private var steps: [Step] = []

    init(_ text: String) throws(SyntaxFault) {
        var rest = Substring(text)
        if rest.hasPrefix("{"), rest.hasSuffix("}") { rest = rest.dropFirst().dropLast() }
        if rest.hasPrefix("$") || rest.hasPrefix("@") { rest = rest.dropFirst() }
        while let first = rest.first {
            switch first {
            case ".":
                rest = rest.dropFirst()
                if rest.isEmpty { return }
                if rest.first == "[" { continue }
                steps.append(try Self.member(&rest))
            case "[":
                steps.append(try Self.bracket(&rest))
            default:
                guard steps.isEmpty else { throw SyntaxFault() }
                steps.append(try Self.member(&rest))
            }
        }
    }

    private static func member(_ rest: inout Substring) throws(SyntaxFault) -> Step {
        var name = ""
        while let character = rest.first, character != ".", character != "[" {
            rest = rest.dropFirst()
            if character == "\\", let escaped = rest.first {
                name.append(escaped)
                rest = rest.dropFirst()
            } else {
                name.append(character)
            }
        }
        guard !name.isEmpty else { throw SyntaxFault() }
        return name == "*" ? .all : .member(name)
    }

    private static func bracket(_ rest: inout Substring) throws(SyntaxFault) -> Step {
        guard let close = closing(rest) else { throw SyntaxFault() }
        let inner = rest[rest.index(after: rest.startIndex)..<close]
        rest = rest[rest.index(after: close)...]
        if inner == "*" { return .all }
        if let index = Int(inner) { return .index(index) }
        if inner.count >= 2, let quote = inner.first, quote == "'" || quote == "\"", inner.last == quote {
            return .member(String(inner.dropFirst().dropLast()))
        }
        guard inner.hasPrefix("?("), inner.hasSuffix(")") else { throw SyntaxFault() }
        return try filter(inner.dropFirst(2).dropLast())
    }

    /// The position of the bracket that closes the one at the start of `text`; quoted text and inner brackets are skipped.
    private static func closing(_ text: Substring) -> Substring.Index? {
        var depth = 0
        var quote: Character?
        for index in text.indices {
            let character = text[index]
            if let open = quote {
                if character == open { quote = nil }
            } else if character == "'" || character == "\"" {
                quote = character
            } else if character == "[" {
                depth += 1
            } else if character == "]" {
                depth -= 1
                if depth == 0 { return index }
            }
        }
        return nil
    }

    private static func filter(_ text: Substring) throws(SyntaxFault) -> Step {
        for comparison in ["==", "!=", "<=", ">=", "<", ">"] {
            guard let range = range(of: comparison, in: text) else { continue }
            let path = try JSONPathExpression(String(text[..<range.lowerBound].trimming { $0 == " " }))
            let literal = text[range.upperBound...].trimming { $0 == " " }
            let value: JSONValue
            if literal.count >= 2, let quote = literal.first, quote == "'" || quote == "\"" {
                value = .string(String(literal.dropFirst().dropLast()))
            } else {
                value = (try? JSONValue(parsing: String(literal))) ?? .string(String(literal))
            }
            return .filter(path: path, comparison: comparison, value: value)
        }
        return .filter(path: try JSONPathExpression(String(text.trimming { $0 == " " })), comparison: nil, value: .null)
    }

    private static func range(of part: String, in text: Substring) -> Range<Substring.Index>? {
        var at = text.startIndex
        while at < text.endIndex {
            if text[at...].hasPrefix(part) { return at..<text.index(at, offsetBy: part.count) }
            at = text.index(after: at)
        }
        return nil
    }

    /// All values that the path selects.
    func values(in root: JSONValue) -> [JSONValue] {
        var found = [root]
        for step in steps {
            found = found.flatMap { value -> [JSONValue] in
                switch step {
                case .member(let name):
                    return value[name].map { [$0] } ?? []
                case .index(let index):
                    guard let items = value.array else { return [] }
                    let at = index < 0 ? items.count + index : index
                    return items.indices.contains(at) ? [items[at]] : []
                case .all:
                    if let items = value.array { return items }
                    return (value.object ?? [:]).sorted { $0.key < $1.key }.map(\.value)
                case .filter(let path, let comparison, let wanted):
                    return (value.array ?? []).filter { Self.matches(path.values(in: $0).first, comparison, wanted) }
                }
            }
        }
        return found
    }

    private static func matches(_ value: JSONValue?, _ comparison: String?, _ wanted: JSONValue) -> Bool {
        guard let value else { return false }
        switch comparison {
        case nil: return true
        case "==": return value == wanted
        case "!=": return value != wanted
        default: break
        }
        let order: (Bool, Bool)
        if let a = value.double, let b = wanted.double {
            order = (a < b, a == b)
        } else if let a = value.string, let b = wanted.string {
            order = (a < b, a == b)
        } else {
            return false
        }
        switch comparison {
        case "<": return order.0
        case "<=": return order.0 || order.1
        case ">": return !order.0 && !order.1
        default: return !order.0
        }
    }
}
