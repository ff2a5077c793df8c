import Artifacts
import Base
import EvalModel
import Foundation
import Git
import Subprocess
import Testing

extension EndToEnd {
    /// The commands that read results: exit statuses and output.
    @Suite struct ResultsCommandTests {
        /// Two jobs named nightly with four tasks each, the later one worse by half a task, on a branch of `results.git`.
        private func publish(_ bench: Workbench) async throws {
            try await bench.git("init", "--quiet", "--bare", bench.results, in: bench.directory)
            let ledger = try GitLedger(
                settings: .init(
                    remote: .init(try GitURL(parsing: "file://\(bench.results)", allowing: .local)), branch: try GitBranch(parsing: "assay/runs/v1"),
                    committer: try .init(name: "assay", email: "assay@localhost"), directory: "\(bench.directory)/ledger", pushInterval: 0.05))
            for (job, rewards) in [("old", [1.0, 1, 0, 1]), ("new", [1.0, 0, 0.5, 1])].enumerated().map({ ($0.offset, $0.element.1) }) {
                for (task, reward) in rewards.enumerated() {
                    let trial = TrialCoordinate(
                        index: task, agent: "oracle", agentIndex: 0, dataset: "basic", task: task == 3 ? "=t\u{1b}[31m" : "t\(task)", taskIndex: task,
                        attempt: 1)
                    let end = Timestamp(seconds: 1_750_000_000 + Int64(job * 1000 + task))
                    try await ledger.submit(
                        try PendingRun(
                            run: RunRecord(
                                runId: trial.runID(jobUID: "uid-\(job)"), jobName: "nightly", jobUid: "uid-\(job)", namespace: "default",
                                agent: "oracle", model: nil,
                                trial: trial, retries: 0, outcome: TrialOutcome(reward: Reward(reward)), config: .init(instructionPath: "/tmp/i"),
                                sourceRepo: "org/repo",
                                sourceCommit: String(repeating: "ab", count: 20), evalFile: "tasks/t", startedAt: nil, timestamp: end)))
                }
            }
            try await ledger.flush()
        }

        @Test(
            "docs/results.md names every option of the commands that read results",
            arguments: ["list", "show", "compare", "gate", "export", "verify", "prune"])
        func documented(command: String) async throws {
            try await Workbench.with("results help") { bench in
                let page = try String(contentsOfFile: "\(Workbench.root)/docs/results.md", encoding: .utf8)
                #expect(page.contains("assay results \(command)"))
                let help = try await bench.assay(["results", command, "--help"], expecting: 0).stdoutText
                let options = help.split(separator: "\n").compactMap { line -> String? in
                    line.hasPrefix("  --") ? line.dropFirst(2).prefix { $0 != " " }.description : nil
                }
                #expect(options.count > 4)
                for option in options where option != "--help" { #expect(page.contains("\(option)`") || page.contains("\(option) "), "\(option)") }
            }
        }

        @Test("results list, compare, gate, export, verify and prune: what they print, and their exit statuses")
        func commands() async throws {
            try await Workbench.with("results commands") { bench in
                try await publish(bench)
                let place = ["--remote", "results.git"]

                let csv = try await bench.assay(["results", "list", "--output", "csv"] + place, expecting: 0).stdoutText
                #expect(csv.split(separator: "\r\n").count == 9 && csv.contains(",'=t\\x1b[31m,") && !csv.contains("\u{1b}"))
                let json = try JSONValue(
                    parsing: try await bench.assay(
                        ["results", "list", "--output", "json", "--status", "passed", "--job", "uid-1"] + place, expecting: 0
                    ).stdout)
                #expect(json.array?.count == 2)
                let listed = try #require(json[0])
                let shown = try JSONValue(
                    parsing: try await bench.assay(["results", "show", listed["runId"]?.string ?? "", "--output", "json"] + place, expecting: 0)
                        .stdout)
                #expect(shown["commit"] != nil && shown["commit"] == listed["commit"], "the commit that brought it, not the branch's tip")
                for words in [
                    ["list"], ["list", "--output", "csv"], ["show", listed["runId"]?.string ?? ""], ["export", "--format", "jsonl", "--out", "-"],
                ] {
                    let full = try await Command(
                        "bash", ["-c", "exec \"$0\" results \"$@\" >/dev/full", Workbench.executable()] + words + place,
                        workingDirectory: bench.directory
                    ).run()
                    #expect(
                        full.exit == .code(2) && full.stderrText.contains("standard output") && full.stderrText.contains("No space left"),
                        "\(words): \(full)")
                }
                #expect(try await bench.assay(["results"], expecting: 2).stdoutText.contains("results prune"))
                #expect(try await bench.assay(["results", "--help"], expecting: 0).stdoutText.contains("results list"))
                #expect(try await bench.assay(["results", "nope"], expecting: 2).stderrText.contains("\"results nope\""))
                let table = try await bench.assay(["results", "list"] + place, expecting: 0).stdoutText
                #expect(table.contains("=t\\x1b[31m") && !table.contains("\u{1b}"), "catalogue 55")
                try await bench.assay(["results", "list", "--status", "nope"] + place, expecting: 2)
                try await bench.assay(["results", "list", "--since", "soon"] + place, expecting: 2)

                try await bench.git(
                    "clone", "--quiet", "--bare", "--depth", "3", "-b", "assay/runs/v1", "file://\(bench.results)", "shallow.git", in: bench.directory
                )
                let cut = try await bench.assay(["results", "list", "--output", "csv", "--remote", "shallow.git"], expecting: 0)
                #expect(cut.stderrText.contains("shallow clone") && cut.stdoutText.split(separator: "\r\n").count == 4)
                for words in [["verify"], ["compare", "uid-0", "uid-1"], ["gate", "uid-0", "--baseline", "uid-1", "--max-regression", "1"]] {
                    #expect(
                        try await bench.assay(["results"] + words + ["--remote", "shallow.git"], expecting: 2).stderrText.contains("shallow clone"))
                }

                let compared = try await bench.assay(["results", "compare", "nightly~1", "nightly", "--output", "json"] + place, expecting: 0)
                let value = try JSONValue(parsing: compared.stdout)
                #expect(value.at("total", "wins") == 1 && value.at("total", "losses") == 1 && value.at("total", "ties") == 2)
                #expect(value.at("total", "meanDifference")?.double == -0.125 && value.at("total", "interval", "resamples") == 10_000)
                #expect(compared.stderrText.contains("2 jobs are named nightly"))
                let text = try await bench.assay(["results", "compare", "uid-0", "uid-1"] + place, expecting: 0)
                #expect(text.stdoutText.contains("-0.125") && text.stderrText.isEmpty && !text.stdoutText.contains("\u{1b}"))
                try await bench.assay(["results", "compare", "nightly", "nightly"] + place, expecting: 2)
                try await bench.assay(["results", "compare", "nightly"] + place, expecting: 2)

                func gate(_ words: String..., expecting status: Int32) async throws -> CommandResult {
                    try await bench.assay(["results", "gate"] + words + place, expecting: status)
                }
                #expect(
                    try await gate("nightly", "--baseline", "nightly~1", "--max-regression", "0.125", expecting: 0).stdoutText.contains("passed: "))
                #expect(
                    try await gate("nightly", "--baseline", "nightly~1", "--max-regression", "0.1", expecting: 1).stdoutText.contains(
                        "fell by 0.1250"))
                _ = try await gate("nightly~1", "--baseline", "nightly", "--max-regression", "0", expecting: 0)
                _ = try await gate("nightly", "--baseline", "other", "--max-regression", "0", expecting: 2)
                _ = try await gate("nightly", "--baseline", "nightly~1", expecting: 2)
                _ = try await gate("nightly", "--baseline", "nightly~1", "--max-regression", "-1", expecting: 2)
                try await bench.assay(["results", "gate", "a", "--baseline", "b", "--max-regression", "0", "--remote", "away.git"], expecting: 2)

