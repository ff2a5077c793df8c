import Foundation
import Testing

extension EndToEnd {
    /// The laptop commands of docs/getting-started.md, with the job that the page shows.
    @Suite struct GettingStartedTests {
        /// The first block in a language after a heading.
        private func block(_ language: String, after heading: String, of page: String) throws -> String {
            let section = try #require(page.range(of: "\n\(heading)\n"), "no heading \(heading)")
            let rest = page[section.upperBound...]
            let begin = try #require(rest.range(of: "\n```\(language)\n"))
            let end = try #require(rest[begin.upperBound...].range(of: "```\n"))
            return String(rest[begin.upperBound..<end.lowerBound])
        }

        @Test func theJobAndTheCommandsOfThePageWork() async throws {
            let page = try String(contentsOfFile: "\(Workbench.root)/docs/getting-started.md", encoding: .utf8)
            let job = try block("yaml", after: "### A job of your own", of: page)
            let commands = try block("console", after: "### A job of your own", of: page).split(separator: "\n").map {
                $0.split(separator: " ").map(String.init)
            }
            #expect(commands.map { Array($0.prefix(2)) } == [["$", "assay"], ["$", "assay"], ["$", "assay"]])
            try await Workbench.with("page") { bench in
                try FileManager.default.createDirectory(atPath: "\(bench.benchmark)/tasks", withIntermediateDirectories: true)
                try FileManager.default.copyItem(
                    atPath: "\(Workbench.root)/test-dataset/hello-world", toPath: "\(bench.benchmark)/tasks/hello-world")
                try await bench.commitBenchmark()
                try bench.write("\(bench.benchmark)/job.yaml", job)
                var run = ""
                for words in commands {
                    let words = words.dropFirst(2).map { $0 == "RUN" ? run : $0 }
                    let said = try await bench.assay(words, expecting: 0, in: bench.benchmark).stdoutText
                    switch words[0..<2] {
                    case ["run", "job.yaml"]:
                        #expect(said.contains("4 trials: 4 completed, 0 failed; pass rate 100.0%, mean reward 1.00"))
                    case ["results", "list"]:
                        let lines = said.split(separator: "\n")
                        #expect(lines.count == 5, "\(said)")
                        run = try #require(lines.last?.split(separator: " ").first.map(String.init))
                    default:
                        #expect(words[0..<2] == ["results", "show"] && said.contains(run))
                    }
                }
            }
        }
    }
}
