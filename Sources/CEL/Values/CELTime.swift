import Base

/// Parses and prints times and durations as CEL and the server's formats do.
enum CELTime {
    /// `date-time`: RFC 3339. As in the server's library, a space may replace the `T`, and the zone may be missing.
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

    /// Names of units and their nanoseconds. The last name of each unit may also be the beginning of a longer word.
    private static let looseUnits: [(names: [String], scale: Double)] = [
        (["ns", "nano"], 1), (["us", "µs", "micro"], 1e3), (["ms", "milli"], 1e6), (["s", "sec"], 1e9), (["m", "min"], 60e9),
        (["h", "hr", "hour"], 3600e9), (["d", "day"], 86400e9), (["w", "wk", "week"], 604_800e9),
    ]

    /// The `duration` format, in nanoseconds: Go's syntax, or numbers with unit words anywhere in the text (`22 ns`, `3 days`,
    /// `P1D`; kube-openapi `strfmt.ParseDuration`).
    static func duration(loose text: String) -> Int64? {
        if let exact = duration(text) { return exact }
        var total = 0.0
        var isKnown = false
        var rest = text[...]
        while let start = rest.firstIndex(where: \.isASCIIDigit) {
            let digits = rest[start...].prefix(while: \.isASCIIDigit)
            let unit = rest[digits.endIndex...].drop(while: \.isWhitespace).prefix { $0.isASCII && $0.isLetter || $0 == "µ" }
            rest = unit.isEmpty ? rest[digits.endIndex...] : rest[unit.endIndex...]
            guard !unit.isEmpty else { continue }
            guard let number = Int64(digits) else { return nil }
            let word = unit.lowercased()
            for (names, scale) in looseUnits where names.contains(word) || word.hasPrefix(names.last ?? word) {
                isKnown = true
                total += Double(number) * scale
            }
        }
        return isKnown && abs(total) < 9e18 ? Int64(total) : nil
    }

    /// A duration as CEL prints it, in seconds: `3600s`, `1.5s`.
    static func text(nanoseconds: Int64) -> String {
        GoFormat.double(Double(nanoseconds) / 1e9) + "s"
    }
}

extension Character {
    fileprivate var isASCIIDigit: Bool { isASCII && isNumber }
}