                try await bench.assay(["results", "export", "--job", "uid-0", "--out", "out"] + place, expecting: 0)
                #expect(
                    try await bench.assay(["results", "list", "--dir", "out", "--output", "csv"], expecting: 0).stdoutText.split(separator: "\r\n")
                        .count == 5)
                try await bench.assay(["results", "export", "--out", "out"] + place, expecting: 2)
                let lines = try await bench.assay(["results", "export", "--format", "jsonl", "--out", "-"] + place, expecting: 0).stdoutText
                #expect(lines.split(separator: "\n").count == 8)

                #expect(try await bench.assay(["results", "verify"] + place, expecting: 0).stdoutText.contains("all is well"))
                try await bench.assay(["results", "verify", "--dir", "out"], expecting: 0)
                let run = try #require(
                    try FileManager.default.subpathsOfDirectory(atPath: "\(bench.directory)/out").first { $0.hasSuffix("summary.json") })
                try bench.write("out/\(run)", "{}")
                let bad = try await bench.assay(["results", "verify", "--dir", "out"], expecting: 1).stdoutText
                #expect(bad.contains("schema: \(run): ") && bad.contains("faults"))
                try await bench.assay(["results", "verify", "--remote", "away.git"], expecting: 2)

                try await bench.assay(["results", "prune", "--older-than", "2025-06-15T15:15:00Z"] + place, expecting: 2)
                let dry = try await bench.assay(["results", "prune", "--older-than", "2025-06-15T15:15:00Z", "--dry-run"] + place, expecting: 0)
                    .stdoutText
                #expect(dry.contains("4 runs of assay/runs/v1 ended before 2025-06-15T15:15:00Z; 4 runs would stay"))
                #expect(try await bench.log().count == 8)
                try await bench.assay(["results", "prune", "--older-than", "2025-06-15T15:15:00Z", "--yes"] + place, expecting: 0)
                #expect(try await bench.log().count == 5)
                #expect(
                    try await bench.assay(["results", "list", "--output", "csv"] + place, expecting: 0).stdoutText.split(separator: "\r\n").count == 5
                )
                try await bench.assay(["results", "verify"] + place, expecting: 0)
                try await bench.assay(["results", "prune", "--older-than", "7 days", "--yes"] + place, expecting: 2)
            }
        }
    }
}
