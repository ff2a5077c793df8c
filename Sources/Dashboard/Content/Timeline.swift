import Base

/// Runs by time spans of equal length, for the charts of the overview.
struct Timeline: Sendable {
    struct Bucket: Sendable {
        var start: Timestamp
        var tally = Tally()
    }

    /// The length of a bucket, in words.
    let unit: String
    let buckets: [Bucket]

    /// The possible spans. The first that gives few enough buckets is used.
    private static let units: [(name: String, seconds: Int64)] = [
        ("minute", 60), ("5 minutes", 300), ("15 minutes", 900), ("hour", 3600), ("6 hours", 21600), ("day", 86400), ("week", 604_800),
        ("4 weeks", 2_419_200), ("year", 31_536_000), ("10 years", 315_360_000), ("1000 years", 31_536_000_000),
    ]

    init(_ runs: [RunFacts], limit: Int = 40) {
        guard let first = runs.map(\.ended.seconds).min(), let last = runs.map(\.ended.seconds).max() else {
            unit = "day"
            buckets = []
            return
        }
        func index(_ time: Int64, _ length: Int64) -> Int64 { time / length - (time % length < 0 ? 1 : 0) }
        let chosen = Self.units.first { index(last, $0.seconds) - index(first, $0.seconds) < Int64(limit) } ?? Self.units[Self.units.count - 1]
        unit = chosen.name
        // Few buckets would be drawn as wide blocks, so empty ones are added before them.
        let spans = min(Int64(limit), index(last, chosen.seconds) - index(first, chosen.seconds) + 1)
        let count = max(12, spans)
        let origin = index(first, chosen.seconds) - (count - spans)
        var made = (0..<count).map { Bucket(start: Timestamp(seconds: (origin + $0) * chosen.seconds)) }
        for run in runs { made[Int(min(count - 1, index(run.ended.seconds, chosen.seconds) - origin))].tally.add(run) }
        buckets = made
    }

    func label(_ bucket: Bucket) -> String {
        unit.hasPrefix("day") || unit.contains("week") || unit.contains("year") ? Figures.day(bucket.start) : Figures.minute(bucket.start)
    }
}
