import Base

/// Functions and arithmetic of timestamps and durations.
enum CELDates {
    static func method(_ moment: Timestamp, _ name: String, _ values: [CELValue]) throws(CELError) -> CELValue? {
        guard values.count <= 1 else { return nil }
        var local = moment
        if let zone = values.first {
            local = Timestamp(seconds: moment.seconds + Int64(try offset(CELStrings.string(zone))), nanoseconds: moment.nanoseconds)
        }
        let days = Int((Double(local.seconds) / 86400).rounded(.down))
        let second = Int(local.seconds) - days * 86400
        let (year, month, day) = civil(days)
        switch name {
        case "getFullYear": return .int(Int64(year))
        case "getMonth": return .int(Int64(month - 1))
        case "getDate": return .int(Int64(day))
        case "getDayOfMonth": return .int(Int64(day - 1))
        case "getDayOfWeek": return .int(Int64(((days + 4) % 7 + 7) % 7))
        case "getDayOfYear":
            let lengths = [31, year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
            return .int(Int64(lengths.prefix(month - 1).reduce(0, +) + day - 1))
        case "getHours": return .int(Int64(second / 3600))
        case "getMinutes": return .int(Int64(second % 3600 / 60))
        case "getSeconds": return .int(Int64(second % 60))
        case "getMilliseconds": return .int(Int64(local.nanoseconds) / 1_000_000)
        default: return nil
        }
    }

    static func method(duration nanoseconds: Int64, _ name: String, _ values: [CELValue]) -> CELValue? {
        guard values.isEmpty else { return nil }
        switch name {
        case "getHours": return .int(nanoseconds / 3_600_000_000_000)
        case "getMinutes": return .int(nanoseconds / 60_000_000_000)
        case "getSeconds": return .int(nanoseconds / 1_000_000_000)
        case "getMilliseconds": return .int(nanoseconds / 1_000_000 % 1000)
        default: return nil
        }
    }

    static func arithmetic(_ name: String, _ left: CELValue, _ right: CELValue) throws(CELError) -> CELValue {
        switch (name, left, right) {
        case ("_+_", .duration(let a), .duration(let b)): return .duration(try checked(a.addingReportingOverflow(b)))
        case ("_-_", .duration(let a), .duration(let b)): return .duration(try checked(a.subtractingReportingOverflow(b)))
        case ("_+_", .timestamp(let moment), .duration(let by)), ("_+_", .duration(let by), .timestamp(let moment)):
            return .timestamp(try shifted(moment, by))
        case ("_-_", .timestamp(let moment), .duration(let by)):
            return .timestamp(try shifted(moment, try checked(Int64(0).subtractingReportingOverflow(by))))
        case ("_-_", .timestamp(let a), .timestamp(let b)):
            let seconds = try checked((a.seconds - b.seconds).multipliedReportingOverflow(by: 1_000_000_000))
            return .duration(try checked(seconds.addingReportingOverflow(Int64(a.nanoseconds - b.nanoseconds))))
        default: throw .noOverload
        }
    }

    private static func checked(_ result: (partialValue: Int64, overflow: Bool)) throws(CELError) -> Int64 {
        if result.overflow { throw CELError("duration overflow") }
        return result.partialValue
    }

    private static func shifted(_ moment: Timestamp, _ nanoseconds: Int64) throws(CELError) -> Timestamp {
        var seconds = moment.seconds + nanoseconds / 1_000_000_000
        var rest = Int64(moment.nanoseconds) + nanoseconds % 1_000_000_000
        if rest < 0 {
            rest += 1_000_000_000
            seconds -= 1
        } else if rest >= 1_000_000_000 {
            rest -= 1_000_000_000
            seconds += 1
        }
        // Years 1 to 9999, as in protobuf.
        guard (-62_135_596_800...253_402_300_799).contains(seconds) else { throw CELError("timestamp overflow") }
        return Timestamp(seconds: seconds, nanoseconds: Int32(rest))
    }

    /// `UTC` or an offset like `-08:00`. Zone names are not supported, because this server has no zone tables.
    private static func offset(_ zone: String) throws(CELError) -> Int {
        if zone == "UTC" || zone == "Z" || zone.isEmpty { return 0 }
        let sign = zone.hasPrefix("-") ? -1 : 1
        let digits = zone.hasPrefix("-") || zone.hasPrefix("+") ? zone.dropFirst() : Substring(zone)
        let parts = digits.split(separator: ":").map { Int($0) }
        guard parts.count == 2, let hours = parts[0], let minutes = parts[1] else { throw CELError("unknown time zone \(zone)") }
        return sign * (hours * 3600 + minutes * 60)
    }

    /// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
    private static func civil(_ days: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let month = (5 * dayOfYear + 2) / 153
        let year = yearOfEra + era * 400
        return (month < 10 ? year : year + 1, month < 10 ? month + 3 : month - 9, dayOfYear - (153 * month + 2) / 5 + 1)
    }
}

extension CELTime {
    /// RFC 3339 with as many fraction digits as the value needs.
    static func text(_ moment: Timestamp) -> String {
        let whole = Timestamp(seconds: moment.seconds).rfc3339
        guard moment.nanoseconds != 0 else { return whole }
        var digits = String(moment.nanoseconds)
        digits = String(repeating: "0", count: 9 - digits.count) + digits
        while digits.hasSuffix("0") { digits.removeLast() }
        return whole.dropLast() + "." + digits + "Z"
    }
}
