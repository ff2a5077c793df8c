/// Writes a string so that every YAML reader reads the same string.
enum YAMLText {
    /// Whether the string can be written without quotes.
    static func isPlainSafe(_ string: String) -> Bool {
        guard let first = string.utf8.first, let last = string.utf8.last, string.utf8.count <= 512 else { return false }
        guard YAMLScalar.kind(of: string) == .string, !isSpecialInYAML11(string) else { return false }
        guard isLetterOrDigit(first) || "/_.$(<".utf8.contains(first) || first >= 0x80 else { return false }
        guard last != UInt8(ascii: " "), last != UInt8(ascii: ":") else { return false }
        var previous: UInt8 = 0
        for byte in string.utf8 {
            if previous == UInt8(ascii: ":"), byte == UInt8(ascii: " ") { return false }
            if previous == UInt8(ascii: " "), byte == UInt8(ascii: "#") { return false }
            previous = byte
        }
        return string.unicodeScalars.allSatisfy { isPrintable($0) && $0 != "\t" && $0 != "\n" }
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        default: false
        }
    }

    /// Whether a YAML 1.1 reader would read the unquoted string as a boolean, a number, a time or a merge.
    private static func isSpecialInYAML11(_ string: String) -> Bool {
        switch string.lowercased() {
        case "y", "n", "yes", "no", "on", "off", "true", "false", "null", "<<": return true
        default: break
        }
        // At the start of a line this ends the document.
        if string.hasPrefix("...") { return true }
        // Dates, sexagesimal numbers (1:30), 0b1010, 0o17, 1_000, 0x1F, .5_0: they begin like a number and have only
        // characters of numbers and times.
        guard let first = string.utf8.first, (0x30...0x39).contains(first) || first == UInt8(ascii: ".") else { return false }
        return string.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || "abcdefABCDEFxXoOtTzZ_:.+- ".utf8.contains(byte)
        }
    }

    /// Whether the character may be written unescaped. Stricter than the standard: separators that some readers treat
    /// as line ends, and invisible marks, are escaped.
    private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x09, 0x0A, 0x20...0x7E: true
        case 0xA0...0xD7FF: scalar.value != 0x2028 && scalar.value != 0x2029
        case 0xE000...0xFFFD: scalar.value != 0xFEFF && !(0xFDD0...0xFDEF).contains(scalar.value)
        case 0x10000...0x10FFFF: scalar.value & 0xFFFE != 0xFFFE
        default: false
        }
    }

    /// Between double quotes, on one line.
    static func quoted(_ string: String) -> String {
        var result = "\""
        for scalar in string.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\t": result += "\\t"
            case "\r": result += "\\r"
            case _ where isPrintable(scalar): result.unicodeScalars.append(scalar)
            case _ where scalar.value <= 0xFF: result += "\\x" + hex(scalar.value, digits: 2)
            case _ where scalar.value <= 0xFFFF: result += "\\u" + hex(scalar.value, digits: 4)
            default: result += "\\U" + hex(scalar.value, digits: 8)
            }
        }
        return result + "\""
    }

    private static func hex(_ value: UInt32, digits: Int) -> String {
        let text = String(value, radix: 16, uppercase: true)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }

    /// The string as a literal block (`|`); nil when it has one line, or would not read back the same.
    static func literalBlock(_ string: String, indent: String) -> String? {
        var lines = string.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        guard lines.count > 1, lines.contains(where: { !$0.isEmpty }), string.unicodeScalars.allSatisfy(isPrintable)
        else { return nil }
        // YAML readers disagree about lines of only blanks and lines that begin with a tab.
        let isRisky: (String) -> Bool = { line in
            line.utf8.first == UInt8(ascii: "\t") || (!line.isEmpty && line.utf8.allSatisfy { $0 == 0x20 || $0 == 0x09 })
        }
        guard !lines.contains(where: isRisky), lines[0].utf8.first != UInt8(ascii: " "), !lines[0].isEmpty else { return nil }
        let trailing = lines.reversed().prefix { $0.isEmpty }.count
        lines.removeLast(min(trailing, 1))
        let chomping = trailing == 0 ? "-" : trailing == 1 ? "" : "+"
        return "|\(chomping)\n" + lines.map { $0.isEmpty ? "" : indent + $0 }.joined(separator: "\n")
    }
}
