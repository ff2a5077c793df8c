/// A pull parser over UTF-8 bytes: the caller requests the values it expects and skips the others, so that parts of a large list can be read without
/// building a tree.
///
/// ```swift
/// var reader = JSONReader(bytes)
/// try reader.object { key, reader in
///     if key == "items" { try reader.array { reader in items.append(try reader.value()) } } else { try reader.skip() }
/// }
/// ```
public struct JSONReader {
    /// The limit prevents a deeply nested document from overflowing the stack of a recursive parser.
    public static let maximumDepth = 512

    final class Duplicates {
        var paths: [String] = []
    }

    private let bytes: [UInt8]
    private var at: Int
    private var depth = 0

    public init(_ bytes: [UInt8]) {
        self.bytes = bytes
        // A byte order mark is not JSON, but files made by editors begin with one.
        at = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
    }

    /// The offset of the next byte to be read.
    public var offset: Int { at }

    // MARK: Reading

    /// Calls `member` once for each key, in order; it must consume exactly one value.
    public mutating func object(
        _ member: (_ key: String, _ reader: inout JSONReader) throws(JSONSyntaxError) -> Void
    ) throws(JSONSyntaxError) {
        try open(UInt8(ascii: "{"), "an object")
        if close(UInt8(ascii: "}")) { return }
        repeat {
            try beginKey()
            let key = try quoted()
            try endKey()
            try member(key, &self)
        } while try more(UInt8(ascii: "}"))
    }

    /// Calls `item` once for each item; it must consume exactly one value.
    public mutating func array(
        _ item: (_ reader: inout JSONReader) throws(JSONSyntaxError) -> Void
    ) throws(JSONSyntaxError) {
        try open(UInt8(ascii: "["), "an array")
        if close(UInt8(ascii: "]")) { return }
        repeat { try item(&self) } while try more(UInt8(ascii: "]"))
    }

    /// The next value as a tree.
    public mutating func value() throws(JSONSyntaxError) -> JSONValue {
        try value(duplicates: nil, path: "")
    }

    /// Reads the next value and returns the parts that `projection` names as a tree.
    public mutating func value(keeping projection: JSONProjection) throws(JSONSyntaxError) -> JSONValue {
        guard case .only(let kept) = projection else { return try value() }
        skipSpace()
        switch peek {
        case UInt8(ascii: "{"):
            var members: [String: JSONValue] = [:]
            try object { key, reader throws(JSONSyntaxError) in
                guard let part = kept[key] else { return try reader.skip() }
                members[key] = try reader.value(keeping: part)
            }
            return .object(members)
        case UInt8(ascii: "["):
            var items: [JSONValue] = []
            try array { reader throws(JSONSyntaxError) in items.append(try reader.value(keeping: projection)) }
            return .array(items)
        default:
            return try value()
        }
    }

    /// Skips the next value. Throws the errors that `value` would throw.
    public mutating func skip() throws(JSONSyntaxError) {
        skipSpace()
        switch peek {
        case UInt8(ascii: "{"):
            try open(UInt8(ascii: "{"), "an object")
            if close(UInt8(ascii: "}")) { return }
            repeat {
                try beginKey()
                try skipQuoted()
                try endKey()
                try skip()
            } while try more(UInt8(ascii: "}"))
        case UInt8(ascii: "["): try array { reader throws(JSONSyntaxError) in try reader.skip() }
        case UInt8(ascii: "\""): try skipQuoted()
        default: _ = try scalar()
        }
    }

    /// Skips the next value and returns its bytes unchanged.
    public mutating func rawValue() throws(JSONSyntaxError) -> ArraySlice<UInt8> {
        skipSpace()
        let start = at
        try skip()
        return bytes[start..<at]
    }

    /// The next value, which must be a string.
    public mutating func string() throws(JSONSyntaxError) -> String {
        skipSpace()
        guard peek == UInt8(ascii: "\"") else { throw fail("expected a string") }
        return try quoted()
    }

    /// Throws unless only white space follows.
    public mutating func end() throws(JSONSyntaxError) {
        skipSpace()
        if at < bytes.count { throw fail("unexpected data after the document") }
    }

    // MARK: Trees

    mutating func document(duplicates: Duplicates?) throws(JSONSyntaxError) -> JSONValue {
        let result = try value(duplicates: duplicates, path: "")
        try end()
        return result
    }

