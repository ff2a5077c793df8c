extension TOMLParser {
    /// Any value.
    ///
    /// - Parameter depth: the nesting depth of the value.
    mutating func value(depth: Int) throws(TOMLError) -> TOMLValue {
        switch cursor.peek {
        case UInt8(ascii: "\""):
            return .string(cursor.starts(with: "\"\"\"") ? try multilineBasicString() : try basicString())
        case UInt8(ascii: "'"):
            return .string(cursor.starts(with: "'''") ? try multilineLiteralString() : try literalString())
        case UInt8(ascii: "["): return .array(try array(depth: depth + 1))
        case UInt8(ascii: "{"): return .table(try inlineTable(depth: depth).finished())
        case nil, UInt8(ascii: "\n"), UInt8(ascii: "\r"), UInt8(ascii: "#"): throw cursor.error("expected a value")
        default: return try bareValue()
        }
    }

    private mutating func array(depth: Int) throws(TOMLError) -> [TOMLNode] {
        try checkDepth(depth, at: cursor.position)
        cursor.advance()
        var elements: [TOMLNode] = []
        while true {
            try skipBlanksAndLines()
            if cursor.take(UInt8(ascii: "]")) { return elements }
            let position = cursor.position
            elements.append(TOMLNode(try value(depth: depth), at: position))
            try skipBlanksAndLines()
            if cursor.take(UInt8(ascii: "]")) { return elements }
            guard cursor.take(UInt8(ascii: ",")) else { throw cursor.error("expected , or ] in the array") }
        }
    }

    private mutating func skipBlanksAndLines() throws(TOMLError) {
        repeat {
            cursor.skipBlanks()
            try comment()
        } while try newline()
    }

    /// `{a = 1, b.c = 2}`: on one line; TOML 1.0 allows no trailing comma.
    mutating func inlineTable(depth: Int) throws(TOMLError) -> TOMLBuilder {
        let table = TOMLBuilder(.inline, at: cursor.position)
        cursor.advance()
        cursor.skipBlanks()
        if cursor.take(UInt8(ascii: "}")) { return table }
        while true {
            try keyValue(in: table, depth: depth)
            cursor.skipBlanks()
            if cursor.take(UInt8(ascii: "}")) { return table }
            guard cursor.take(UInt8(ascii: ",")) else { throw cursor.error("expected , or } in the inline table") }
            cursor.skipBlanks()
        }
    }

    /// A boolean, a number, or a date or time: whatever is written without quotes or brackets.
    private mutating func bareValue() throws(TOMLError) -> TOMLValue {
        let start = cursor.offset
        takeWord()
        // A date and a time may have a space between them.
        if cursor.offset - start == 10, cursor.peek == 0x20, isDigit(cursor.peek(1)), isDigit(cursor.peek(2)),
            cursor.peek(3) == UInt8(ascii: ":"), TOMLScalars.looksLikeDate(cursor.bytes(from: start))
        {
            cursor.advance()
            takeWord()
        }
        let word = Array(cursor.bytes(from: start))
        do throws(TOMLScalars.Problem) {
            return try TOMLScalars.value(word)
        } catch {
            throw cursor.error(error.message, at: start)
        }
    }

    private mutating func takeWord() {
        while let byte = cursor.peek {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "_"), UInt8(ascii: "+"), UInt8(ascii: "-"),
                UInt8(ascii: "."), UInt8(ascii: ":"):
                cursor.advance()
            default: return
            }
        }
    }

    private func isDigit(_ byte: UInt8?) -> Bool { byte.map { (0x30...0x39).contains($0) } ?? false }
}
