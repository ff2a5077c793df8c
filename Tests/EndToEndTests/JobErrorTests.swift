import Base
import Foundation
import Subprocess
import Testing

extension EndToEnd {
    /// Mistakes in a job file: exit status 2, one message with the place and the fix, and nothing is run.
    @Suite struct JobErrorTests {
        /// Runs a job that cannot begin; returns its output.
        private func refusal(_ bench: Workbench, _ job: String, _ options: String..., sourceLocation: SourceLocation = #_sourceLocation) async throws
            -> String
        {
            try bench.write("job.yaml", job)
            // A command that waits does so for ever.
            let result = try await bench.assay(["run", "job.yaml"] + options, seconds: 180)
            #expect(result.exit == .code(2), "\(result.exit) \(result.stdoutText)\n\(result.stderrText)", sourceLocation: sourceLocation)
            #expect(result.stdoutText == "", sourceLocation: sourceLocation)
            let message = try #require(result.stderrText.split(separator: "\n").last.map(String.init), sourceLocation: sourceLocation)
            #expect(message.hasPrefix("assay: "), "\(result.stderrText)", sourceLocation: sourceLocation)
            return result.stderrText
        }

        private func expect(_ text: String, says words: String..., sourceLocation: SourceLocation = #_sourceLocation) {
            for word in words { #expect(text.contains(word), "its output lacks \(word): \(text)", sourceLocation: sourceLocation) }
        }

        @Test func sourcesThatCannotBeUsed() async throws {
            try await Workbench.with("sources") { bench in
                try bench.task("one")
                try await bench.commitBenchmark()
                try await bench.git("branch", "development")
                try await bench.git("tag", "v1.0")

                var said = try await refusal(bench, JobFiles.job("unreachable", source: "{repo: \"https://127.0.0.1:1/x.git\"}"))
                expect(said, says: "spec.source.repo", "https://127.0.0.1:1/x.git", "cannot be reached")
                said = try await refusal(bench, JobFiles.job("no-ref", source: "{repo: benchmark, ref: develop}"))
                expect(said, says: "spec.source.ref", "\"develop\"", "development", "main", "v1.0")
                said = try await refusal(bench, JobFiles.job("no-folder", source: "{repo: nowhere}"))
                expect(said, says: "spec.source.repo", "nowhere")
                said = try await refusal(bench, JobFiles.job("no-path", datasets: "[{path: tsaks}]"))
                expect(said, says: "spec.datasets[0].path", "tsaks", "tasks")
                said = try await refusal(bench, JobFiles.job("none-chosen", datasets: "[{path: tasks, include: [two]}]"))
                expect(said, says: "include")
                try bench.write("plain/tasks/one/task.toml", "")
                said = try await refusal(bench, JobFiles.job("no-repository", source: "{repo: plain}"))
                expect(said, says: "spec.source.repo", "no git repository", "git init")

                // After the mistake is corrected, the same job continues.
                try await bench.git("branch", "develop")
                try bench.write("job.yaml", JobFiles.job("no-ref", source: "{repo: benchmark, ref: develop}"))
                try await bench.assay("run", "job.yaml", expecting: 0)
            }
        }

        @Test func filesThatAreNoJob() async throws {
            try await Workbench.with("files") { bench in
                try bench.task("one")
                try await bench.commitBenchmark()
                let good = JobFiles.job("good")

                var said = try await refusal(bench, good.replacingOccurrences(of: "attempts: 1", with: "attempts: [1"))
                expect(said, says: "job.yaml", "line", "column")
                said = try await refusal(bench, good.replacingOccurrences(of: "  agents:", with: "  agentz:"))
                expect(said, says: "spec.agentz")
                said = try await refusal(bench, good.replacingOccurrences(of: "{repo: benchmark}", with: "{repo: benchmark, branch: main}"))
                expect(said, says: "spec.source.branch")
                said = try await refusal(bench, good.replacingOccurrences(of: "attempts: 1", with: "attempts: many"))
                expect(said, says: "spec.attempts", "integer")
                said = try await refusal(bench, good.replacingOccurrences(of: "attempts: 1", with: "attempts: 0"))
                expect(said, says: "spec.attempts", "greater than or equal to 1")
                said = try await refusal(bench, good.replacingOccurrences(of: "{name: oracle}", with: "{name: oracle}, {name: oracle}"))
                expect(said, says: "spec.agents")
                said = try await refusal(bench, good.replacingOccurrences(of: "backend: git", with: "backend: s3"))
                expect(said, says: "spec.artifacts.backend", "\"s3\"", "git", "local")
                said = try await refusal(bench, good.replacingOccurrences(of: "{name: good}", with: "{name: Not A Name}"))
                expect(said, says: "metadata.name")
                said = try await refusal(bench, "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\n---\n" + good)
                expect(said, says: "Pod", "document 1")
                said = try await refusal(bench, "")
                expect(said, says: "there is no EvalJob")
                said = try await refusal(bench, good + "\n---\n" + good)
                expect(said, says: "2 EvalJobs")
                // A feature that the schema has but this version does not support.
                let fixtures = "{repo: benchmark, fixtures: {manifest: fixtures.lock, cachePath: cache}}"
                said = try await refusal(bench, good.replacingOccurrences(of: "{repo: benchmark}", with: fixtures))
                expect(said, says: "spec.source.fixtures.cachePath")
            }
        }

        @Test func secretsThatAreMissing() async throws {
            try await Workbench.with("secrets") { bench in
                try bench.task("one")
                try await bench.commitBenchmark()
                func agent(_ key: String) -> String {
                    JobFiles.agent(
                        "caller", execute: "true", env: [["name": "KEY", "valueFrom": ["secretKeyRef": ["name": "llm", "key": .string(key)]]]])
                }
                var said = try await refusal(bench, JobFiles.job("no-secret", agents: agent("key")))
                expect(said, says: "spec.agents[0].env[0].valueFrom.secretKeyRef", "there is no Secret \"llm\"")
                said = try await refusal(bench, JobFiles.secret("llm", ["api-key": "x"]) + JobFiles.job("no-key", agents: agent("key")))
                expect(said, says: "spec.agents[0].env[0].valueFrom.secretKeyRef", "no key \"key\"", "api-key")
                said = try await refusal(bench, JobFiles.job("no-login", source: "{repo: benchmark, secretRef: {name: login}}"))
                expect(said, says: "spec.source.secretRef", "there is no Secret \"login\"")
            }
        }

        @Test func aMachineWithoutPodman() async throws {
            try await Workbench.with("no-podman") { bench in
                try bench.task("one")
                try await bench.commitBenchmark()
                let said = try await refusal(bench, JobFiles.job("no-podman"), "--podman", "/nonexistent/podman")
                expect(said, says: "/nonexistent/podman is not installed", "apt install podman", "name another path")
            }
        }

        /// A defect of one task affects only that task.
        @Test func aTaskWithoutTestsIsInvalidAndTheOthersRun() async throws {
            try await Workbench.with("no-tests") { bench in
                try bench.task("good")
                try bench.task("without-tests", test: nil)
                try bench.task("broken-toml")
                try bench.write("\(bench.benchmark)/tasks/broken-toml/task.toml", "version = \"1.0\"\n[agent]\ntimeout_sec = \"soon\"\n")
                try await bench.commitBenchmark()
                try bench.write("job.yaml", JobFiles.job("no-tests", attempts: 2))
                // The error is the benchmark's, not an agent's, so such trials count as infrastructure and lower no rate.
                let result = try await bench.assay("run", "job.yaml", expecting: 3)
                #expect(result.stdoutText.contains("2 completed, 4 failed (4 by infrastructure); pass rate 100.0%"), "\(result.stdoutText)")
                let branch = try await bench.branch()
                #expect(branch.runs.count == 6)
                #expect(branch.runs(task: "good").compactMap { $0["reward"]?.double } == [1, 1])
                #expect(branch.errorType(task: "without-tests") == "task_invalid")
                #expect(branch.errorMessage(task: "without-tests").contains("tests/test.sh"), "\(branch.errorMessage(task: "without-tests"))")
                #expect(branch.errorType(task: "broken-toml") == "task_invalid")
                #expect(branch.errorMessage(task: "broken-toml").contains("line 3"), "\(branch.errorMessage(task: "broken-toml"))")
            }
        }

        /// The default image lacks what the Dockerfile adds, so a result would not describe the agent.
        @Test func aTaskWithOnlyADockerfileDoesNotRunOnTheDefaultImage() async throws {
            try await Workbench.with("only-dockerfile") { bench in
                try bench.task("plain")
                try bench.task("needs-build")
                try bench.write("\(bench.benchmark)/tasks/needs-build/environment/Dockerfile", "FROM 127.0.0.1:1/no/such-base:1\nRUN touch /x\n")
                try await bench.commitBenchmark()
                try bench.write("job.yaml", JobFiles.job("only-dockerfile", image: nil))
                try await bench.assay("run", "job.yaml", expecting: 3)
                let branch = try await bench.branch()
                #expect(branch.runs(task: "plain").compactMap { $0["reward"]?.double } == [1])
                // Its base image does not exist, so the build fails; the trial must not run on another image instead.
                #expect(branch.errorType(task: "needs-build") == "environment_build_failed")
                let message = branch.errorMessage(task: "needs-build")
                #expect(message.contains("environment/Dockerfile") && message.contains("no/such-base"), "\(message)")
            }
        }

        @Test func whatAJobMeasuresIsFixedOnceItHasTrials() async throws {
            try await Workbench.with("changed") { bench in
                try bench.task("one")
                try await bench.commitBenchmark()
                try bench.write("job.yaml", JobFiles.job("fixed"))
                try await bench.assay("run", "job.yaml", expecting: 0)
                let said = try await refusal(bench, JobFiles.job("fixed", attempts: 2))
                expect(said, says: "spec.attempts", "fixed once trials exist", "give the changed job another name", "--anew")
                // Settings of how it runs may change.
                try bench.write("job.yaml", JobFiles.job("fixed", parallelism: 2))
                let again = try await bench.assay("run", "job.yaml", expecting: 0)
                #expect(again.stdoutText.contains("nothing is left to run"))
            }
        }
    }
}
