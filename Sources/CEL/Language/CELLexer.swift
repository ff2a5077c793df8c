/// Splits the source of an expression into tokens.
struct CELLexer {
    enum Token: Equatable {
        case identifier(String)
        /// The magnitude; the parser handles the sign.
        case int(UInt64)
        case uint(UInt64)
        case double(Double)
        case string(String)
        case bytes([UInt8])
        case symbol(String)
        case end
    }

    private let source: String
    private let text: [Unicode.Scalar]
    private var position = 0

    init(_ source: String) {
        self.source = source
        text = Array(source.unicodeScalars)
    }

    static func tokens(of source: String) throws(CELCompileError) -> [(token: Token, offset: Int)] {
        var lexer = CELLexer(source)
        var tokens: [(Token, Int)] = []
        while true {
            lexer.skipBlanks()
            let offset = lexer.position
            let token = try lexer.next()
            tokens.append((token, offset))
            if token == .end { return tokens }
        }
    }

    private func peek(_ distance: Int = 0) -> Unicode.Scalar? {
        position + distance < text.count ? text[position + distance] : nil
    }

    private func fault(_ message: String, at offset: Int? = nil) -> CELCompileError {
        CELCompileError("Syntax error: " + message, at: offset ?? position, in: source)
    }

    private mutating func skipBlanks() {
        while let scalar = peek() {
            if scalar == "/", peek(1) == "/" {
                while let rest = peek(), rest != "\n" { position += 1 }
            } else if scalar == " " || scalar == "\t" || scalar == "\n" || scalar == "\r" || scalar == "\u{0C}" {
                position += 1
            } else {
                return
            }
        }
    }

    private mutating func next() throws(CELCompileError) -> Token {
        guard let scalar = peek() else { return .end }
        if Self.isDigit(scalar) || (scalar == "." && peek(1).map(Self.isDigit) ?? false) { return try number() }
        if let token = try quoted() { return token }
        if Self.isLetter(scalar) {
            let start = position
            while let part = peek(), Self.isLetter(part) || Self.isDigit(part) { position += 1 }
            return .identifier(Self.string(text[start..<position]))
        }
        for symbol in ["&&", "||", "==", "!=", "<=", ">="] {
            let pair = Array(symbol.unicodeScalars)
            if scalar == pair[0], peek(1) == pair[1] {
                position += 2
                return .symbol(symbol)
            }
        }
        guard "+-*/%<>!?:.,()[]{}".unicodeScalars.contains(scalar) else {
            throw fault("token recognition error at: '\(Character(scalar))'")
        }
        position += 1
        return .symbol(String(Character(scalar)))
    }

    private mutating func number() throws(CELCompileError) -> Token {
        let start = position
        if peek() == "0", peek(1) == "x" || peek(1) == "X" {
            position += 2
            while let digit = peek(), digit.properties.isASCIIHexDigit { position += 1 }
            guard let value = UInt64(Self.string(text[(start + 2)..<position]), radix: 16) else {
                throw fault("invalid int literal", at: start)
            }
            return suffixed(value)
        }
        while let digit = peek(), Self.isDigit(digit) { position += 1 }
        var real = false
        if peek() == ".", peek(1).map(Self.isDigit) ?? false {
            real = true
            position += 1
            while let digit = peek(), Self.isDigit(digit) { position += 1 }
        }
        if peek() == "e" || peek() == "E" {
            let sign = peek(1) == "+" || peek(1) == "-" ? 1 : 0
            if peek(1 + sign).map(Self.isDigit) ?? false {
                real = true
                position += 1 + sign
                while let digit = peek(), Self.isDigit(digit) { position += 1 }
            }
        }
        let digits = Self.string(text[start..<position])
        if real {
            guard let value = Double(digits.hasPrefix(".") ? "0" + digits : digits) else { throw fault("invalid double literal", at: start) }
            return .double(value)
        }
        guard let value = UInt64(digits) else { throw fault("invalid int literal", at: start) }
        return suffixed(value)
    }

    private mutating func suffixed(_ value: UInt64) -> Token {
        guard peek() == "u" || peek() == "U" else { return .int(value) }
        position += 1
        return .uint(value)
    }

    /// A string or bytes literal with its prefixes; nil when there is none at this position.
    private mutating func quoted() throws(CELCompileError) -> Token? {
        var raw = false
        var isBytes = false
        var ahead = 0
        while let scalar = peek(ahead), ahead < 2 {
            if scalar == "r" || scalar == "R", !raw { raw = true } else if scalar == "b" || scalar == "B", !isBytes { isBytes = true } else { break }
            ahead += 1
        }
        guard let quote = peek(ahead), quote == "\"" || quote == "'" else { return nil }
        let start = position
        position += ahead + 1
        let triple = peek() == quote && peek(1) == quote
        if triple { position += 2 }
        var scalars = String.UnicodeScalarView()
        var bytes: [UInt8] = []
        func put(_ scalar: Unicode.Scalar) {
            scalars.append(scalar)
            if isBytes { bytes += Array(String(Character(scalar)).utf8) }
        }
        while true {
            guard let scalar = peek(), triple || scalar != "\n" else { throw fault("unterminated string literal", at: start) }
            if scalar == quote, !triple || (peek(1) == quote && peek(2) == quote) {
                position += triple ? 3 : 1
                return isBytes ? .bytes(bytes) : .string(String(scalars))
            }
            position += 1
            guard scalar == "\\", !raw else {
                put(scalar)
                continue
            }
            let (value, isByte) = try escape()
            if isBytes, isByte {
                guard let byte = UInt8(exactly: value) else { throw fault("invalid escape sequence") }
                bytes.append(byte)
            } else {
                guard let result = Unicode.Scalar(value) else { throw fault("invalid escape sequence") }
                put(result)
            }
        }
    }

    private mutating func escape() throws(CELCompileError) -> (value: UInt32, isByte: Bool) {
        guard let scalar = peek() else { throw fault("unterminated string literal") }
        position += 1
        switch scalar {
        case "a": return (7, false)
        case "b": return (8, false)
        case "f": return (12, false)
        case "n": return (10, false)
        case "r": return (13, false)
        case "t": return (9, false)
        case "v": return (11, false)
        case "\\", "'", "\"", "?", "`": return (scalar.value, false)
        case "x", "X": return (try digits(2, radix: 16), true)
        case "u": return (try digits(4, radix: 16), false)
        case "U": return (try digits(8, radix: 16), false)
        case "0"..."3":
            position -= 1
            return (try digits(3, radix: 8), true)
        default: throw fault("invalid escape sequence", at: position - 2)
        }
    }

    private mutating func digits(_ count: Int, radix: Int) throws(CELCompileError) -> UInt32 {
        guard position + count <= text.count, let value = UInt32(Self.string(text[position..<position + count]), radix: radix) else {
            throw fault("invalid escape sequence")
        }
        position += count
        return value
    }

    private static func string(_ scalars: ArraySlice<Unicode.Scalar>) -> String {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars)
        return String(view)
    }

    private static func isDigit(_ scalar: Unicode.Scalar) -> Bool { ("0"..."9").contains(scalar) }
    private static func isLetter(_ scalar: Unicode.Scalar) -> Bool {
        ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar) || scalar == "_"
    }
}
