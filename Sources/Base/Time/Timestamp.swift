import Glibc

/// A moment of the wall clock (UTC), with nanoseconds; written as RFC 3339.
public struct Timestamp: Sendable, Hashable, Comparable {
    /// Since 1970-01-01T00:00:00Z.
    public let seconds: Int64
    /// 0 to 999,999,999.
    public let nanoseconds: Int32

    public init(seconds: Int64, nanoseconds: Int32 = 0) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }

    public init(epochMilliseconds: Int64) {
        let (q, r) = epochMilliseconds.quotientAndRemainder(dividingBy: 1000)
        self.init(seconds: r < 0 ? q - 1 : q, nanoseconds: Int32(r < 0 ? r + 1000 : r) * 1_000_000)
    }

    public var epochMilliseconds: Int64 { seconds * 1000 + Int64(nanoseconds / 1_000_000) }

    public static func < (a: Timestamp, b: Timestamp) -> Bool {
        (a.seconds, a.nanoseconds) < (b.seconds, b.nanoseconds)
    }

    /// The difference in seconds.
    public static func - (a: Timestamp, b: Timestamp) -> Double {
        Double(a.seconds - b.seconds) + Double(a.nanoseconds - b.nanoseconds) / 1e9
    }

    /// The result is limited to the years 1 to 9999, which can be written. Adding NaN changes nothing.
    public func adding(seconds delta: Double) -> Timestamp {
        let (first, last) = (Int64(-62_135_596_800), Int64(253_402_300_799))
        let bounded = delta.isNaN ? 0 : min(max(delta, -1e12), 1e12)
        let whole = bounded.rounded(.down)
        let (sum, overflow) = seconds.addingReportingOverflow(Int64(whole))
        guard !overflow, (first...last).contains(sum) else { return Timestamp(seconds: bounded < 0 ? first : last) }
        var s = sum
        var n = Int64(nanoseconds) + Int64(((bounded - whole) * 1e9).rounded())
        if n >= 1_000_000_000 {
            s += 1
            n -= 1_000_000_000
        }
        return Timestamp(seconds: s, nanoseconds: Int32(n))
    }

    // MARK: Text

    /// `2026-01-02T03:04:05Z`: what Kubernetes writes in `metav1.Time`.
    public var rfc3339: String { date + "Z" }
    /// `2026-01-02T03:04:05.678Z`.
    public var rfc3339Millis: String { date + "." + padded(Int(nanoseconds / 1_000_000), 3) + "Z" }
    /// `2026-01-02T03:04:05.678901Z`: what Kubernetes writes in `metav1.MicroTime`.
    public var rfc3339Micro: String { date + "." + padded(Int(nanoseconds / 1000), 6) + "Z" }

    /// Reads `2026-01-02T03:04:05[.fraction](Z|+hh:mm)`; nil for anything else, and for days that do not exist.
    public init?(rfc3339 text: String) {
        var rest = Array(text.utf8)[...]
        func number(_ count: Int) -> Int? {
            guard rest.count >= count else { return nil }
            var value = 0
            for byte in rest.prefix(count) {
                guard (48...57).contains(byte) else { return nil }
                value = value * 10 + Int(byte - 48)
            }
            rest = rest.dropFirst(count)
            return value
        }
        func take(_ byte: Character) -> Bool {
            guard let first = rest.first, let wanted = byte.asciiValue,
                first == wanted || (byte == "T" && first == UInt8(ascii: "t")) || (byte == "Z" && first == UInt8(ascii: "z"))
            else { return false }
            rest = rest.dropFirst()
            return true
        }
        guard let year = number(4), take("-"), let month = number(2), take("-"), let day = number(2), take("T"),
            let hour = number(2), take(":"), let minute = number(2), take(":"), let second = number(2),
            (1...12).contains(month), day >= 1, day <= Self.days(in: month, of: year), hour < 24, minute < 60, second < 61
        else { return nil }
        var nanos = 0
        if take(".") {
            let digits = rest.prefix { (48...57).contains($0) }
            guard !digits.isEmpty else { return nil }
            for i in 0..<9 { nanos = nanos * 10 + (i < digits.count ? Int(digits[digits.startIndex + i] - 48) : 0) }
            rest = rest.dropFirst(digits.count)
        }
        var offset = 0
        if !take("Z") {
            let sign: Int
            if take("+") { sign = 1 } else if take("-") { sign = -1 } else { return nil }
            guard let hours = number(2), take(":"), let minutes = number(2), hours < 24, minutes < 60 else { return nil }
            offset = sign * (hours * 3600 + minutes * 60)
        }
        guard rest.isEmpty else { return nil }
        let days = Self.daysFromCivil(year, month, day)
        self.init(seconds: Int64(days) * 86400 + Int64(hour * 3600 + minute * 60 + second - offset), nanoseconds: Int32(nanos))
    }

    private var date: String {
        var days = seconds / 86400
        var left = seconds % 86400
        if left < 0 {
            days -= 1
            left += 86400
        }
        let (y, m, d) = Self.civilFromDays(Int(days))
        let clock = [left / 3600, left % 3600 / 60, left % 60].map { padded(Int($0), 2) }.joined(separator: ":")
        return "\(padded(y, 4))-\(padded(m, 2))-\(padded(d, 2))T\(clock)"
    }

    private func padded(_ number: Int, _ width: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, width - text.count)) + text
    }

    static func days(in month: Int, of year: Int) -> Int {
        switch month {
        case 2: return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: return 30
        default: return 31
        }
    }

    // Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
    private static func daysFromCivil(_ year: Int, _ month: Int, _ day: Int) -> Int {
        let y = month <= 2 ? year - 1 : year
        let era = (y >= 0 ? y : y - 399) / 400
        let yoe = y - era * 400
        let doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468
    }

    private static func civilFromDays(_ days: Int) -> (Int, Int, Int) {
        let z = days + 719468
        let era = (z >= 0 ? z : z - 146096) / 146097
        let doe = z - era * 146097
        let yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365
        let doy = doe - (365 * yoe + yoe / 4 - yoe / 100)
        let mp = (5 * doy + 2) / 153
        let month = mp < 10 ? mp + 3 : mp - 9
        return (yoe + era * 400 + (month <= 2 ? 1 : 0), month, doy - (153 * mp + 2) / 5 + 1)
    }
}

extension Timestamp: Codable, CustomStringConvertible {
    public var description: String { nanoseconds == 0 ? rfc3339 : rfc3339Millis }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let time = Timestamp(rfc3339: text) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "must be a time as in RFC 3339 (2026-01-02T03:04:05Z), not \"\(text)\"")
        }
        self = time
    }

    /// Written in whole seconds, as Kubernetes does; with milliseconds when there is a fraction.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