    private mutating func value(duplicates: Duplicates?, path: String) throws(JSONSyntaxError) -> JSONValue {
        skipSpace()
        switch peek {
        case UInt8(ascii: "{"):
            var members: [String: JSONValue] = [:]
            try object { key, reader throws(JSONSyntaxError) in
                let below = duplicates == nil ? "" : (path.isEmpty ? key : path + "." + key)
                let child = try reader.value(duplicates: duplicates, path: below)
                if members.updateValue(child, forKey: key) != nil { duplicates?.paths.append(below) }
            }
            return .object(members)
        case UInt8(ascii: "["):
            var items: [JSONValue] = []
            try array { reader throws(JSONSyntaxError) in
                let below = duplicates == nil ? "" : "\(path)[\(items.count)]"
                items.append(try reader.value(duplicates: duplicates, path: below))
            }
            return .array(items)
        case UInt8(ascii: "\""):
            return .string(try quoted())
        default:
            return try scalar()
        }
    }

    private mutating func scalar() throws(JSONSyntaxError) -> JSONValue {
        skipSpace()
        switch peek {
        case nil: throw fail("unexpected end of JSON input")
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return try number()
        }
    }

    private mutating func word(_ text: StaticString, _ value: JSONValue) throws(JSONSyntaxError) -> JSONValue {
        let count = text.utf8CodeUnitCount
        let matches = text.withUTF8Buffer { wanted in
            at + count <= bytes.count && bytes[at..<(at + count)].elementsEqual(wanted)
        }
        guard matches else { throw fail("expected \(text)") }
        at += count
        return value
    }

    private mutating func number() throws(JSONSyntaxError) -> JSONValue {
        let start = at
        var whole = true
        if peek == UInt8(ascii: "-") { at += 1 }
        guard isDigit(peek) else { throw fail("expected a value") }
        if peek == UInt8(ascii: "0") { at += 1 } else { digits() }
        if peek == UInt8(ascii: ".") {
            whole = false
            at += 1
            guard isDigit(peek) else { throw fail("expected a digit after '.'") }
            digits()
        }
        if peek == UInt8(ascii: "e") || peek == UInt8(ascii: "E") {
            whole = false
            at += 1
            if peek == UInt8(ascii: "+") || peek == UInt8(ascii: "-") { at += 1 }
            guard isDigit(peek) else { throw fail("expected a digit in the exponent") }
            digits()
        }
        if whole, at - start <= Self.digitsOfInt64 { return .int(integer(bytes[start..<at])) }
        let text = String(decoding: bytes[start..<at], as: UTF8.self)
        if whole, let i = Int64(text) { return .int(i) }
        guard let d = Double(text), d.isFinite else {
            at = start
            throw fail("the number \(text) is too large")
        }
        return .double(d)
    }

    /// Any number of this many digits fits in an Int64.
    private static let digitsOfInt64 = 18

    private func integer(_ text: ArraySlice<UInt8>) -> Int64 {
        var magnitude: Int64 = 0
        for byte in text where byte != UInt8(ascii: "-") { magnitude = magnitude * 10 + Int64(byte - UInt8(ascii: "0")) }
        return text.first == UInt8(ascii: "-") ? -magnitude : magnitude
    }

    // MARK: Strings

    private mutating func beginKey() throws(JSONSyntaxError) {
        skipSpace()
        guard peek == UInt8(ascii: "\"") else { throw fail("expected a key in quotes") }
    }

    private mutating func endKey() throws(JSONSyntaxError) {
        skipSpace()
        guard peek == UInt8(ascii: ":") else { throw fail("expected ':' after a key") }
        at += 1
    }

    private mutating func quoted() throws(JSONSyntaxError) -> String {
        at += 1
        let start = at
        var isASCII = passPlain()
        let end = at
        guard var escaped = try closeOrEscape() else { return try text(bytes[start..<end], start, isASCII: isASCII) }
        var out = Array(bytes[start..<end])
        while true {
            out.append(contentsOf: escaped.utf8)
            let next = at
            isASCII = passPlain() && isASCII
            out.append(contentsOf: bytes[next..<at])
            guard let more = try closeOrEscape() else { return try text(out[...], start, isASCII: isASCII) }
            escaped = more
        }
    }

    private mutating func skipQuoted() throws(JSONSyntaxError) {
        at += 1
        let start = at
        var isASCII = true
        repeat { isASCII = passPlain() && isASCII } while try closeOrEscape() != nil
        // Escapes are ASCII, so they do not change whether the bytes around them are valid UTF-8.
        if !isASCII { _ = try text(bytes[start..<(at - 1)], start, isASCII: false) }
    }

