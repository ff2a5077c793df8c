import Foundation
import Testing

/// The table of metrics in docs/operating.md has each metric that the sources declare, with its type and its help text, and no other.
@Suite struct MetricTableTests {
    private struct Row: Hashable { let name, type, help: String }

    @Test func theTableIsWhatTheSourcesDeclare() throws {
        let root = GeneratedFilesTests.root
        var declared: Set<Row> = []
        let sources = root.appending(path: "Sources")
        for path in try FileManager.default.subpathsOfDirectory(atPath: sources.path) where path.hasSuffix(".swift") {
            let text = try String(contentsOf: sources.appending(path: path), encoding: .utf8)
            for match in text.matches(of: /\.(counter|gauge|histogram)\(\s*"(assay_\w+)", help: "([^"]*)"/) {
                declared.insert(Row(name: String(match.2), type: String(match.1), help: String(match.3)))
            }
        }
        try #require(declared.count >= 15)
        let page = try String(contentsOf: root.appending(path: "docs/operating.md"), encoding: .utf8)
        let rows = page.matches(of: /(?m)^\| `(assay_\w+)` \| (\w+) \| [^|]*\| ([^|]*) \|$/)
        let documented = Set(rows.map { Row(name: String($0.1), type: String($0.2), help: String($0.3)) })
        #expect(rows.count == documented.count, "a metric stands in the table twice")
        for row in declared.subtracting(documented) { Issue.record("docs/operating.md lacks \(row.name) (\(row.type)): \(row.help)") }
        for row in documented.subtracting(declared) { Issue.record("docs/operating.md has \(row.name) (\(row.type)), which no source declares so") }
    }
}
