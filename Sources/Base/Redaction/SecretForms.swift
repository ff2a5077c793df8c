/// The forms in which a secret's value is searched for.
///
/// All of them are exact: the value, or a piece of it that is itself long enough for a secret, in another notation.
/// Percent-encoding and the backslashes of JSON need no form here: `EscapeDecoder` decodes them in the text.
enum SecretForms {
    /// Longer values are searched for only as they are: their encoded forms would need more memory than a collector has.
    static let longestEncoded = 16 << 10
    /// Lines of a secret that have at least this length and no white space are searched for separately, because programs print
    /// the lines of a key indented, numbered or one by one.
    static let shortestLine = 32

    /// The value without white space at its ends: a Secret made from a file often ends with a newline, which programs remove
    /// before they use or print the value.
    static func trimmed(_ value: [UInt8]) -> [UInt8] {
        guard let first = value.firstIndex(where: { !isBlank($0) }), let last = value.lastIndex(where: { !isBlank($0) })
        else { return [] }
        return Array(value[first...last])
    }

    /// The forms searched for both in the text and in the text without its escapes.
    static func plain(_ value: [UInt8]) -> [[UInt8]] {
        let core = trimmed(value)
        var forms = [value, core]
        guard core.count <= longestEncoded else { return kept(forms) }
        let lines = core.split(whereSeparator: { $0 == 0x0A || $0 == 0x0D }).map(Array.init)
        if lines.count > 1 {
            // Lines ended by CR LF, as in terminal output and in files captured from it.
            forms.append(joined(core.split(separator: 0x0A, omittingEmptySubsequences: false).map { trimmedEnd(Array($0)) }, [0x0D, 0x0A]))
            forms.append(core.filter { $0 != 0x0D })
            // Words separated by single blanks: the result of an unquoted variable in a shell.
            forms.append(joined(core.split(whereSeparator: isBlank).map(Array.init), [0x20]))
            forms += lines.map(trimmed).filter { $0.count >= shortestLine && !$0.contains(where: isBlank) }
        }
        // HTML forms encode a blank as `+`.
        forms += forms.filter { $0.contains(0x20) }.map { $0.map { $0 == 0x20 ? UInt8(ascii: "+") : $0 } }
        // JSON inside JSON has its escapes escaped again; the decoder removes only one layer of them.
        forms += forms.flatMap { form in JSONStyle.all.map { escapedAsJSON(form, $0) } }
        return kept(forms)
    }

    /// The base64 letters of a value depend on where it begins in a group of three bytes. For each of the three cases: the
    /// letters that the value alone determines, and also those with the last letter and its padding, for a value at the end.
    static func base64(_ value: [UInt8]) -> [[UInt8]] {
        let core = trimmed(value)
        guard core.count >= Redactor.minimumLength, core.count <= longestEncoded else { return [] }
        var forms: [[UInt8]] = []
        for before in 0..<3 {
            let letters = Base64.encodeBytes([UInt8](repeating: 0, count: before) + core)
            let decided = (before + core.count) * 8 / 6
            let first = before == 0 ? 0 : before + 1
            forms.append(Array(letters[first..<decided]))
            if decided < letters.count {
                for end in (decided + 1)...letters.count { forms.append(Array(letters[first..<end])) }
            }
        }
        return forms
    }

    private static func kept(_ forms: [[UInt8]]) -> [[UInt8]] {
        var seen: Set<[UInt8]> = []
        return forms.filter { $0.count >= Redactor.minimumLength && seen.insert($0).inserted }
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

    private static func trimmedEnd(_ line: [UInt8]) -> [UInt8] { line.last == 0x0D ? Array(line.dropLast()) : line }

    private static func joined(_ parts: [[UInt8]], _ separator: [UInt8]) -> [UInt8] { Array(parts.joined(separator: separator)) }

    /// Escapes that JSON writers use although JSON does not require them.
    private struct JSONStyle: Sendable {
        var nonASCII = false
        var slashes = false
        /// `<`, `>` and `&`, so that the text can be embedded in HTML.
        var html = false
        /// `\u0022` for a quotation mark; also escapes `+`, `'` and the grave accent.
        var quotes = false
        var upperCase = false

        static let all = [
            // Only the required escapes: JavaScript, Rust, Swift.
            JSONStyle(),
            // Python; also Java and other languages when they write ASCII only.
            JSONStyle(nonASCII: true), JSONStyle(nonASCII: true, upperCase: true),
            // PHP, with and without JSON_UNESCAPED_UNICODE.
            JSONStyle(nonASCII: true, slashes: true), JSONStyle(slashes: true),
            // Go.
            JSONStyle(html: true),
            // .NET.
            JSONStyle(nonASCII: true, html: true, quotes: true, upperCase: true),
        ]
    }

    private static func escapedAsJSON(_ value: [UInt8], _ style: JSONStyle) -> [UInt8] {
        func number(_ unit: UInt16) -> [UInt8] {
            let digits = hex([UInt8(unit >> 8), UInt8(unit & 0xFF)])
            return Array(("\\u" + (style.upperCase ? digits.uppercased() : digits)).utf8)
        }
        // A value that is not UTF-8 cannot occur in JSON.
        guard let text = String(validating: value, as: UTF8.self) else { return [] }
        var out: [UInt8] = []
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"" where !style.quotes, "\\": out += [UInt8(ascii: "\\"), UInt8(truncatingIfNeeded: scalar.value)]
            case "/" where style.slashes: out += Array("\\/".utf8)
            case "\n": out += Array("\\n".utf8)
            case "\r": out += Array("\\r".utf8)
            case "\t": out += Array("\\t".utf8)
            case "<", ">", "&":
                out += style.html ? number(UInt16(scalar.value)) : Array(String(Character(scalar)).utf8)
            case "\"", "'", "+", "`":
                out += style.quotes ? number(UInt16(scalar.value)) : Array(String(Character(scalar)).utf8)
            default:
                if scalar.value < 0x20 || (style.nonASCII && !scalar.isASCII) {
                    for unit in UTF16.encode(scalar) ?? UTF16.encodedReplacementCharacter { out += number(unit) }
                } else {
                    out += Array(String(Character(scalar)).utf8)
                }
            }
        }
        return out
    }
}
