/// A parsed expression of the Common Expression Language, macros already resolved.
package struct CELExpression: Sendable {
    let kind: Kind
    /// Where it begins, in Unicode scalars of the source.
    let offset: Int

    indirect enum Kind: Sendable {
        case literal(CELValue)
        case identifier(String)
        case select(CELExpression, field: String, optional: Bool)
        /// `has(operand.field)`.
        case presence(CELExpression, field: String)
        case index(CELExpression, CELExpression, optional: Bool)
        case call(String, [CELExpression])
        case method(CELExpression, String, [CELExpression])
        case list([Element])
        case map([Entry])
        case and(CELExpression, CELExpression)
        case or(CELExpression, CELExpression)
        case conditional(CELExpression, CELExpression, CELExpression)
        case comprehension(Comprehension)
        /// `target.optMap(variable, body)`; `flat` when the body is itself optional.
        case optionalMap(CELExpression, variable: String, body: CELExpression, flat: Bool)
    }

    struct Element: Sendable {
        let value: CELExpression
        let optional: Bool
    }

    struct Entry: Sendable {
        let key: CELExpression
        let value: CELExpression
        let optional: Bool
    }

    /// A macro over the elements of a list or the entries of a map.
    struct Comprehension: Sendable {
        enum Macro: Sendable { case all, exists, existsOne, map, filter, transformList, transformMap, transformMapEntry }

        let macro: Macro
        let range: CELExpression
        /// One name (the element, or a map's key) or two (index and element, key and value).
        let variables: [String]
        /// What must hold for an element to take part; always there but in `map` and the transforms.
        let predicate: CELExpression?
        /// What becomes of an element, in `map` and the transforms.
        let transform: CELExpression?
    }
}

/// Why an expression does not compile, laid out as cel-go does.
package struct CELCompileError: Error, Sendable, CustomStringConvertible {
    package let description: String

    init(_ message: String, at offset: Int, in source: String) {
        let scalars = Array(source.unicodeScalars)
        let end = min(max(offset, 0), scalars.count)
        let line = scalars[..<end].filter { $0 == "\n" }.count
        let column = end - (scalars[..<end].lastIndex(of: "\n").map { $0 + 1 } ?? 0)
        let text = source.split(separator: "\n", omittingEmptySubsequences: false).dropFirst(line).first ?? ""
        let marker = String(repeating: ".", count: column) + "^"
        description = "ERROR: <input>:\(line + 1):\(column + 1): \(message)\n | \(text)\n | \(marker)"
    }
}

/// Why an expression that compiles has no value.
package struct CELError: Error, Sendable, Hashable, CustomStringConvertible {
    package let description: String
    init(_ description: String) { self.description = description }

    static let noOverload = CELError("no such overload")
    static let overflow = CELError("integer overflow")
    /// Evaluation took more steps than the server would grant.
    package static let costExceeded = CELError("operation cancelled: actual cost limit exceeded")
}
