/// Why a text is not JSON, and where.
public struct JSONSyntaxError: Error, Sendable, Equatable, CustomStringConvertible {
    public let message: String
    /// Bytes from the start.
    public let offset: Int
    /// Both from 1; the column counts bytes.
    public let line: Int
    public let column: Int

    public var description: String { "\(message) at line \(line), column \(column)" }
}

/// A pull parser over UTF-8 bytes: the caller asks for what it expects and skips the rest, so that a large list can be
/// projected without building a tree.
///
/// ```swift
/// var reader = JSONReader(bytes)
/// try reader.object { key, reader in
///     if key == "items" { try reader.array { reader in items.append(try reader.value()) } } else { try reader.skip() }
/// }
/// ```
public struct JSONReader {
    /// Deeper documents are refused: a parser that recurses must say where it stops.
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

    // MARK: What callers ask for

    /// Calls `member` once for each key, in order; it must consume exactly one value.
    public mutating func object(
        _ member: (_ key: String, _ reader: inout JSONReader) throws(JSONSyntaxError) -> Void
    ) throws(JSONSyntaxError) {
        try open(UInt8(ascii: "{"), "an object")
        if close(UInt8(ascii: "}")) { return }
        while true {
            skipSpace()
            guard peek == UInt8(ascii: "\"") else { throw fail("expected a key in quotes") }
            let key = try string()
            skipSpace()
            guard peek == UInt8(ascii: ":") else { throw fail("expected ':' after a key") }
            at += 1
            try member(key, &self)
            if try more(UInt8(ascii: "}")) == false { return }
        }
    }

    /// Calls `item` once for each item; it must consume exactly one value.
    public mutating func array(
        _ item: (_ reader: inout JSONReader) throws(JSONSyntaxError) -> Void
    ) throws(JSONSyntaxError) {
        try open(UInt8(ascii: "["), "an array")
        if close(UInt8(ascii: "]")) { return }
        while true {
            try item(&self)
            if try more(UInt8(ascii: "]")) == false { return }
        }
    }

    /// The next value as a tree.
    public mutating func value() throws(JSONSyntaxError) -> JSONValue {
        try value(duplicates: nil, path: "")
    }

    /// Passes over the next value, checking only its structure.
    public mutating func skip() throws(JSONSyntaxError) {
        skipSpace()
        switch peek {
        case UInt8(ascii: "{"): try object { _, reader throws(JSONSyntaxError) in try reader.skip() }
        case UInt8(ascii: "["): try array { reader throws(JSONSyntaxError) in try reader.skip() }
        case UInt8(ascii: "\""): try skipString()
        default: _ = try scalar()
        }
    }

    /// The bytes of the next value, as they stand, passing over it.
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
        let text = String(decoding: bytes[start..<at], as: UTF8.self)
        if whole, let i = Int64(text) { return .int(i) }
        guard let d = Double(text), d.isFinite else {
            at = start
            throw fail("the number \(text) is too large")
        }
        return .double(d)
    }

    // MARK: Strings

    private mutating func skipString() throws(JSONSyntaxError) {
        at += 1
        while let byte = peek {
            at += 1
            if byte == UInt8(ascii: "\"") { return }
            if byte == UInt8(ascii: "\\") { at += 1 }
        }
        throw fail("unexpected end of JSON input")
    }

    private mutating func quoted() throws(JSONSyntaxError) -> String {
        at += 1
        let start = at
        while at < bytes.count {
            let byte = bytes[at]
            if byte == UInt8(ascii: "\"") {
                let text = try utf8(bytes[start..<at], start)
                at += 1
                return text
            }
            if byte == UInt8(ascii: "\\") { return try quotedWithEscapes(start) }
            if byte < 0x20 { throw fail("a control character in a string must be escaped") }
            at += 1
        }
        throw fail("unexpected end of JSON input")
    }

    private mutating func quotedWithEscapes(_ start: Int) throws(JSONSyntaxError) -> String {
        var out = Array(bytes[start..<at])
        while at < bytes.count {
            let byte = bytes[at]
            switch byte {
            case UInt8(ascii: "\""):
                let text = try utf8(out[...], start)
                at += 1
                return text
            case UInt8(ascii: "\\"):
                at += 1
                try escape(into: &out)
            case 0..<0x20:
                throw fail("a control character in a string must be escaped")
            default:
                out.append(byte)
                at += 1
            }
        }
        throw fail("unexpected end of JSON input")
    }

    private mutating func escape(into out: inout [UInt8]) throws(JSONSyntaxError) {
        guard let byte = peek else { throw fail("unexpected end of JSON input") }
        at += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): out.append(byte)
        case UInt8(ascii: "b"): out.append(0x08)
        case UInt8(ascii: "f"): out.append(0x0C)
        case UInt8(ascii: "n"): out.append(0x0A)
        case UInt8(ascii: "r"): out.append(0x0D)
        case UInt8(ascii: "t"): out.append(0x09)
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
            // A lone surrogate is no character; U+FFFD stands for it, as in Go's decoder.
            let scalar = Unicode.Scalar(code) ?? "\u{FFFD}"
            out.append(contentsOf: Array(String(Character(scalar)).utf8))
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

    private func utf8(_ slice: ArraySlice<UInt8>, _ start: Int) throws(JSONSyntaxError) -> String {
        if let text = String(validating: slice, as: UTF8.self) { return text }
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