    /// Skips the unescaped bytes of a string, up to a quote, an escape, a control character or the end of the input.
    /// - Returns: whether all of them are ASCII.
    private mutating func passPlain() -> Bool {
        var next = at
        var seen: UInt8 = 0
        while next < bytes.count {
            let byte = bytes[next]
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") || byte < 0x20 { break }
            seen |= byte
            next += 1
        }
        at = next
        return seen < 0x80
    }

    /// Reads the quote that ends a string and returns nil, or reads an escape and returns its character.
    private mutating func closeOrEscape() throws(JSONSyntaxError) -> Unicode.Scalar? {
        switch peek {
        case UInt8(ascii: "\""):
            at += 1
            return nil
        case UInt8(ascii: "\\"):
            at += 1
            return try escape()
        case nil: throw fail("unexpected end of JSON input")
        default: throw fail("a control character in a string must be escaped")
        }
    }

    private mutating func escape() throws(JSONSyntaxError) -> Unicode.Scalar {
        guard let byte = peek else { throw fail("unexpected end of JSON input") }
        at += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"):
            var code = try fourHexDigits()
            if (0xD800..<0xDC00).contains(code), at + 1 < bytes.count, bytes[at] == UInt8(ascii: "\\"),
                bytes[at + 1] == UInt8(ascii: "u")
            {
                let before = at
                at += 2
                let low = try fourHexDigits()
                if (0xDC00..<0xE000).contains(low) {
                    code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)
                } else {
                    at = before
                }
            }
            // A lone surrogate is not a character. It becomes U+FFFD, as in Go's decoder.
            return Unicode.Scalar(code) ?? "\u{FFFD}"
        default:
            at -= 1
            throw fail("unknown escape in a string")
        }
    }

    private mutating func fourHexDigits() throws(JSONSyntaxError) -> UInt32 {
        guard at + 4 <= bytes.count else { throw fail("unexpected end of JSON input") }
        var code: UInt32 = 0
        for _ in 0..<4 {
            let byte = bytes[at]
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
            default: throw fail("expected four hexadecimal digits after \\u")
            }
            code = code << 4 | UInt32(digit)
            at += 1
        }
        return code
    }

    /// - Parameter isASCII: whether all unescaped bytes are ASCII. Then the text needs no validation.
    private func text(_ utf8: ArraySlice<UInt8>, _ start: Int, isASCII: Bool) throws(JSONSyntaxError) -> String {
        if isASCII { return String(decoding: utf8, as: UTF8.self) }
        if let text = String(validating: utf8, as: UTF8.self) { return text }
        throw fail("invalid UTF-8 in a string", offset: start)
    }

    // MARK: Bytes

    private var peek: UInt8? { at < bytes.count ? bytes[at] : nil }

    private func isDigit(_ byte: UInt8?) -> Bool {
        byte.map { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ?? false
    }

    private mutating func digits() {
        while isDigit(peek) { at += 1 }
    }

    private mutating func skipSpace() {
        while at < bytes.count {
            switch bytes[at] {
            case 0x20, 0x09, 0x0A, 0x0D: at += 1
            default: return
            }
        }
    }

    private mutating func open(_ bracket: UInt8, _ what: String) throws(JSONSyntaxError) {
        skipSpace()
        guard peek == bracket else { throw fail("expected \(what)") }
        guard depth < Self.maximumDepth else { throw fail("nested deeper than \(Self.maximumDepth) levels") }
        depth += 1
        at += 1
    }

    private mutating func close(_ bracket: UInt8) -> Bool {
        skipSpace()
        guard peek == bracket else { return false }
        at += 1
        depth -= 1
        return true
    }

    private mutating func more(_ bracket: UInt8) throws(JSONSyntaxError) -> Bool {
        if close(bracket) { return false }
        guard peek == UInt8(ascii: ",") else {
            throw fail(at < bytes.count ? "expected ',' or the closing bracket" : "unexpected end of JSON input")
        }
        at += 1
        return true
    }

    private func fail(_ message: String, offset: Int? = nil) -> JSONSyntaxError {
        let offset = min(offset ?? at, bytes.count)
        let before = bytes[..<offset]
        let line = before.count(where: { $0 == 0x0A }) + 1
        let lineStart = before.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
        return JSONSyntaxError(message: message, offset: offset, line: line, column: offset - lineStart + 1)
    }
}
