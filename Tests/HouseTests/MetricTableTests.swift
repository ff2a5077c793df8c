import Base
import Foundation
import Testing

/// docs/metrics.md has each metric of the catalogue and no other.
@Suite struct MetricTableTests {
    private func page() throws -> [String] {
        try String(contentsOf: GeneratedFilesTests.root.appending(path: "docs/metrics.md"), encoding: .utf8).components(separatedBy: "\n")
    }

    /// The row of a metric.
    private func row(_ metric: MetricDefinition) -> String {
        let labels = metric.labels.map { "`\($0.name)`" }.joined(separator: ", ")
        return "| `\(metric.name)` | \(metric.kind.rawValue) | \(labels.isEmpty ? "" : labels + " ")| \(metric.help) |"
    }

    /// The rows of the labels that have a set of values. Metrics with the same label and values share one.
    private func labelRows() -> [String] {
        var metrics: [MetricDefinition.Label: [String]] = [:]
        for metric in MetricDefinition.all {
            for label in metric.labels where label.values != nil { metrics[label, default: []].append(metric.name) }
        }
        return metrics.map { label, names in
            "| `\(label.name)` | \(names.map { "`\($0)`" }.joined(separator: ", ")) | \((label.values ?? []).map { "`\($0)`" }.joined(separator: ", ")) |"
        }.sorted()
    }

    @Test func theTablesAreTheCatalogue() throws {
        let lines = try page()
        let expected = MetricDefinition.all.map(row) + labelRows()
        for row in expected where !lines.contains(row) { Issue.record("docs/metrics.md lacks the row\n\(row)") }
        let rows = lines.filter { $0.hasPrefix("| `assay_") || $0.contains(/^\| `[a-z]+` \| `assay_/) }
        for row in rows where !expected.contains(row) { Issue.record("docs/metrics.md has a row that the catalogue does not have\n\(row)") }
        #expect(rows.count == Set(rows).count, "a row stands in docs/metrics.md twice")
    }

    @Test("every metric of the catalogue is measured somewhere")
    func everyMetricIsUsed() throws {
        let sources = GeneratedFilesTests.root.appending(path: "Sources")
        var used = ""
        for path in try FileManager.default.subpathsOfDirectory(atPath: sources.path)
        where path.hasSuffix(".swift") && !path.hasSuffix("MetricCatalogue.swift") {
            let text = try String(contentsOf: sources.appending(path: path), encoding: .utf8)
            for match in text.matches(of: /\.(counter|gauge|histogram)\(\.(\w+)/) { used += "\(match.1).\(match.2)\n" }
            #expect(!text.contains("\"assay_") || path.contains(".generated."), "\(path) names a metric itself")
        }
        let names =
            CounterName.allCases.map { "counter.\($0)" } + GaugeName.allCases.map { "gauge.\($0)" } + HistogramName.allCases.map { "histogram.\($0)" }
        for name in names { #expect(used.contains("\(name)\n"), "nothing measures \(name)") }
    }
}
