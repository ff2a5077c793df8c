import Base
import Foundation
import Testing

extension EndToEnd {
    /// One EvalJob on targets of different types and strategies.
    @Suite struct TargetTests {
        private static let targets = """
            apiVersion: assay.dev/v1alpha1
            kind: EvalTarget
            metadata: {name: disk}
            spec: {type: local, sync: noop, workdir: benchmark}
            ---
            apiVersion: assay.dev/v1alpha1
            kind: EvalTarget
            metadata: {name: runner}
            spec: {type: ci, sync: oneshot, syncOptions: {mode: shallow}}
            ---
            apiVersion: assay.dev/v1alpha1
            kind: EvalTarget
            metadata: {name: part}
            spec: {type: cluster, sync: continuous, syncOptions: {mode: sparse, sparsePaths: [tasks]}}
            ---

            """

        private func record(_ bench: Workbench, job: String, task: String) async throws -> JSONValue {
            let names = try await bench.git("ls-tree", "-r", "--name-only", "assay/runs/v1", in: bench.results)
            for name in names.split(separator: "\n") where name.hasSuffix("/metadata.json") {
                let text = try await bench.git("show", "assay/runs/v1:\(name)", in: bench.results)
                let value = try JSONValue(parsing: Array(text.utf8))
                if value["jobName"]?.string == job, value["task"]?.string == task { return value }
            }
            throw UnfoundRecord()
        }

        private struct UnfoundRecord: Error {}

        @Test func oneJobHasTheSameResultsOnEveryTarget() async throws {
            try await Workbench.with("targets") { bench in
                try bench.task("good")
                try bench.task("bad", solution: "true", test: "mkdir -p /logs/verifier; echo 0 > /logs/verifier/reward.txt")
                try await bench.commitBenchmark()
                let head = try await bench.git("rev-parse", "HEAD")
                try await RemoteMachine.with(bench) { machine in
                    let targets = try machine.documents(target: "machine") + Self.targets
                    for target in ["disk", "runner", "part", "machine"] {
                        try bench.write("job.yaml", targets + JobFiles.job("on-\(target)", extra: "  targetRef: {name: \(target)}"))
                        let run = try await bench.assay("run", "job.yaml", expecting: 0)
                        #expect(run.stdoutText.contains("2 trials: 2 completed, 0 failed; pass rate 50.0%"), "\(target): \(run.stdoutText)")
                        for (task, reward) in [("good", 1.0), ("bad", 0.0)] {
                            let record = try await record(bench, job: "on-\(target)", task: task)
                            #expect(record["reward"]?.double == reward && record["sourceCommit"]?.string == head && record["sourceSnapshot"] == nil)
                        }
                    }
                    #expect(machine.trialsLeft().isEmpty)
                }
            }
        }

        @Test func filesThatAreNotCommittedRunAndTheRecordSaysSo() async throws {
            try await Workbench.with("dirty") { bench in
                try bench.task("changed")
                try await bench.commitBenchmark()
                let head = try await bench.git("rev-parse", "HEAD")
                try bench.task("changed", test: "mkdir -p /logs/verifier; echo 0.5 > /logs/verifier/reward.txt")
                try bench.write(
                    "job.yaml",
                    Self.targets + JobFiles.job("dirty", source: "{repo: \"https://nowhere.invalid/org/repo\"}", extra: "  targetRef: {name: disk}"))
                try await bench.assay("run", "job.yaml", expecting: 0)
                let record = try await record(bench, job: "dirty", task: "changed")
                #expect(record["reward"]?.double == 0.5 && record.at("sourceSnapshot", "head")?.string == head)
                #expect(record["sourceRepo"]?.string == bench.benchmark && record["sourceCommit"]?.string != head)
                let shown = try await bench.assay("results", "show", try #require(record["runId"]?.string), expecting: 0)
                #expect(shown.stdoutText.contains("had changes to commit \(head)"), "\(shown.stdoutText)")

                let same = try await bench.assay("run", "job.yaml", expecting: 0)
                #expect(!same.stderrText.contains("does not run"), "\(same.stderrText)")
                try bench.task("changed", test: "mkdir -p /logs/verifier; echo 0 > /logs/verifier/reward.txt")
                let moved = try await bench.assay("run", "job.yaml", expecting: 0)
                let began = try #require(record["sourceCommit"]?.string?.prefix(12))
                for word in [bench.benchmark, String(began), "which does not run", "--anew"] {
                    #expect(moved.stderrText.contains(word), "\(word): \(moved.stderrText)")
                }
                #expect(moved.stdoutText.contains("nothing is left to run"), "\(moved.stdoutText)")
            }
        }

        @Test func aDirectoryThatDoesNotFitIsRefusedByName() async throws {
            try await Workbench.with("misfit") { bench in
                try bench.task("good")
                try await bench.commitBenchmark()
                try bench.write(
                    "job.yaml",
                    Self.targets.replacingOccurrences(of: "workdir: benchmark", with: "workdir: benchmark/tasks")
                        + JobFiles.job("misfit", extra: "  targetRef: {name: disk}"))
                let run = try await bench.assay("run", "job.yaml", expecting: 2)
                #expect((run.stdoutText + run.stderrText).contains("workdir of the EvalTarget: "), "\(run.stdoutText)\(run.stderrText)")
                #expect((run.stdoutText + run.stderrText).contains("name the root of the repository"), "\(run.stdoutText)\(run.stderrText)")
            }
        }
    }
}
