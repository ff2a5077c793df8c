import Base

/// Numbers and times as pages show them.
enum Figures {
    static let none = "\u{2013}"

    static func reward(_ value: Double?) -> String { value.map { fixed($0, 2) } ?? none }

    static func percent(_ share: Double?) -> String {
        guard let share, share.isFinite else { return none }
        let text = fixed(share * 100, 1)
        return (text.hasSuffix(".0") ? String(text.dropLast(2)) : text) + "%"
    }

    static func signed(_ value: Double?) -> String {
        guard let value else { return none }
        let text = fixed(value, 3)
        return value > 0 && text != "0.000" ? "+" + text : text
    }

    static func duration(_ seconds: Double?) -> String {
        guard let seconds, seconds.isFinite, seconds >= 0, seconds < 1e12 else { return none }
        if seconds < 0.9995 { return "\(Int((seconds * 1000).rounded())) ms" }
        if seconds < 60 { return fixed(seconds, 1) + "s" }
        let whole = Int(seconds.rounded())
        if whole < 3600 { return "\(whole / 60)m \(whole % 60)s" }
        if whole < 86400 { return "\(whole / 3600)h \(whole % 3600 / 60)m" }
        return "\(whole / 86400)d \(whole % 86400 / 3600)h"
    }

    static func cost(_ value: Double?) -> String { value.map { fixed($0, $0 != 0 && abs($0) < 1 ? 4 : 2) } ?? none }

    static func bytes(_ count: Int) -> String {
        if count < 1 << 10 { return "\(count) B" }
        if count < 1 << 20 { return fixed(Double(count) / 1024, 1) + " KiB" }
        return fixed(Double(count) / 1_048_576, 1) + " MiB"
    }

    /// With thin spaces between thousands.
    static func count(_ number: Int) -> String {
        var digits = String(number.magnitude)
        var groups: [String] = []
        while digits.count > 3 {
            groups.insert(String(digits.suffix(3)), at: 0)
            digits.removeLast(3)
        }
        return (number < 0 ? "-" : "") + ([digits] + groups).joined(separator: "\u{2009}")
    }

    static func plural(_ number: Int, _ one: String, _ many: String? = nil) -> String { "\(count(number)) \(number == 1 ? one : many ?? one + "s")" }

    /// `2026-03-25 12:00`, in UTC.
    static func minute(_ time: Timestamp) -> String {
        let text = time.rfc3339
        return text.prefix(10) + " " + text.dropFirst(11).prefix(5)
    }

    static func day(_ time: Timestamp) -> String { String(time.rfc3339.prefix(10)) }

    /// A number in a drawing: at most two decimals, never `nan` or `inf`.
    static func coordinate(_ value: Double) -> String {
        guard value.isFinite, abs(value) < 1e9 else { return "0" }
        var text = fixed(value, 2)
        while text.hasSuffix("0") { text.removeLast() }
        if text.hasSuffix(".") { text.removeLast() }
        return text == "-0" ? "0" : text
    }

    static func fixed(_ value: Double, _ decimals: Int) -> String {
        guard value.isFinite else { return none }
        var scale = 1.0
        for _ in 0..<decimals { scale *= 10 }
        guard abs(value) < 1e15 / scale else { return value.description }
        let scaled = Int64((value * scale).rounded())
        let digits = String(scaled.magnitude)
        let padded = String(repeating: "0", count: max(0, decimals + 1 - digits.count)) + digits
        let text = decimals > 0 ? padded.dropLast(decimals) + "." + padded.suffix(decimals) : digits
        return (scaled < 0 ? "-" : "") + text
    }
}
