import Base
import Foundation
import Subprocess
import Testing
import YAML

extension EndToEnd {
    /// The workflow of docs/ci.md: its files as they are in the page, its commands as a runner starts them.
    @Suite struct ContinuousIntegrationTests {
        private func blocks(of page: String) -> [String] {
            page.components(separatedBy: "\n```yaml\n").dropFirst().compactMap { $0.components(separatedBy: "\n```\n").first.map { $0 + "\n" } }
        }

        @Test(arguments: ["pull-request", "nightly"])
        func theWorkflowOfThePageWorks(target: String) async throws {
            let page = try String(contentsOfFile: "\(Workbench.root)/docs/ci.md", encoding: .utf8)
            let files = blocks(of: page)
            try #require(files.count == 2)
            let workflow = try YAML.parseSingle(files[1])
            let job = try #require(workflow.at("jobs", "evaluate"))
            #expect(job.at("env", "TARGET")?.string?.contains("'\(target)'") == true)
            let steps = try #require(job["steps"]?.array)
            // Actions are named with a version, and every other step is a command.
            #expect(steps.allSatisfy { $0["uses"]?.string?.contains("@v") ?? ($0["run"] != nil) })
            let commands = steps.compactMap { $0["run"]?.string }
            #expect(commands.count == 3)
            try await Workbench.with("ci") { bench in
                try FileManager.default.createDirectory(atPath: "\(bench.benchmark)/tasks", withIntermediateDirectories: true)
                try FileManager.default.copyItem(
                    atPath: "\(Workbench.root)/test-dataset/hello-world", toPath: "\(bench.benchmark)/tasks/hello-world")
                try bench.write("\(bench.benchmark)/job.yaml", files[0])
                try await bench.commitBenchmark()
                let programs = "\(bench.directory)/programs"
                try FileManager.default.createDirectory(atPath: programs, withIntermediateDirectories: true)
                try FileManager.default.createSymbolicLink(atPath: "\(programs)/assay", withDestinationPath: Workbench.executable())
                let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
                for command in commands {
                    // As GitHub's runner starts a step: `bash -e {0}`.
                    try bench.write("step.sh", command + "\n")
                    let step = try await Command(
                        "bash", ["--noprofile", "--norc", "-eo", "pipefail", "\(bench.directory)/step.sh"],
                        environment: .inheriting(adding: [
                            "PATH": "\(programs):\(path)", "TARGET": target, "GITHUB_STEP_SUMMARY": "\(bench.directory)/summary.md",
                            "XDG_CACHE_HOME": "\(bench.directory)/cache",
                        ]), workingDirectory: bench.benchmark, deadlineSeconds: 300
                    ).run()
                    #expect(step.succeeded, "\(command): \(step.exit)\n\(step.stdoutText)\n\(step.stderrText)")
                }
                #expect(try bench.read("summary.md").contains("| oracle | hello-world | 1 | 1.00 |"))
                // The path that the last step keeps has the results.
                let kept = try #require(steps.last?.at("with", "path")?.string)
                let found = try await Command("grep", ["-rl", "hello-world", "\(bench.benchmark)/\(kept)"], deadlineSeconds: 60).run()
                #expect(found.stdoutText.contains("metadata.json"), "\(found.stdoutText)")
                // What a run writes is no change of the checkout.
                #expect(try await bench.git("status", "--porcelain").isEmpty)
            }
        }
    }
}
