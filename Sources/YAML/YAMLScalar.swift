import Base

/// Resolves scalars by the YAML 1.2 core schema.
enum YAMLScalar {
    static let tagPrefix = "tag:yaml.org,2002:"

    /// The type of a plain scalar.
    enum Kind: Equatable {
        case null
        case bool(Bool)
        case integer
        case float
        /// `.inf`, `.nan` and their spellings.
        case notFinite
        case string
    }

    /// - Throws: `YAMLError` when the tag is not supported or does not fit the text, or JSON cannot hold the value.
    static func resolve(_ text: String, tag: String?, isPlain: Bool, at mark: YAMLMark) throws(YAMLError) -> JSONValue {
        guard let tag else {
            return isPlain ? try value(text, kind(of: text), at: mark) : .string(text)
        }
        if tag == "!" { return .string(text) }
        guard tag.hasPrefix(tagPrefix) else { throw mark.error("tag \(tag) is not supported") }
        let kind = kind(of: text)
        switch (tag.dropFirst(tagPrefix.count), kind) {
        case ("str", _), ("timestamp", _): return .string(text)
        case ("null", .null), ("bool", .bool), ("int", .integer), ("float", .float), ("float", .notFinite):
            return try value(text, kind, at: mark)
        case ("float", .integer):
            if case .int(let number) = try value(text, kind, at: mark) { return .double(Double(number)) }
            return try value(text, kind, at: mark)
        case ("null", _), ("bool", _), ("int", _), ("float", _):
            throw mark.error("\"\(text)\" is not of the type that its tag !!\(tag.dropFirst(tagPrefix.count)) says")
        default:
            throw mark.error("tag !!\(tag.dropFirst(tagPrefix.count)) is not supported")
        }
    }

    private static func value(_ text: String, _ kind: Kind, at mark: YAMLMark) throws(YAMLError) -> JSONValue {
        switch kind {
        case .null: return .null
        case .bool(let flag): return .bool(flag)
        case .string: return .string(text)
        case .notFinite: throw mark.error("JSON cannot hold \(text): quote it if it is meant as text")
        case .integer: return try integer(text, at: mark)
        case .float:
            guard let number = Double(text), number.isFinite else { throw mark.error("\(text) is too large a number") }
            return .double(number)
        }
    }

    private static func integer(_ text: String, at mark: YAMLMark) throws(YAMLError) -> JSONValue {
        let radix = text.hasPrefix("0x") ? 16 : text.hasPrefix("0o") ? 8 : 10
        let digits = radix == 10 ? Substring(text) : text.dropFirst(2)
        if let number = Int64(digits, radix: radix) { return .int(number) }
        // JSON readers also turn integers beyond 64 bits into doubles.
        let number = digits.utf8.reduce(into: 0.0) { sum, byte in
            if let digit = Character(UnicodeScalar(byte)).hexDigitValue { sum = sum * Double(radix) + Double(digit) }
        }
        let exact = radix == 10 ? Double(text) : number
        guard let exact, exact.isFinite else { throw mark.error("\(text.prefix(40)) is too large a number") }
        return .double(exact)
    }

    /// The kind of a plain scalar, by the regular expressions of the core schema.
    static func kind(of text: String) -> Kind {
        switch text {
        case "", "~", "null", "Null", "NULL": return .null
        case "true", "True", "TRUE": return .bool(true)
        case "false", "False", "FALSE": return .bool(false)
        case ".nan", ".NaN", ".NAN", ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF":
            return .notFinite
        default: return number(text)
        }
    }

    private static func number(_ text: String) -> Kind {
        let bytes = Array(text.utf8)
        let isDigit: (UInt8) -> Bool = { (0x30...0x39).contains($0) }
        if bytes.count > 2, bytes[0] == UInt8(ascii: "0") {
            let digits = bytes.dropFirst(2)
            if bytes[1] == UInt8(ascii: "o"), digits.allSatisfy({ (0x30...0x37).contains($0) }) { return .integer }
            if bytes[1] == UInt8(ascii: "x"), digits.allSatisfy({ Character(UnicodeScalar($0)).isHexDigit }) { return .integer }
        }
        var rest = bytes[...]
        if rest.first == UInt8(ascii: "-") || rest.first == UInt8(ascii: "+") { rest = rest.dropFirst() }
        let whole = rest.prefix(while: isDigit).count
        rest = rest.dropFirst(whole)
        if rest.isEmpty { return whole > 0 ? .integer : .string }
        var fraction = 0
        if rest.first == UInt8(ascii: ".") {
            rest = rest.dropFirst()
            fraction = rest.prefix(while: isDigit).count
            rest = rest.dropFirst(fraction)
        }
        guard whole + fraction > 0 else { return .string }
        if rest.first == UInt8(ascii: "e") || rest.first == UInt8(ascii: "E") {
            rest = rest.dropFirst()
            if rest.first == UInt8(ascii: "-") || rest.first == UInt8(ascii: "+") { rest = rest.dropFirst() }
            let exponent = rest.prefix(while: isDigit).count
            guard exponent > 0 else { return .string }
            rest = rest.dropFirst(exponent)
        }
        return rest.isEmpty ? .float : .string
    }
}
