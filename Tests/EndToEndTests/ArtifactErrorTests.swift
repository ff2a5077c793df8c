import Base
import Foundation
import Subprocess
import Testing

extension EndToEnd {
    /// Results that cannot be written.
    @Suite struct ArtifactErrorTests {
        @Test func aDefaultBranchIsNeverMade() async throws {
            try await Workbench.with("default-branch") { bench in
                try bench.task("one")
                try await bench.commitBenchmark()
                let head = try await bench.git("symbolic-ref", "--short", "HEAD", in: bench.results)
                try bench.write("job.yaml", JobFiles.job("job", artifacts: "{backend: git, git: {remote: results.git, branch: \(head)}}"))
                let result = try await bench.assay("run", "job.yaml", expecting: 2)
                for word in ["spec.artifacts.git.branch", head, "default branch", "assay/runs/v1"] {
                    #expect(result.stderrText.contains(word), "\(result.stderrText)")
                }
                #expect(try await bench.git("for-each-ref", in: bench.results) == "")
            }
        }

        @Test func aRemoteThatIsNoRepositoryIsRefusedBeforeAnythingRuns() async throws {
            try await Workbench.with("no-remote") { bench in
                try bench.task("one")
                try await bench.commitBenchmark()
                try bench.write("job.yaml", JobFiles.job("job", artifacts: "{backend: git, git: {remote: \"file://\(bench.directory)/typo.git\"}}"))
                let result = try await bench.assay("run", "job.yaml", expecting: 2)
                for word in ["spec.artifacts.git", "typo.git", "no git repository"] {
                    #expect(result.stderrText.contains(word), "\(result.stderrText)")
                }
                try bench.write("job.yaml", JobFiles.job("job2", artifacts: "{backend: git, git: {remote: upstream}}"))
                let named = try await bench.assay("run", "job.yaml", expecting: 2)
                for word in ["spec.artifacts.git.remote", "\"upstream\""] { #expect(named.stderrText.contains(word), "\(named.stderrText)") }

                // Once the repository exists, the same job continues.
                try await bench.git("init", "--quiet", "--bare", "\(bench.directory)/typo.git", in: bench.directory)
                try bench.write("job.yaml", JobFiles.job("job", artifacts: "{backend: git, git: {remote: \"file://\(bench.directory)/typo.git\"}}"))
                try await bench.assay("run", "job.yaml", expecting: 0)
                #expect(try await bench.branch(of: "\(bench.directory)/typo.git").runs.count == 1)
            }
        }

        @Test func aRemoteThatCannotBeReachedHoldsNothingUp() async throws {
            try await Workbench.with("unreachable") { bench in
                try bench.task("one")
                try await bench.commitBenchmark()
                try bench.write("job.yaml", JobFiles.job("job", artifacts: "{backend: git, git: {remote: \"https://127.0.0.1:1/x.git\"}}"))
                let result = try await bench.assay("run", "job.yaml", expecting: 4)
                #expect(result.stdoutText.contains("1 trial: 1 completed"))
                #expect(result.stdoutText.contains("kept in \(bench.directory)/.assay/artifacts until https://127.0.0.1:1/x.git takes them"))
                #expect(result.stderrText.contains("cannot be reached"), "\(result.stderrText)")
            }
        }

        /// The remote becomes unreachable while the job runs. The next run pushes the kept results and runs no trial.
        @Test func whatARemoteCouldNotTakeIsPushedByTheNextRun() async throws {
            try await Workbench.with("away") { bench in
                for name in ["a", "b", "c"] { try bench.task(name) }
                try await bench.commitBenchmark()
                let job = JobFiles.job("job", agents: JobFiles.agent("slow", execute: "sleep 2"), parallelism: 1)
                try bench.write("job.yaml", job)
                let running = try bench.start(["run", "job.yaml", "--push-interval", "1"], to: "run.log")
                try await eventually("the first run is on the branch") {
                    await bench.gitAnswer("rev-parse", "--verify", "--quiet", "assay/runs/v1", in: bench.results) != nil
                }
                try FileManager.default.moveItem(atPath: bench.results, toPath: bench.results + ".away")
                #expect(await running.wait() == .code(4))
                let said = try bench.read("run.log")
                #expect(said.contains("3 trials: 3 completed"), "\(said)")
                #expect(said.contains("kept in \(bench.directory)/.assay/artifacts until"), "\(said)")
                #expect(said.contains("run the same command again, which only pushes"), "\(said)")

                try FileManager.default.moveItem(atPath: bench.results + ".away", toPath: bench.results)
                let again = try await bench.assay("run", "job.yaml", expecting: 0)
                #expect(again.stdoutText.contains("nothing is left to run"), "\(again.stdoutText)")
                #expect(again.stdoutText.contains("results: assay/runs/v1 of"), "\(again.stdoutText)\(again.stderrText)")
                let branch = try await bench.branch()
                #expect(branch.runs.count == 3 && branch.jobs.count == 1)
                let subjects = try await bench.commits().map(\.subject)
                #expect(subjects.count == 4 && Set(subjects).count == 4)
            }
        }

        /// The deleted job's finalizers are the operator's: the command takes none away, so results that wait are not lost.
        @Test func resultsThatWaitOutliveAJobThatStartsAnew() async throws {
            try await Workbench.with("waiting-anew") { bench in
                try bench.task("one")
                try await bench.commitBenchmark()
                let hook = "\(bench.results)/hooks/pre-receive"
                try bench.write(hook, "#!/bin/sh\nexit 1\n", executable: true)
                try bench.write("job.yaml", JobFiles.job("twice"))
                try await bench.assay("run", "job.yaml", expecting: 4)
                try FileManager.default.removeItem(atPath: hook)
                try await bench.assay("run", "job.yaml", "--anew", expecting: 0)
                #expect(try await bench.branch().runs.count == 2)
            }
        }

        /// Two more remotes that do not take the results.
        @Test func aHookThatRefusesAndARemoteOfAnotherFormatAreToldInGitsWords() async throws {
            try await Workbench.with("refusing") { bench in
                try bench.task("one")
                try await bench.commitBenchmark()
                try bench.write("\(bench.results)/hooks/pre-receive", "#!/bin/sh\necho no results on Fridays >&2\nexit 1\n", executable: true)
                try bench.write("job.yaml", JobFiles.job("refused"))
                let refused = try await bench.assay("run", "job.yaml", expecting: 4)
                #expect(refused.stdoutText.contains("1 trial: 1 completed"), "\(refused.stdoutText)")
                #expect(
                    refused.stderrText.contains("pre-receive hook declined") && refused.stderrText.contains("--allow-unpushed"),
                    "\(refused.stderrText)")
                // Nothing is left to run, and the results still wait.
                try await bench.assay("run", "job.yaml", expecting: 4)
                try await bench.assay("run", "job.yaml", "--allow-unpushed", expecting: 0)
                try FileManager.default.removeItem(atPath: "\(bench.results)/hooks/pre-receive")
                try await bench.assay("run", "job.yaml", expecting: 0)
                #expect(try await bench.branch().runs.count == 1)

                try await bench.git("init", "--quiet", "--bare", "--object-format=sha256", "other.git", in: bench.directory)
                try bench.write("job.yaml", JobFiles.job("sha256", artifacts: "{backend: git, git: {remote: other.git}}"))
                let other = try await bench.assay(["run", "job.yaml"])
                #expect(other.exit == .code(4), "\(other.exit)")
                #expect(
                    other.stderrText.contains("SHA-256") && !other.stderrText.contains("check the address and the network")
                        && !other.stderrText.contains("credential"), "\(other.stderrText)")
            }
        }
    }
}
