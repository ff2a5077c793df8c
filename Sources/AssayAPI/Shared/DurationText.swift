/// Durations as Kubernetes writes them: `60s`, `1h30m`, `500ms`.
public enum DurationText {
    /// Seconds; nil when the text is not a duration or is negative.
    public static func seconds(_ text: String) -> Double? {
        guard !text.isEmpty else { return nil }
        if text == "0" { return 0 }
        var total = 0.0
        var rest = text[...]
        while !rest.isEmpty {
            let digits = rest.prefix { ("0"..."9").contains($0) || $0 == "." }
            guard let number = Double(digits) else { return nil }
            rest = rest.dropFirst(digits.count)
            let unit = rest.prefix { $0.isLetter }
            guard let factor = factors[String(unit)] else { return nil }
            rest = rest.dropFirst(unit.count)
            total += number * factor
        }
        return total.isFinite ? total : nil
    }

    private static let factors = ["ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0]
}
