/// `5m30s`, `3h`, `12d`: a duration as kubectl prints ages (apimachinery `util/duration`).
enum HumanDuration {
    static func text(seconds exact: Double) -> String {
        // A slightly negative duration, from clocks that differ a little, counts as zero.
        if exact < -1 { return "<invalid>" }
        if exact < 0 { return "0s" }
        let seconds = Int(exact)
        if seconds < 120 { return "\(seconds)s" }
        let minutes = seconds / 60
        if minutes < 10 { return join(minutes, "m", seconds % 60, "s") }
        if minutes < 180 { return "\(minutes)m" }
        let hours = minutes / 60
        if hours < 8 { return join(hours, "h", minutes % 60, "m") }
        if hours < 48 { return "\(hours)h" }
        let days = hours / 24
        if hours < 192 { return join(days, "d", hours % 24, "h") }
        if hours < 24 * 365 * 2 { return "\(days)d" }
        let years = days / 365
        if hours < 24 * 365 * 8 { return join(years, "y", days % 365, "d") }
        return "\(years)y"
    }

    private static func join(_ major: Int, _ majorUnit: String, _ minor: Int, _ minorUnit: String) -> String {
        minor == 0 ? "\(major)\(majorUnit)" : "\(major)\(majorUnit)\(minor)\(minorUnit)"
    }
}
