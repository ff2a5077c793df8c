/// A parsed expression of the Common Expression Language, with all macros expanded.
package struct CELExpression: Sendable {
    let kind: Kind
    /// The position of its beginning, in Unicode scalars of the source.
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
        /// The condition for an element to be included; nil is possible only in `map` and the transforms.
        let predicate: CELExpression?
        /// The result for an element, in `map` and the transforms.
        let transform: CELExpression?
    }
}

/// Why an expression does not compile, in the layout of cel-go.
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

/// Why the evaluation of an expression failed.
package struct CELError: Error, Sendable, Hashable, CustomStringConvertible {
    package let description: String
    init(_ description: String) { self.description = description }

    static let noOverload = CELError("no such overload")
    static let overflow = CELError("integer overflow")
    /// The evaluation took more steps than the server allows.
    package static let costExceeded = CELError("operation cancelled: actual cost limit exceeded")
}
