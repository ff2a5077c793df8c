import Artifacts
import Base
import EvalModel

/// A comparison as text for people.
struct ComparisonText {
    private(set) var text = ""

    init(_ comparison: JobComparison, limit: Int) {
        add(comparison.a, "A", comparison.metric)
        add(comparison.b, "B", comparison.metric)
        figures(comparison)
        tasks(comparison, limit)
        unpaired(comparison.onlyA, "A", limit)
        unpaired(comparison.onlyB, "B", limit)
    }

    private mutating func add(_ side: JobComparison.Side, _ letter: String, _ metric: ScoreMetric) {
        let without = side.runs - side.scored
        text +=
            "\(letter)  \(side.name.replacingControls)  \(side.id?.rawValue ?? "-")  ended \(side.ended.rfc3339)  \(Count.of(side.runs, "run"))"
            + (without > 0 ? ", \(without) of them without a score" : "") + "\n"
    }

    private mutating func figures(_ comparison: JobComparison) {
        let summaries = comparison.byAgent
        let confidence =
            comparison.total.interval.map {
                "\(Figure.fixed($0.confidence * 100, $0.confidence * 100 == ($0.confidence * 100).rounded() ? 0 : 1))% INTERVAL"
            } ?? "INTERVAL"
        var table = TextTable([
            ("AGENT", .left), ("TASKS", .right), ("WINS", .right), ("LOSSES", .right), ("TIES", .right), ("MEAN A", .right), ("MEAN B", .right),
            ("DIFFERENCE", .right), (confidence, .left),
        ])
        for (agent, summary) in summaries { table.add(row(Self.names(agent, comparison), summary)) }
        if summaries.count != 1 { table.add(row("total", comparison.total)) }
        text += "\n" + table.render()
        if let interval = comparison.total.interval {
            text +=
                "Differences are B less A, of the mean \(comparison.metric.rawValue); percentile bootstrap over tasks, \(interval.resamples) resamples.\n"
        }
    }

    private static func names(_ agent: String, _ comparison: JobComparison) -> String {
        guard let other = comparison.pairs.first(where: { $0.agentB == agent })?.agentA, other != agent else { return agent }
        return "\(other) / \(agent)"
    }

    private func row(_ name: String, _ summary: JobComparison.Summary) -> [String] {
        [
            name, "\(summary.tasks)", "\(summary.wins)", "\(summary.losses)", "\(summary.ties)", Self.mean(summary.meanA), Self.mean(summary.meanB),
            Self.signed(summary.meanDifference), summary.interval.map { "\(Self.signed($0.low)) to \(Self.signed($0.high))" } ?? "-",
        ]
    }

    private mutating func tasks(_ comparison: JobComparison, _ limit: Int) {
        let sorted = comparison.pairs.filter { limit == .max || $0.result != .tie }.sorted {
            (-abs($0.difference), $0.task) < (-abs($1.difference), $1.task)
        }
        guard !sorted.isEmpty else { return }
        var table = TextTable([("TASK", .left), ("AGENT", .left), ("A", .right), ("B", .right), ("DIFFERENCE", .right), ("ATTEMPTS", .right)])
        for pair in sorted.prefix(limit) {
            table.add([
                "\(pair.dataset)/\(pair.task)", pair.agentB, Self.mean(pair.a), Self.mean(pair.b), Self.signed(pair.difference),
                pair.attemptsA == pair.attemptsB ? "\(pair.attemptsA)" : "\(pair.attemptsA) / \(pair.attemptsB)",
            ])
        }
        text += "\n" + table.render()
        if sorted.count > limit { text += "and \(sorted.count - limit) more that differ: --all shows every task\n" }
    }

    private mutating func unpaired(_ list: [JobComparison.Unpaired], _ letter: String, _ limit: Int) {
        guard !list.isEmpty else { return }
        text += "\nOnly in \(letter), so in no figure:\n"
        for entry in list.prefix(limit) {
            let other = letter == "A" ? "B" : "A"
            let why =
                entry.reason == .absent
                ? "\(other) has no run of it" : entry.isScored ? "no run of \(other) counts" : "neither side has a run that counts"
            text +=
                "  \("\(entry.dataset)/\(entry.task)".replacingControls)  \(entry.agent.replacingControls)  (\(why)"
                + (entry.isScored || entry.reason == .unscored ? "" : "; no run here counts either") + ")\n"
        }
        if list.count > limit { text += "  and \(list.count - limit) more\n" }
    }

    private static func mean(_ value: Double?) -> String { value.map { Figure.fixed($0, 3) } ?? "-" }
    private static func signed(_ value: Double?) -> String {
        guard let value else { return "-" }
        let text = Figure.fixed(value, 3)
        return value > 0 && text != "0.000" ? "+" + text : text
    }
}
