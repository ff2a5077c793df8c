import Base
import Foundation
import Glibc
import Subprocess
import Testing

extension EndToEnd {
    /// A run that is stopped by Ctrl-C, by a kill, or refused because of another run in its directory.
    @Suite struct InterruptTests {
        /// Some tasks end at once, others would run for a minute.
        private func mixed(_ bench: Workbench, quick: Int, slow: Int, seconds: Int) async throws {
            for number in 0..<quick { try bench.task("a-quick-\(number)") }
            for number in 0..<slow { try bench.task("slow-\(number)", instruction: "slowly", solution: "sleep \(seconds)") }
            try await bench.commitBenchmark()
        }

        private func runs(_ bench: Workbench) async -> Int {
            let log = await bench.gitAnswer("log", "--format=%s", "assay/runs/v1", in: bench.results) ?? ""
            return log.split(separator: "\n").count { $0.hasPrefix("Run: ") }
        }

        @Test func anInterruptKeepsWhatEndedLeavesNoContainerAndIsGoneOnFrom() async throws {
            try await Workbench.with("interrupt") { bench in
                try await mixed(bench, quick: 2, slow: 2, seconds: 20)
                try bench.write("job.yaml", JobFiles.job("interrupted", parallelism: 2))
                let running = try bench.start(["run", "job.yaml", "--push-interval", "1"], to: "run.log")
                try await eventually("two runs are recorded") { await runs(bench) >= 2 }
                try await eventually("slow trials run") { await bench.containers().count >= 2 }

                let began = SystemTime().monotonic()
                running.signal(SIGINT)
                let exit = await running.wait()
                let seconds = SystemTime().monotonic() - began
                let said = try bench.read("run.log")
                print("from Ctrl-C to the end: \(seconds.rounded(to: 1)) s")
                #expect(exit == .code(130), "\(said)")
                #expect(seconds < 30, "\(said)")
                #expect(await bench.containersLeft().isEmpty)
                #expect(said.contains("stopping: trials that run are ended, results are kept"), "\(said)")
                #expect(said.contains("the same command goes on"), "\(said)")

                let branch = try await bench.branch()
                #expect(branch.runs.count == 2 && branch.runs.values.allSatisfy { $0["outcome"]?.string == "completed" })
                #expect(branch.jobs.isEmpty, "the job is not over")

                // Stopped trials run again as if they had never started; trials with a result do not run again.
                let again = try await bench.assay("run", "job.yaml", expecting: 0)
                #expect(again.stderrText.contains("going on: 2 of 4 trials"), "\(again.stderrText)")
                #expect(again.stdoutText.contains("4 trials: 4 completed, 0 failed; pass rate 100.0%"), "\(again.stdoutText)")
                let whole = try await bench.branch()
                #expect(whole.runs.count == 4 && whole.jobs.count == 1)
                #expect(whole.runs.values.allSatisfy { $0["retries"]?.int == 0 }, "a trial that a user stopped does not count as failed")
                #expect(Set(branch.runs.keys).isSubset(of: whole.runs.keys))
                let subjects = try await bench.commits().map(\.subject)
                #expect(subjects.count == 5 && Set(subjects).count == 5, "\(subjects)")
            }
        }

        /// The first start in a directory probes podman with containers of its own.
        @Test func anInterruptWhileItStartsLeavesNothing() async throws {
            try await Workbench.with("starting") { bench in
                try await mixed(bench, quick: 1, slow: 0, seconds: 0)
                try bench.write("job.yaml", JobFiles.job("starting"))
                let running = try bench.start(["run", "job.yaml"], to: "run.log")
                try await eventually("it starts") { FileManager.default.fileExists(atPath: "\(bench.directory)/.assay/apiserver/token") }
                running.signal(SIGINT)
                #expect(await running.wait() == .code(130), "\((try? bench.read("run.log")) ?? "")")
                #expect(await bench.containersLeft().isEmpty)
                try await bench.assay("run", "job.yaml", expecting: 0)
            }
        }

        @Test func aSecondRunInTheSameDirectoryIsRefusedWithTheFirstOnesPid() async throws {
            try await Workbench.with("second") { bench in
                try await mixed(bench, quick: 0, slow: 1, seconds: 60)
                try bench.write("job.yaml", JobFiles.job("first"))
                let first = try bench.start(["run", "job.yaml"], to: "run.log")
                try await eventually("the trial runs") { await !bench.containers().isEmpty }
                let second = try await bench.assay("run", "job.yaml", expecting: 2, seconds: 120)
                #expect(second.stderrText.contains("pid \(first.pid)"), "\(second.stderrText)")
                first.signal(SIGINT)
                #expect(await first.wait() == .code(130), "\((try? bench.read("run.log")) ?? "")")
                #expect(await bench.containersLeft().isEmpty)
            }
        }

        /// A job that is killed at different moments, again and again, ends with each trial recorded once.
        @Test func aKilledRunIsTakenUpAgainAndEachTrialCountsOnce() async throws {
            try await Workbench.with("killed") { bench in
                try await mixed(bench, quick: 4, slow: 4, seconds: 2)
                try bench.write("job.yaml", JobFiles.job("killed", parallelism: 3))
                for (round, delay) in [0.7, 2.5, 4.0].enumerated() {
                    let running = try bench.start(["run", "job.yaml", "--push-interval", "1"], to: "run-\(round).log")
                    try await eventually("trials run") { await !bench.containers().isEmpty }
                    try await Task.sleep(for: .seconds(delay))
                    running.signal(SIGKILL)
                    _ = await running.wait()
                }
                let last = try await bench.assay("run", "job.yaml", expecting: 0)
                #expect(last.stdoutText.contains("8 trials: 8 completed, 0 failed; pass rate 100.0%"), "\(last.stdoutText)\(last.stderrText)")
                #expect(await bench.containersLeft().isEmpty)
                let branch = try await bench.branch()
                #expect(branch.runs.count == 8 && branch.jobs.count == 1)
                let subjects = try await bench.commits().map(\.subject).filter { $0.hasPrefix("Run: ") }
                #expect(subjects.count == 8 && Set(subjects).count == 8, "each trial once: \(subjects)")
                #expect(branch.jobs.first?.at("totals", "completed")?.int == 8)
            }
        }
    }
}
