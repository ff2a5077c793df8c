import Base
import Foundation
import Testing

extension EndToEnd {
    /// Fixtures, from the lock file to the verifier of a trial.
    @Suite struct FixtureTests {
        /// A task whose test passes only with the fixture, and whose agent must not see it.
        private func benchmark(_ bench: Workbench) async throws {
            try bench.task(
                "data", solution: "test ! -e /tests/corpus.bin",
                test:
                    "mkdir -p /logs/verifier; test \"$(sha256sum < /tests/corpus.bin)\" = \"$(cat /tests/corpus.sum)\" && echo 1 > /logs/verifier/reward.txt"
            )
            let corpus = String(repeating: "0123456789abcdef", count: 40_000)
            try bench.write("\(bench.benchmark)/tasks/data/tests/corpus.sum", "\(SHA256.hex(of: Array(corpus.utf8)))  -\n")
            try bench.write("\(bench.benchmark)/.gitignore", "corpus.bin\n")
            try bench.write("\(bench.benchmark)/tasks/data/tests/corpus.bin", corpus)
            try await bench.commitBenchmark()
            _ = try await bench.assay(
                "fixtures", "lock", "\(bench.benchmark)/fixtures.lock", "--add", "\(bench.benchmark)/tasks/data/tests/corpus.bin", expecting: 0)
            try await bench.commitBenchmark()
        }

        @Test func aFixtureReachesTheVerifierOnACIRunnerAndTheSummaryIsWritten() async throws {
            try await Workbench.with("fixtures") { bench in
                try await benchmark(bench)
                #expect(try await !bench.git("ls-files").contains("corpus.bin"))
                try bench.write(
                    "job.yaml",
                    "apiVersion: assay.dev/v1alpha1\nkind: EvalTarget\nmetadata: {name: runner}\nspec: {type: gha-runner}\n---\n"
                        + JobFiles.job("fixed", source: "{repo: benchmark, fixtures: {}}", extra: "  targetRef: {name: runner}"))
                let run = try await bench.assay(
                    ["run", "job.yaml"], expecting: 0, environment: ["GITHUB_STEP_SUMMARY": "\(bench.directory)/summary.md"])
                #expect(run.stdoutText.contains("1 trial: 1 completed, 0 failed; pass rate 100.0%"), "\(run.stdoutText)")
                #expect(try bench.read("summary.md").contains("| oracle | data | 1 | 1.00 |"))
            }
        }

        @Test func aFixtureThatIsAnotherFileIsAFixtureMismatch() async throws {
            try await Workbench.with("fixture-mismatch") { bench in
                try await benchmark(bench)
                try bench.task("other")
                try await bench.commitBenchmark()
                try bench.write("\(bench.benchmark)/tasks/data/tests/corpus.bin", "changed")
                try bench.write("job.yaml", JobFiles.job("mismatch", source: "{repo: benchmark, fixtures: {manifest: fixtures.lock}}"))
                let run = try await bench.assay("run", "job.yaml", expecting: 3)
                #expect(
                    run.stdoutText.contains("fixture_mismatch") && run.stdoutText.contains("2 trials: 1 completed, 1 failed"), "\(run.stdoutText)")
            }
        }
    }
}
