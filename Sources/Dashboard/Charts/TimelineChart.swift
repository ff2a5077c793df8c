import Base

/// Runs and pass rate over time. The drawing has no text: the scales are HTML beside it, and a table has the same numbers.
struct TimelineChart {
    let timeline: Timeline

    var runs: HTML {
        let most = max(1, timeline.buckets.map { $0.tally.aggregate.total }.max() ?? 1)
        return figure("Runs per \(timeline.unit)", "chart-runs", scale: [Figures.count(most), most > 1 ? Figures.count(most / 2) : "", "0"]) {
            for (index, bucket) in timeline.buckets.enumerated() {
                let a = bucket.tally.aggregate
                let parts: [(Int, CSSClass)] = [
                    (a.passes, "good"), (bucket.tally.partial, "part"), (a.failed, "bad"), (a.infrastructure, "infra"), (a.skipped, "skip"),
                ]
                tag("g") {
                    tag("title", text: "\(timeline.label(bucket)): \(Self.words(bucket.tally))")
                    stack(parts, most, at: index)
                }
            }
        } legend: {
            for (look, word) in [
                ("good", "passed"), ("part", "not passed"), ("bad", "agent or verifier failed"), ("infra", "infrastructure"), ("skip", "skipped"),
            ] as [(CSSClass, String)] {
                tag("li") {
                    tag("span", .classes("swatch", look), .fixed("aria-hidden", "true"))
                    tag("span", text: word)
                }
            }
        }
    }

    private func stack(_ parts: [(Int, CSSClass)], _ most: Int, at index: Int) -> [HTML] {
        var top = 100.0
        return parts.filter { $0.0 > 0 }.map { count, look in
            let height = Double(count) / Double(most) * 100
            top -= height
            return tag(
                "rect", .classes(look), .number("x", Double(index) * 10 + 1), .number("y", top), .number("width", 8), .number("height", height))
        }
    }

    var passRate: HTML {
        let points = timeline.buckets.enumerated().compactMap { index, bucket in
            bucket.tally.aggregate.passRate.map { (x: Double(index) * 10 + 5, y: 100 - $0 * 100, bucket: bucket) }
        }
        return figure("Pass rate per \(timeline.unit)", "chart-rate", scale: ["100%", "50%", "0%"]) {
            tag("polyline", .classes("curve"), .fixed("vector-effect", "non-scaling-stroke"), .points(points.map { ($0.x, $0.y) }))
            for point in points {
                tag("g") {
                    tag("title", text: "\(timeline.label(point.bucket)): \(Figures.percent(point.bucket.tally.aggregate.passRate))")
                    // A line of length 0 with round ends stays a round dot when the drawing is stretched.
                    tag(
                        "line", .classes("dot"), .fixed("vector-effect", "non-scaling-stroke"), .number("x1", point.x), .number("x2", point.x),
                        .number("y1", point.y),
                        .number("y2", point.y))
                }
            }
        } legend: {
            tag("li", text: "passes of the runs that count")
        }
    }

    private func figure(
        _ title: String, _ anchor: Anchor, scale: [String], @HTMLBuilder drawing: () -> [HTML], @HTMLBuilder legend: () -> [HTML]
    ) -> HTML {
        let width = max(10, timeline.buckets.count * 10)
        let shapes = drawing()
        return tag("figure", .classes("chart")) {
            tag("figcaption", .id(anchor), text: title)
            tag("div", .classes("plot")) {
                tag("div", .classes("scale-y"), .fixed("aria-hidden", "true")) { for mark in scale { tag("span", text: mark) } }
                tag("svg", .fixed("role", "img"), .label("\(title): \(summary)"), .fixed("preserveAspectRatio", "none"), .viewBox(width, 100)) {
                    for y in [0, 50, 100] {
                        tag(
                            "line", .classes("grid"), .fixed("vector-effect", "non-scaling-stroke"), .number("x1", 0), .number("x2", width),
                            .number("y1", y), .number("y2", y))
                    }
                    shapes
                }
                tag("div", .classes("scale-x"), .fixed("aria-hidden", "true")) {
                    if let first = timeline.buckets.first { tag("span", text: timeline.label(first)) }
                    if timeline.buckets.count > 1, let last = timeline.buckets.last { tag("span", text: timeline.label(last)) }
                }
            }
            tag("ul", .classes("legend")) { legend() }
        }
    }

    private var summary: String {
        guard let first = timeline.buckets.first, let last = timeline.buckets.last else { return "no runs" }
        return "from \(timeline.label(first)) to \(timeline.label(last)); the table below has the figures"
    }

    private static func words(_ tally: Tally) -> String {
        let a = tally.aggregate
        return
            "\(Figures.plural(a.total, "run")), \(a.passes) passed, \(tally.partial) not passed, \(a.failed) failed, \(a.infrastructure) ended by infrastructure"
    }

    /// The same figures as a table.
    var table: HTML {
        let rows = timeline.buckets.filter { $0.tally.aggregate.total > 0 }.reversed().map { bucket -> [HTML] in
            let a = bucket.tally.aggregate
            return [
                .text(timeline.label(bucket)), .text(Figures.count(a.total)), .text(Figures.percent(a.passRate)), .text(Figures.count(a.passes)),
                .text(Figures.count(bucket.tally.partial)), .text(Figures.count(a.failed)), .text(Figures.count(a.infrastructure)),
            ]
        }
        return tag("details") {
            tag("summary", text: "The figures as a table")
            DataTable(
                caption: "Runs and pass rate per \(timeline.unit)",
                columns: [
                    .text("From"), .number("Runs"), .number("Pass rate"), .number("Passed"), .number("Not passed"), .number("Failed"),
                    .number("Infrastructure"),
                ],
                rows: rows
            ).html
        }
    }
}

extension Attribute {
    static func viewBox(_ width: Int, _ height: Int) -> Attribute { .numbers("viewBox", [0, 0, width, height]) }
}
