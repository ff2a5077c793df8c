/// Parses CEL (https://github.com/google/cel-spec/blob/master/doc/langdef.md#syntax).
package struct CELParser {
    /// Reserved names of CEL; as fields they are written `__name__`.
    static let reserved: Set<String> = [
        "true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop",
        "package", "namespace", "return", "var", "void", "while",
    ]

    let source: String
    private let tokens: [(token: CELLexer.Token, offset: Int)]
    private var position = 0
    private var depth = 0

    private init(_ source: String) throws(CELCompileError) {
        self.source = source
        tokens = try CELLexer.tokens(of: source)
    }

    package static func parse(_ source: String) throws(CELCompileError) -> CELExpression {
        var parser = try CELParser(source)
        let expression = try parser.expression()
        guard parser.token == .end else { throw parser.unexpected() }
        return expression
    }

    private var token: CELLexer.Token { tokens[position].token }
    private var offset: Int { tokens[position].offset }

    private func isSymbol(_ symbol: String) -> Bool { token == .symbol(symbol) }

    private mutating func take(_ symbol: String) -> Bool {
        guard isSymbol(symbol) else { return false }
        position += 1
        return true
    }

    private mutating func expect(_ symbol: String) throws(CELCompileError) {
        if !take(symbol) { throw unexpected("expecting '\(symbol)'") }
    }

    private func unexpected(_ hint: String = "") -> CELCompileError {
        let found =
            switch token {
            case .end: "<EOF>"
            case .identifier(let name): name
            case .symbol(let symbol): symbol
            case .int(let value), .uint(let value): String(value)
            case .double(let value): String(value)
            case .string(let text): "'" + text + "'"
            case .bytes: "b''"
            }
        return fault("mismatched input '\(found)'" + (hint.isEmpty ? "" : " " + hint), offset)
    }

    private func fault(_ message: String, _ offset: Int) -> CELCompileError {
        CELCompileError("Syntax error: " + message, at: offset, in: source)
    }

    private mutating func expression() throws(CELCompileError) -> CELExpression {
        depth += 1
        defer { depth -= 1 }
        if depth > 250 { throw fault("expression recursion limit exceeded: 250", offset) }
        let condition = try disjunction()
        guard isSymbol("?") else { return condition }
        let start = offset
        position += 1
        let then = try disjunction()
        try expect(":")
        let otherwise = try expression()
        return CELExpression(kind: .conditional(condition, then, otherwise), offset: start)
    }

    private mutating func disjunction() throws(CELCompileError) -> CELExpression {
        var left = try conjunction()
        while isSymbol("||") {
            let start = offset
            position += 1
            left = CELExpression(kind: .or(left, try conjunction()), offset: start)
        }
        return left
    }

    private mutating func conjunction() throws(CELCompileError) -> CELExpression {
        var left = try relation()
        while isSymbol("&&") {
            let start = offset
            position += 1
            left = CELExpression(kind: .and(left, try relation()), offset: start)
        }
        return left
    }

    private mutating func relation() throws(CELCompileError) -> CELExpression {
        var left = try sum()
        while true {
            let operation: String
            switch token {
            case .symbol(let symbol) where ["<", "<=", ">", ">=", "==", "!="].contains(symbol): operation = "_\(symbol)_"
            case .identifier("in"): operation = "@in"
            default: return left
            }
            let start = offset
            position += 1
            left = CELExpression(kind: .call(operation, [left, try sum()]), offset: start)
        }
    }

    private mutating func sum() throws(CELCompileError) -> CELExpression {
        var left = try product()
        while isSymbol("+") || isSymbol("-") {
            let start = offset
            let operation = isSymbol("+") ? "_+_" : "_-_"
            position += 1
            left = CELExpression(kind: .call(operation, [left, try product()]), offset: start)
        }
        return left
    }

    private mutating func product() throws(CELCompileError) -> CELExpression {
        var left = try unary()
        while case .symbol(let symbol) = token, ["*", "/", "%"].contains(symbol) {
            let start = offset
            position += 1
            left = CELExpression(kind: .call("_\(symbol)_", [left, try unary()]), offset: start)
        }
        return left
    }

    private mutating func unary() throws(CELCompileError) -> CELExpression {
        let start = offset
        if isSymbol("!") {
            position += 1
            return CELExpression(kind: .call("!_", [try nested()]), offset: start)
        }
        guard isSymbol("-") else { return try member() }
        // A sign before a number is part of the number, because the smallest integer has no positive counterpart.
        if position + 1 < tokens.count {
            switch tokens[position + 1].token {
            case .int, .double: return try member()
            default: break
            }
        }
        position += 1
        return CELExpression(kind: .call("-_", [try nested()]), offset: start)
    }

    private mutating func nested() throws(CELCompileError) -> CELExpression {
        depth += 1
        defer { depth -= 1 }
        if depth > 250 { throw fault("expression recursion limit exceeded: 250", offset) }
        return try unary()
    }

    private mutating func member() throws(CELCompileError) -> CELExpression {
        var target = try primary()
        while true {
            let start = offset
            if take(".") {
                let optional = take("?")
                guard case .identifier(let name) = token else { throw unexpected("expecting IDENTIFIER") }
                let nameOffset = offset
                position += 1
                if !optional, isSymbol("(") {
                    // The position of a call is its parenthesis, as in cel-go.
                    let callOffset = offset
                    let arguments = try arguments()
                    target = try CELMacros.expand(target, name, arguments, at: callOffset, in: source)
                } else {
                    if Self.reserved.contains(name) { throw CELCompileError("reserved identifier: \(name)", at: nameOffset, in: source) }
                    target = CELExpression(kind: .select(target, field: name, optional: optional), offset: start)
                }
            } else if take("[") {
                let optional = take("?")
                let index = try expression()
                try expect("]")
                target = CELExpression(kind: .index(target, index, optional: optional), offset: start)
            } else {
                return target
            }
        }
    }

    private mutating func arguments() throws(CELCompileError) -> [CELExpression] {
        try expect("(")
        var found: [CELExpression] = []
        if take(")") { return found }
        repeat { found.append(try expression()) } while take(",")
        try expect(")")
        return found
    }

    private mutating func primary() throws(CELCompileError) -> CELExpression {
        let start = offset
        func literal(_ value: CELValue) -> CELExpression { CELExpression(kind: .literal(value), offset: start) }
        let negative = take("-")
        let current = token
        switch current {
        case .int(let magnitude):
            position += 1
            if negative, magnitude == UInt64(Int64.max) + 1 { return literal(.int(.min)) }
            guard let value = Int64(exactly: magnitude) else { throw fault("invalid int literal", start) }
            return literal(.int(negative ? -value : value))
        case .double(let value):
            position += 1
            return literal(.double(negative ? -value : value))
        case .uint(let value):
            position += 1
            return literal(.uint(value))
        case .string(let text):
            position += 1
            return literal(.string(text))
        case .bytes(let bytes):
            position += 1
            return literal(.bytes(bytes))
        case .identifier(let name):
            position += 1
            return try named(name, start)
        case .symbol("."):
            position += 1
            guard case .identifier(let name) = token else { throw unexpected("expecting IDENTIFIER") }
            position += 1
            return try named(name, start)
        case .symbol("("):
            position += 1
            let inner = try expression()
            try expect(")")
            return inner
        case .symbol("["): return try listLiteral(start)
        case .symbol("{"): return try mapLiteral(start)
        default:
            throw unexpected(
                "expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}")
        }
    }

    private mutating func named(_ name: String, _ start: Int) throws(CELCompileError) -> CELExpression {
        switch name {
        case "true": return CELExpression(kind: .literal(.bool(true)), offset: start)
        case "false": return CELExpression(kind: .literal(.bool(false)), offset: start)
        case "null": return CELExpression(kind: .literal(.null), offset: start)
        default: break
        }
        if Self.reserved.contains(name) { throw CELCompileError("reserved identifier: \(name)", at: start, in: source) }
        guard isSymbol("(") else { return CELExpression(kind: .identifier(name), offset: start) }
        let call = offset
        let given = try arguments()
        if name == "has" {
            guard given.count == 1, case .select(let operand, let field, false) = given[0].kind else {
                throw CELCompileError("invalid argument to has() macro", at: given.first?.offset ?? call, in: source)
            }
            return CELExpression(kind: .presence(operand, field: field), offset: call)
        }
        return CELExpression(kind: .call(name, given), offset: call)
    }

    private mutating func listLiteral(_ start: Int) throws(CELCompileError) -> CELExpression {
        position += 1
        var elements: [CELExpression.Element] = []
        while !isSymbol("]") {
            let optional = take("?")
            elements.append(.init(value: try expression(), optional: optional))
            if !take(",") { break }
        }
        try expect("]")
        return CELExpression(kind: .list(elements), offset: start)
    }

    private mutating func mapLiteral(_ start: Int) throws(CELCompileError) -> CELExpression {
        position += 1
        var entries: [CELExpression.Entry] = []
        while !isSymbol("}") {
            let optional = take("?")
            let key = try expression()
            try expect(":")
            entries.append(.init(key: key, value: try expression(), optional: optional))
            if !take(",") { break }
        }
        try expect("}")
        return CELExpression(kind: .map(entries), offset: start)
    }
}
