extension TOMLParser {
    /// `"..."` on one line.
    mutating func basicString() throws(TOMLError) -> String {
        let start = cursor.offset
        cursor.advance()
        var bytes: [UInt8] = []
        while let byte = cursor.peek {
            switch byte {
            case UInt8(ascii: "\""):
                cursor.advance()
                return String(decoding: bytes, as: UTF8.self)
            case UInt8(ascii: "\\"): try escape(into: &bytes)
            case UInt8(ascii: "\n"), UInt8(ascii: "\r"): throw cursor.error("the string is not closed on its line", at: start)
            case _ where Self.isControl(byte): throw cursor.error("a control character in a string: escape it")
            default:
                bytes.append(byte)
                cursor.advance()
            }
        }
        throw cursor.error("the string is not closed", at: start)
    }

    /// `'...'` on one line, without escapes.
    mutating func literalString() throws(TOMLError) -> String {
        let start = cursor.offset
        cursor.advance()
        let first = cursor.offset
        while let byte = cursor.peek {
            if byte == UInt8(ascii: "'") {
                let text = cursor.text(from: first)
                cursor.advance()
                return text
            }
            if byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") {
                throw cursor.error("the string is not closed on its line", at: start)
            }
            if Self.isControl(byte) { throw cursor.error("a control character in a string") }
            cursor.advance()
        }
        throw cursor.error("the string is not closed", at: start)
    }

    mutating func multilineBasicString() throws(TOMLError) -> String {
        let start = cursor.offset
        cursor.advance(3)
        _ = try newline()
        var bytes: [UInt8] = []
        while let byte = cursor.peek {
            switch byte {
            case UInt8(ascii: "\""):
                if try closes(UInt8(ascii: "\""), into: &bytes) { return String(decoding: bytes, as: UTF8.self) }
            case UInt8(ascii: "\\"):
                if try !lineContinuation() { try escape(into: &bytes) }
            default: try multilineByte(byte, into: &bytes)
            }
        }
        throw cursor.error("the string is not closed", at: start)
    }

    mutating func multilineLiteralString() throws(TOMLError) -> String {
        let start = cursor.offset
        cursor.advance(3)
        _ = try newline()
        var bytes: [UInt8] = []
        while let byte = cursor.peek {
            if byte == UInt8(ascii: "'") {
                if try closes(byte, into: &bytes) { return String(decoding: bytes, as: UTF8.self) }
            } else {
                try multilineByte(byte, into: &bytes)
            }
        }
        throw cursor.error("the string is not closed", at: start)
    }

    /// Copies one byte. Every line end becomes a line feed.
    private mutating func multilineByte(_ byte: UInt8, into bytes: inout [UInt8]) throws(TOMLError) {
        if try newline() {
            bytes.append(UInt8(ascii: "\n"))
        } else if Self.isControl(byte) {
            throw cursor.error("a control character in a string")
        } else {
            bytes.append(byte)
            cursor.advance()
        }
    }

    /// Reads a run of quotes: three close the string, and up to two before them belong to it.
    private mutating func closes(_ quote: UInt8, into bytes: inout [UInt8]) throws(TOMLError) -> Bool {
        let start = cursor.offset
        var count = 0
        while count < 6, cursor.take(quote) { count += 1 }
        guard count < 6 else { throw cursor.error("too many quotes", at: start) }
        let isEnd = count >= 3
        bytes.append(contentsOf: repeatElement(quote, count: isEnd ? count - 3 : count))
        return isEnd
    }

    /// A backslash at the end of a line skips all whitespace and line ends up to the next character.
    private mutating func lineContinuation() throws(TOMLError) -> Bool {
        var ahead = 1
        while cursor.peek(ahead) == 0x20 || cursor.peek(ahead) == 0x09 { ahead += 1 }
        let next = cursor.peek(ahead)
        guard next == UInt8(ascii: "\n") || next == UInt8(ascii: "\r") else { return false }
        cursor.advance(ahead)
        repeat { cursor.skipBlanks() } while try newline()
        return true
    }

    private mutating func escape(into bytes: inout [UInt8]) throws(TOMLError) {
        let start = cursor.offset
        cursor.advance()
        let kind = cursor.peek
        cursor.advance()
        switch kind {
        case UInt8(ascii: "b"): bytes.append(0x08)
        case UInt8(ascii: "t"): bytes.append(0x09)
        case UInt8(ascii: "n"): bytes.append(0x0A)
        case UInt8(ascii: "f"): bytes.append(0x0C)
        case UInt8(ascii: "r"): bytes.append(0x0D)
        case UInt8(ascii: "\""): bytes.append(UInt8(ascii: "\""))
        case UInt8(ascii: "\\"): bytes.append(UInt8(ascii: "\\"))
        case UInt8(ascii: "u"): try unicode(digits: 4, from: start, into: &bytes)
        case UInt8(ascii: "U"): try unicode(digits: 8, from: start, into: &bytes)
        default: throw cursor.error("an unknown escape: expected b, t, n, f, r, \", \\, u or U after \\", at: start)
        }
    }

    private mutating func unicode(digits: Int, from start: Int, into bytes: inout [UInt8]) throws(TOMLError) {
        var number: UInt32 = 0
        for _ in 0..<digits {
            guard let byte = cursor.peek, let digit = Character(UnicodeScalar(byte)).hexDigitValue else {
                throw cursor.error("expected \(digits) hexadecimal digits", at: start)
            }
            number = number << 4 | UInt32(digit)
            cursor.advance()
        }
        guard let scalar = Unicode.Scalar(number) else { throw cursor.error("there is no Unicode character with this number", at: start) }
        bytes.append(contentsOf: String(Character(scalar)).utf8)
    }
}
