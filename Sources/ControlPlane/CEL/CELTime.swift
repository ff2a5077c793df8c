import Base

/// Times and durations as CEL and the server's formats read and write them.
enum CELTime {
    /// `date-time`: RFC 3339, with a space allowed for the `T` and the zone left out, as the server's library allows.
    static func timestamp(dateTime text: String) -> Timestamp? {
        if let exact = Timestamp(rfc3339: text) { return exact }
        let bytes = Array(text.utf8)
        guard bytes.count >= 19 else { return nil }
        return Timestamp(rfc3339: text + "Z")
    }

    /// `date`: `2026-01-31`.
    static func timestamp(date text: String) -> Timestamp? {
        text.utf8.count == 10 ? Timestamp(rfc3339: text + "T00:00:00Z") : nil
    }

    private static let units: [String: Double] = [
        "ns": 1, "us": 1e3, "µs": 1e3, "μs": 1e3, "ms": 1e6, "s": 1e9, "m": 60e9, "h": 3600e9,
    ]

    /// Go's `time.ParseDuration`: `1h30m`, `-1.5s`, `0`; in nanoseconds.
    static func duration(_ text: String) -> Int64? {
        var rest = Substring(text)
        var negative = false
        if rest.first == "-" || rest.first == "+" {
            negative = rest.first == "-"
            rest.removeFirst()
        }
        if rest == "0" { return 0 }
        guard !rest.isEmpty else { return nil }
        var total = 0.0
        var exact: Int64 = 0
        while !rest.isEmpty {
            let number = rest.prefix { $0.isASCII && $0.isNumber || $0 == "." }
            rest = rest.dropFirst(number.count)
            let unit = rest.prefix { !($0.isASCII && $0.isNumber) && $0 != "." }
            rest = rest.dropFirst(unit.count)
            guard let scale = units[String(unit)], number != ".", number.filter({ $0 == "." }).count <= 1, !number.isEmpty else { return nil }
            if let whole = Int64(number) {
                let (product, overflow) = whole.multipliedReportingOverflow(by: Int64(scale))
                let (sum, sumOverflow) = exact.addingReportingOverflow(product)
                if overflow || sumOverflow { return nil }
                exact = sum
            } else {
                let padded = number.hasPrefix(".") ? "0" + number : number.hasSuffix(".") ? number + "0" : String(number)
                guard let value = Double(padded) else { return nil }
                total += value * scale
            }
        }
        guard total < 9e18 else { return nil }
        let (sum, overflow) = exact.addingReportingOverflow(Int64(total.rounded(.towardZero)))
        return overflow ? nil : negative ? -sum : sum
    }

    private static let looseUnits: [String: Double] = [
        "ns": 1, "nano": 1, "nanos": 1, "nanosecond": 1, "nanoseconds": 1, "us": 1e3, "µs": 1e3, "micro": 1e3, "micros": 1e3,
        "microsecond": 1e3, "microseconds": 1e3, "ms": 1e6, "milli": 1e6, "millis": 1e6, "millisecond": 1e6, "milliseconds": 1e6, "s": 1e9,
        "sec": 1e9, "secs": 1e9, "second": 1e9, "seconds": 1e9, "m": 60e9, "min": 60e9, "mins": 60e9, "minute": 60e9, "minutes": 60e9,
        "h": 3600e9, "hr": 3600e9, "hrs": 3600e9, "hour": 3600e9, "hours": 3600e9, "d": 86400e9, "day": 86400e9, "days": 86400e9,
        "w": 604800e9, "wk": 604800e9, "week": 604800e9, "weeks": 604800e9,
    ]

    /// The `duration` format: Go's, or numbers with units in words (`22 ns`, `3 days`); in nanoseconds.
    static func duration(loose text: String) -> Int64? {
        if let exact = duration(text) { return exact }
        let words = text.split(separator: " ").flatMap { word -> [Substring] in
            let number = word.prefix { $0.isASCII && $0.isNumber || $0 == "." || $0 == "-" }
            return [number, word.dropFirst(number.count)].filter { !$0.isEmpty }
        }
        guard !words.isEmpty, words.count.isMultiple(of: 2) else { return nil }
        var total = 0.0
        for index in stride(from: 0, to: words.count, by: 2) {
            guard let value = Double(words[index]), let scale = looseUnits[words[index + 1].lowercased()] else { return nil }
            total += value * scale
        }
        return abs(total) < 9e18 ? Int64(total) : nil
    }

    /// How CEL prints a duration: seconds, `3600s`, `1.5s`.
    static func text(nanoseconds: Int64) -> String {
        GoFormat.double(Double(nanoseconds) / 1e9) + "s"
    }
}
