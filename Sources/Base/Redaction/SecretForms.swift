/// In which forms a secret's value is looked for.
///
/// All of them are exact: the value, or a piece of it that is as long as a secret of its own, written in another way.
/// Percent-encoding and the backslashes of JSON need no form here: `EscapeDecoder` undoes them in the text.
enum SecretForms {
    /// Longer values are looked for as they are only: their encoded forms would take more memory than a collector has.
    static let longestEncoded = 16 << 10
    /// Lines of a secret that are at least this long, and without white space, are secrets of their own: the lines of a key
    /// are printed indented, numbered, one by one.
    static let shortestLine = 32

    /// The value without the white space around it: a Secret made from a file often ends with a newline, which programs
    /// trim before they use or print it.
    static func trimmed(_ value: [UInt8]) -> [UInt8] {
        guard let first = value.firstIndex(where: { !isBlank($0) }), let last = value.lastIndex(where: { !isBlank($0) })
        else { return [] }
        return Array(value[first...last])
    }

    /// What is looked for in the text, both as it stands and without its escapes.
    static func plain(_ value: [UInt8]) -> [[UInt8]] {
        let core = trimmed(value)
        var forms = [value, core]
        guard core.count <= longestEncoded else { return kept(forms) }
        let lines = core.split(whereSeparator: { $0 == 0x0A || $0 == 0x0D }).map(Array.init)
        if lines.count > 1 {
            // As terminals end lines, and as files do that came from one.
            forms.append(joined(core.split(separator: 0x0A, omittingEmptySubsequences: false).map { trimmedEnd(Array($0)) }, [0x0D, 0x0A]))
            forms.append(core.filter { $0 != 0x0D })
            // As a shell passes it on that was not told to keep it in one piece.
            forms.append(joined(core.split(whereSeparator: isBlank).map(Array.init), [0x20]))
            forms += lines.map(trimmed).filter { $0.count >= shortestLine && !$0.contains(where: isBlank) }
        }
        // Forms say `+` for a blank.
        forms += forms.filter { $0.contains(0x20) }.map { $0.map { $0 == 0x20 ? UInt8(ascii: "+") : $0 } }
        // JSON within JSON has its escapes escaped; one layer of them is undone in the text.
        forms += forms.flatMap { form in JSONStyle.all.map { escapedAsJSON(form, $0) } }
        return kept(forms)
    }

    /// In base64 a value looks different after one or two other bytes: the letters that the value alone decides, by
    /// where it begins in a group of three. The last letter and its padding belong to it when nothing follows.
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

    /// What writers of JSON escape though they need not.
    private struct JSONStyle: Sendable {
        var nonASCII = false
        var slashes = false
        /// `<`, `>` and `&`, so that the text may stand in a page.
        var html = false
        /// As `\u0022`; and `+`, `'` and the grave accent, too.
        var quotes = false
        var upperCase = false

        static let all = [
            // As little as can be: JavaScript, Rust, Swift.
            JSONStyle(),
            // Python; Java's and others' ways to keep to ASCII.
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
        // What is no text is in no JSON.
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
