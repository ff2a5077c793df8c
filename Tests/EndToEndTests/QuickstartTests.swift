import Base
import Foundation
import Subprocess
import Testing

extension EndToEnd {
    /// The README's first commands and their results.
    @Suite struct QuickstartTests {
        /// `make quickstart` without its build: the script, in a separate checkout.
        @Test func quickstartEndsWithTheTableAndTheCommitsAndASecondRunRunsNothing() async throws {
            try await Workbench.with("quickstart") { bench in
                try FileManager.default.createDirectory(atPath: "\(bench.benchmark)/scripts", withIntermediateDirectories: true)
                try FileManager.default.copyItem(atPath: "\(Workbench.root)/scripts/quickstart", toPath: "\(bench.benchmark)/scripts/quickstart")
                try await bench.useTestDataset()
                let script = Command(
                    "bash", ["\(bench.benchmark)/scripts/quickstart", try Workbench.executable()], workingDirectory: "/", deadlineSeconds: 120)
                let began = SystemTime().monotonic()
                let first = try await script.run()
                let seconds = SystemTime().monotonic() - began
                print("hello-world from the command to the pushed commit, in a new directory: \(seconds.rounded(to: 2)) s")
                #expect(first.exit == .code(0), "\(first.stdoutText)\n\(first.stderrText)")

                // The table.
                let lines = first.stdoutText.split(separator: "\n").map(String.init)
                #expect(lines.first?.split(separator: " ") == ["AGENT", "TASK", "ATTEMPT", "REWARD", "ERROR", "TIME", "RUN"])
                let row = lines.dropFirst().first?.split(separator: " ").map(String.init) ?? []
                try #require(row.count == 7, "\(first.stdoutText)")
                #expect(Array(row[0..<5]) == ["oracle", "hello-world", "1", "1.00", "-"])
                let run = row[6]
                #expect(lines.contains("1 trial: 1 completed, 0 failed; pass rate 100.0%, mean reward 1.00"))

                // One commit for the run, one for the job; the table names the tip.
                let remote = "\(bench.benchmark)/.assay/quickstart-results.git"
                let commits = try await bench.commits(of: remote)
                #expect(commits.map { String($0.subject.prefix(4)) } == ["Run:", "Job:"])
                #expect(commits.first?.subject == "Run: \(run)")
                let tip = try await bench.git("rev-parse", "assay/runs/v1", in: remote)
                #expect(lines.contains { $0.hasPrefix("results: assay/runs/v1 of ") && $0.hasSuffix(" at \(tip.prefix(12))") })
                #expect(lines.contains { $0.contains("git -C .assay/quickstart-results.git log assay/runs/v1") }, "it says how to look at them")
                #expect(lines.contains { $0.contains("Assay-Task: hello-world") }, "it shows them")
                let trailers = try #require(commits.first?.trailers)
                #expect(trailers["Assay-Eval"] == "test-dataset")
                #expect(trailers["Assay-Job"] == "hello-world")
                #expect(trailers["Assay-Agent"] == "oracle")
                #expect(trailers["Assay-Task"] == "hello-world")
                #expect(trailers["Assay-Reward"].flatMap(Double.init) == 1)
                #expect(trailers["Source-Commit"] == (try await bench.git("rev-parse", "HEAD")))

                let again = SystemTime().monotonic()
                let second = try await script.run()
                print("the same again: \((SystemTime().monotonic() - again).rounded(to: 2)) s")
                #expect(second.exit == .code(0), "\(second.stderrText)")
                #expect(second.stdoutText.contains("hello-world is finished; nothing is left to run"))
                #expect(second.stdoutText.contains(run), "it shows the results that are there")
                #expect(try await bench.git("rev-parse", "assay/runs/v1", in: remote) == tip, "nothing was committed")
            }
        }

        @Test func theExitStatusTellsTheWorstThatHappened() async throws {
            try await Workbench.with("exit") { bench in
                try bench.task("solved")
                try bench.task("half", test: "mkdir -p /logs/verifier; echo 0.5 > /logs/verifier/reward.txt")
                try bench.task("unrewarded", test: "true")
                try await bench.commitBenchmark()
                func job(_ task: String) throws {
                    try bench.write("\(task).yaml", JobFiles.job(task, datasets: "[{path: tasks, include: [\(task)]}]"))
                }
                try job("half")
                try await bench.assay("run", "half.yaml", expecting: 0)
                try await bench.assay("run", "half.yaml", "--min-pass-rate", "0.5", expecting: 1)
                try job("solved")
                try await bench.assay("run", "solved.yaml", "--min-pass-rate", "1", expecting: 0)
                try job("unrewarded")
                let failed = try await bench.assay("run", "unrewarded.yaml", expecting: 1)
                #expect(failed.stdoutText.contains("verifier_reward_missing"))
                try await bench.assay("run", "no-such-file.yaml", expecting: 2)
                try await bench.assay("run", "half.yaml", "--min-pass-rate", "2", expecting: 2)
            }
        }

        /// `backend: local` writes the same files as the branch.
        @Test func theLocalBackendHasTheLayoutOfTheBranch() async throws {
            try await Workbench.with("local") { bench in
                try bench.task("one", test: "mkdir -p /logs/verifier; echo 1 > /logs/verifier/reward.txt; echo kept > /logs/artifacts/a.txt")
                try await bench.commitBenchmark()
                try bench.write("git.yaml", JobFiles.job("on-a-branch"))
                try bench.write("local.yaml", JobFiles.job("in-files", artifacts: "{backend: local}"))
                try await bench.assay("run", "git.yaml", expecting: 0)
                let local = try await bench.assay("run", "local.yaml", expecting: 0)
                #expect(local.stdoutText.contains("results: \(bench.directory)/.assay/results"))

                let branch = try await bench.branch()
                let root = "\(bench.directory)/.assay/results"
                let found = try FileManager.default.subpathsOfDirectory(atPath: root).filter {
                    var directory: ObjCBool = false
                    return FileManager.default.fileExists(atPath: "\(root)/\($0)", isDirectory: &directory) && !directory.boolValue
                }
                // Runs have different ids; below them all names are the same, and so are all levels above.
                func names(_ paths: [String]) -> [String] {
                    paths.map { path in
                        path.split(separator: "/").enumerated().map { $0 < 2 ? String(repeating: "x", count: $1.count) : String($1) }.joined(
                            separator: "/")
                    }.sorted()
                }
                #expect(names(found) == names(branch.files))
                #expect(branch.files.contains { $0.hasSuffix("/logs/artifacts/a.txt") })

                let listed = try await bench.assay("results", "list", "--output", "json", expecting: 0)
                #expect(listed.stdoutText.contains("in-files"))
                let onBranch = try await bench.assay("results", "list", "--remote", "results.git", "--output", "json", expecting: 0)
                #expect(onBranch.stdoutText.contains("on-a-branch"))
            }
        }
    }
}

extension Double {
    func rounded(to digits: Int) -> String { String(format: "%.\(digits)f", self) }
}
