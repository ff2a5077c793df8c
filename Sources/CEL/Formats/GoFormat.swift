import Base

/// Prints values as Go's `fmt` does, because the server's messages are compared word for word.
package enum GoFormat {
    /// `%q`: a double-quoted Go string literal.
    package static func quoted(_ text: String) -> String {
        var out = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\u{07}": out += "\\a"
            case "\u{08}": out += "\\b"
            case "\u{0C}": out += "\\f"
            case "\n": out += "\\n"
            case "\r": out += "\\r"
            case "\t": out += "\\t"
            case "\u{0B}": out += "\\v"
            default:
                if isPrintable(scalar) {
                    out.unicodeScalars.append(scalar)
                } else if scalar.value < 0x80 {
                    out += "\\x" + hex(scalar.value, width: 2)
                } else if scalar.value <= 0xFFFF {
                    out += "\\u" + hex(scalar.value, width: 4)
                } else {
                    out += "\\U" + hex(scalar.value, width: 8)
                }
            }
        }
        return out + "\""
    }

    /// `%v`.
    package static func value(_ value: JSONValue) -> String {
        switch value {
        case .null: "<nil>"
        case .bool(let flag): flag ? "true" : "false"
        case .int(let number): String(number)
        case .double(let number): double(number)
        case .string(let text): text
        case .array(let items): "[" + items.map { Self.value($0) }.joined(separator: " ") + "]"
        case .object(let members):
            "map[" + members.sorted { $0.key < $1.key }.map { "\($0.key):\(Self.value($0.value))" }.joined(separator: " ") + "]"
        }
    }

    /// `%#v`.
    package static func syntax(_ value: JSONValue) -> String {
        switch value {
        case .null: "interface {}(nil)"
        case .bool, .int, .double: Self.value(value)
        case .string(let text): quoted(text)
        case .array(let items): "[]interface {}{" + items.map { syntax($0) }.joined(separator: ", ") + "}"
        case .object(let members):
            "map[string]interface {}{"
                + members.sorted { $0.key < $1.key }.map { "\(quoted($0.key)):\(syntax($0.value))" }.joined(separator: ", ") + "}"
        }
    }

    /// `%v` of a float64: the shortest form that parses to the same value, with an exponent outside 1e-4 ..< 1e21.
    package static func double(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        if value == 0 { return value.sign == .minus ? "-0" : "0" }
        let (negative, digits, point) = decimal(value)
        let sign = negative ? "-" : ""
        let exponent = point - 1
        if exponent < -4 || exponent >= 21 {
            var mantissa = String(digits.prefix(1))
            if digits.count > 1 { mantissa += "." + digits.dropFirst() }
            let magnitude = abs(exponent)
            return sign + mantissa + "e" + (exponent < 0 ? "-" : "+") + (magnitude < 10 ? "0" : "") + String(magnitude)
        }
        return sign + plain(digits, point)
    }

    /// A bad value as `field.Error` prints it: scalars unquoted, strings quoted, other values as Go's JSON (which escapes `<`,
    /// `>`, `&`).
    package static func errorValue(_ value: JSONValue) -> String {
        switch value {
        case .int(let number): return String(number)
        case .double(let number): return double(number)
        case .bool(let flag): return flag ? "true" : "false"
        case .string(let text): return quoted(text)
        case .null: return "null"
        case .array, .object:
            var out = ""
            for scalar in value.text.unicodeScalars {
                switch scalar {
                case "<": out += "\\u003c"
                case ">": out += "\\u003e"
                case "&": out += "\\u0026"
                default: out.unicodeScalars.append(scalar)
                }
            }
            return out
        }
    }

    /// The digits of the shortest decimal form and the position of its point: 0.0125 is ("125", -1).
    static func decimal(_ value: Double) -> (negative: Bool, digits: String, point: Int) {
        // Like Go, Swift's description uses the shortest digits that parse to the same value; only the notation differs.
        var text = Substring(abs(value).description)
        var exponent = 0
        if let mark = text.firstIndex(of: "e") {
            exponent = Int(text[text.index(after: mark)...]) ?? 0
            text = text[..<mark]
        }
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        let whole = parts.first.map(String.init) ?? ""
        var fraction = parts.count > 1 ? String(parts[1]) : ""
        if fraction == "0" { fraction = "" }
        var digits = whole + fraction
        var point = whole.count + exponent
        while digits.count > 1, digits.hasPrefix("0") {
            digits.removeFirst()
            point -= 1
        }
        while digits.count > 1, digits.hasSuffix("0") { digits.removeLast() }
        return (value.sign == .minus, digits, point)
    }

    private static func plain(_ digits: String, _ point: Int) -> String {
        if point <= 0 { return "0." + String(repeating: "0", count: -point) + digits }
        if digits.count <= point { return digits + String(repeating: "0", count: point - digits.count) }
        return digits.prefix(point) + "." + digits.dropFirst(point)
    }

    private static func hex(_ value: UInt32, width: Int) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: max(0, width - text.count)) + text
    }

    private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.value < 0x80 { return scalar.value >= 0x20 && scalar.value != 0x7F }
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator, .spaceSeparator: return false
        default: return true
        }
    }
}
