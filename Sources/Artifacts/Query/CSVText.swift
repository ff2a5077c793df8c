import Base

/// Rows in the format of RFC 4180: fields are separated by commas, and rows end with CR LF. A field is quoted when it contains a comma,
/// a quote or a line break, and quotes in it are doubled.
///
/// Fields are untrusted input that may be opened in a spreadsheet, which interprets a field that begins with `=`, `+`, `-`, `@`, a tab
/// or a carriage return as a formula (OWASP, "CSV Injection"). Such a field gets an apostrophe in front, unless it is a number.
/// Control characters are written as escapes, as in tables.
public enum CSVText {
    public static func row(_ fields: [String?]) -> [UInt8] {
        var text = ""
        for (index, value) in fields.enumerated() {
            if index > 0 { text += "," }
            if let value { text += field(value) }
        }
        text += "\r\n"
        return Array(text.utf8)
    }

    static func field(_ value: String) -> String {
        // Fast path: most fields are ids, names and numbers.
        if PlainText.isFree(value, of: .csvSpecials) { return startsFormula(value) ? "'" + value : value }
        let guarded = startsFormula(value) ? "'" + value.replacingControls : value.replacingControls
        guard !PlainText.isFree(guarded, of: .csvQuoted) else { return guarded }
        return "\"" + guarded.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }

    private static func startsFormula(_ value: String) -> Bool {
        switch value.utf8.first {
        case UInt8(ascii: "="), UInt8(ascii: "+"), UInt8(ascii: "@"), 0x09, 0x0D: return true
        case UInt8(ascii: "-"): return Double(value) == nil
        default: return false
        }
    }
}
