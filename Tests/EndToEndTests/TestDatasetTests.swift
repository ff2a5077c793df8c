import Base
import Foundation
import Subprocess
import Testing

extension EndToEnd {
    @Suite struct TestDatasetTests {
        /// The expected end of a task's trial, from the table in test-dataset/README.md.
        struct Intended: Hashable {
            var task: String
            var agent: String
            var end: String
        }

        static func intentions() throws -> [Intended] {
            let text = try String(contentsOfFile: "\(Workbench.root)/test-dataset/README.md", encoding: .utf8)
            return text.split(separator: "\n").filter { $0.hasPrefix("| `") }.flatMap { line -> [Intended] in
                let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces).replacingOccurrences(of: "`", with: "") }
                guard cells.count == 4 else { return [] }
                return [Intended(task: cells[0], agent: "oracle", end: cells[2]), Intended(task: cells[0], agent: "scripted", end: cells[3])]
            }
        }

        /// 8 tasks x 2 agents x 2 attempts, 4 at a time: every reward and every error is as expected.
        @Test func everyTrialEndsAsItsTaskIntends() async throws {
            try await Workbench.with("dataset") { bench in
                try await bench.useTestDataset()
                let all = try String(contentsOfFile: "\(Workbench.root)/test-dataset/all.yaml", encoding: .utf8)
                let job = all.replacingOccurrences(of: "repo: .\n", with: "repo: benchmark\n")
                    .replacingOccurrences(of: "backend: local", with: "backend: git\n    git: {remote: results.git}")
                try #require(job.contains("results.git") && job.contains("repo: benchmark"))
                try bench.write("all.yaml", job)

                let began = SystemTime().monotonic()
                let result = try await bench.assay("run", "all.yaml", expecting: 1)
                let seconds = SystemTime().monotonic() - began
                #expect(
                    result.stdoutText.contains("32 trials: 14 completed, 18 failed; pass rate 25.0%, mean reward 0.64"), "\(result.stdoutText)")
                #expect(result.stderrText.contains("32/32 trials done"), "progress comes as lines where there is no terminal")

                let branch = try await bench.branch()
                #expect(branch.runs.count == 32)
                #expect(branch.retries.isEmpty)
                let intentions = try Self.intentions()
                try #require(intentions.count == 16)
                for intended in intentions {
                    let runs = branch.runs(task: intended.task, agent: intended.agent)
                    #expect(runs.compactMap { $0["attempt"]?.int } == [1, 2], "\(intended)")
                    for run in runs {
                        let end = run.at("error", "type")?.string ?? run["reward"]?.double.map { "reward \(String(format: "%g", $0))" } ?? "-"
                        #expect(end == intended.end, "\(intended.task), \(intended.agent): \(run.text)")
                        if intended.end.hasPrefix("reward") {
                            #expect(run["outcome"]?.string == "completed" && run["passed"]?.bool == (run["reward"]?.double == 1))
                        } else {
                            #expect(run["outcome"]?.string == "failed" && run["reward"] == nil && run["passed"]?.bool == false)
                        }
                    }
                }

                // The job's own record has the totals that the README computes.
                try #require(branch.jobs.count == 1)
                let totals = try #require(branch.jobs[0]["totals"])
                #expect(branch.jobs[0]["totalTrials"]?.int == 32)
                #expect(totals["completed"]?.int == 14 && totals["failed"]?.int == 18 && totals["passes"]?.int == 8)
                #expect(totals["infrastructure"]?.int == 0 && totals["skipped"]?.int == 0)
                #expect(totals["passRate"]?.double == 0.25)
                #expect(abs((totals["meanReward"]?.double ?? 0) - 9.0 / 14) < 1e-9)
                let agents = branch.jobs[0]["agents"]
                #expect(agents?.at("oracle", "passRate")?.double == 0.125 && agents?.at("oracle", "meanReward")?.double == 0.5)
                #expect(agents?.at("scripted", "passRate")?.double == 0.375 && agents?.at("scripted", "meanReward")?.double == 0.75)

                // One commit with its trailers for each run, then one for the job.
                let commits = try await bench.commits()
                let subjects = commits.map(\.subject)
                #expect(subjects.count == 33 && Set(subjects).count == 33)
                #expect(subjects.filter { $0.hasPrefix("Run: ") }.count == 32)
                #expect(subjects.last?.hasPrefix("Job: ") == true)
                for commit in commits.dropLast() {
                    let trailers = commit.trailers
                    #expect(trailers["Assay-Eval"] == "test-dataset" && trailers["Assay-Job"] == "self-test")
                    #expect(trailers["Assay-Agent"] != nil && trailers["Assay-Task"] != nil && trailers["Source-Commit"]?.count == 40)
                    #expect((trailers["Assay-Reward"] == nil) == (trailers["Assay-Error"] != nil))
                }

                let own = branch.runs.values.map { run in
                    ["install", "execute", "verify"].reduce(0) { $0 + (run.at("timings", $1, "seconds")?.double ?? 0) }
                }.reduce(0, +)
                print(
                    "32 trials, 4 at a time: \(seconds.rounded(to: 1)) s; the trials' own time \(own.rounded(to: 1)) s; "
                        + "ours: \(((seconds - own / 4) / 32).rounded(to: 2)) s of the job's time per trial, "
                        + "\(((seconds * 4 - own) / 32).rounded(to: 2)) s of a trial's place")
            }
        }
    }
}
