import Base

/// Parses moments as users write them: `2026-01-02T03:04:05Z`, `2026-01-02` (the start of that day, UTC), or an age: `7d`, `12h`, `1d12h`.
public enum MomentText {
    /// nil when the text has none of these forms.
    public static func moment(_ text: String, now: Timestamp) -> Timestamp? {
        if let time = Timestamp(rfc3339: text) ?? Timestamp(rfc3339: "\(text)T00:00:00Z") { return time }
        return seconds(text).map { now.adding(seconds: -$0) }
    }

    /// Seconds of a duration: whole numbers, each with `w`, `d`, `h`, `m` or `s`, one after the other.
    public static func seconds(_ text: String) -> Double? {
        var total = 0.0
        var number: Double?
        for character in text {
            if let digit = character.isASCII ? character.wholeNumberValue : nil {
                number = (number ?? 0) * 10 + Double(digit)
            } else {
                guard let value = number, let unit = units[character] else { return nil }
                total += value * unit
                number = nil
            }
        }
        // A duration of about ten thousand years is a mistake, and more than a date can represent.
        return number == nil && !text.isEmpty && total < 3e11 ? total : nil
    }

    private static let units: [Character: Double] = ["s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800]
}
