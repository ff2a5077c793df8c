import Base
import Foundation
import Subprocess
import Testing

extension EndToEnd {
    /// Trials that cannot end by themselves or cannot begin: each gets its typed error within a bound.
    @Suite struct BadTrialTests {
        @Test func aTrialThatRunsOutOfItsMemoryIsAnOutcomeOfItsPhase() async throws {
            try await Workbench.with("memory") { bench in
                // With cgroups v1 the node ends the container a moment after the kernel has killed the agent; the tests must not be quicker.
                try bench.task(
                    "greedy", toml: "[environment]\nmemory_mb = 2048\n",
                    test: "sleep 5; mkdir -p /logs/verifier; echo 1 > /logs/verifier/reward.txt")
                try await bench.commitBenchmark()
                let allocate = "echo allocating; x=0123456789abcdef; while :; do x=$x$x; done"
                try bench.write(
                    "job.yaml", JobFiles.job("memory", agents: JobFiles.agent("greedy", execute: allocate), environment: "overrideMemoryMB: 64"))
                try await bench.assay("run", "job.yaml", expecting: 1, seconds: 180)
                let branch = try await bench.branch()
                #expect(branch.errorType(task: "greedy") == "agent_execution_failed")
                #expect(branch.errorMessage(task: "greedy").contains("OOMKilled"), "\(branch.errorMessage(task: "greedy"))")
                let run = try #require(branch.runs(task: "greedy").first)
                #expect(run["outcome"]?.string == "failed" && run["retries"]?.int == 0, "an outcome is not retried")
                #expect(run.at("config", "memoryMB")?.int == 64)
                #expect(try await bench.output(ofAgent: "greedy").contains("allocating"), "its earlier output is kept")
            }
        }

        /// Images that need no registry; each is empty except for its defect.
        @Test func aTrialThatCannotBeginHasATypedErrorWithinABound() async throws {
            try await Workbench.with("start") { bench in
                let images = try await LocalImages(bench)
                defer { images.forget() }
                let noBash = try await images.make("no-bash", files: ["README": "Nothing to run here.\n"])
                let brokenBash = try await images.make("broken-bash", files: ["bin/bash": "\u{7F}ELF is how programs begin, and this is none\n"])

                func image(_ name: String) -> String { "[environment]\ndocker_image = \"\(name)\"\n" }
                try bench.task("good", toml: image("rootfs:/"))
                try bench.task("without-bash", toml: image(noBash))
                try bench.task("broken-bash", toml: image(brokenBash))
                try bench.task("misnamed-image", toml: image("Not An Image"))
                try bench.task("missing-image", toml: image("127.0.0.1:1/no/such:1"))
                try await bench.commitBenchmark()
                try bench.write(
                    "job.yaml",
                    JobFiles.job("start", parallelism: 5, image: nil, extra: "  retry: {maxAttempts: 2, initialDelayMs: 100}"))

                let began = SystemTime().monotonic()
                // The longest bound is that of an image that cannot be pulled; it is tried twice.
                try await bench.assay("run", "job.yaml", "--image-pull-timeout", "10", expecting: 3, seconds: 300)
                print(
                    "trials that cannot begin, tried twice where infrastructure is at fault: \((SystemTime().monotonic() - began).rounded(to: 1)) s")

                let branch = try await bench.branch()
                func run(_ task: String) throws -> JSONValue { try #require(branch.runs(task: task).first, "no run of \(task)") }
                #expect(try run("good")["reward"]?.double == 1, "the others do not delay it")

                #expect(branch.errorType(task: "without-bash") == "task_invalid")
                #expect(branch.errorMessage(task: "without-bash").contains("bash"))
                #expect(try run("without-bash")["retries"]?.int == 0, "a retry would not help")

                #expect(branch.errorMessage(task: "broken-bash").contains("bash"))
                #expect(branch.errorType(task: "broken-bash") == "environment_start_failed", "\(branch.errorMessage(task: "broken-bash"))")

                for task in ["misnamed-image", "missing-image"] {
                    #expect(branch.errorType(task: task) == "environment_image_pull_failed", "\(branch.errorMessage(task: task))")
                    #expect(try run(task)["retries"]?.int == 1)
                    #expect(try run(task)["outcome"]?.string == "infrastructure")
                }
                #expect(branch.errorMessage(task: "missing-image").contains("127.0.0.1:1/no/such:1"))
                #expect(branch.retries.values.contains { $0["task"]?.string == "missing-image" }, "the first try is recorded beside the last")
                #expect(branch.jobs.first?.at("totals", "infrastructure")?.int ?? 0 >= 2)
            }
        }

        @Test func onlyInfrastructureAtFaultHasAnExitStatusOfItsOwn() async throws {
            try await Workbench.with("infrastructure") { bench in
                try bench.task("misnamed", toml: "[environment]\ndocker_image = \"Not An Image\"\n")
                try await bench.commitBenchmark()
                try bench.write("job.yaml", JobFiles.job("infra", image: nil, extra: "  retry: {maxAttempts: 1}"))
                try await bench.assay("run", "job.yaml", expecting: 3, seconds: 180)
            }
        }
    }
}

/// Images in this user's podman storage, made of local files; removed after the test.
private final class LocalImages: Sendable {
    private let bench: Workbench
    private let made = Locked<[String]>([])

    init(_ bench: Workbench) async throws { self.bench = bench }

    func make(_ name: String, files: [String: String]) async throws -> String {
        // Not `latest`, because for that tag the registry is asked each time.
        let image = "localhost/assay-e2e-\(name):\(UUID().uuidString.prefix(8).lowercased())"
        for (path, text) in files { try bench.write("image-\(name)/\(path)", text, executable: true) }
        let archive = "\(bench.directory)/\(name).tar"
        for command in [
            Command("tar", ["-C", "\(bench.directory)/image-\(name)", "-cf", archive, "."]), Command("podman", ["import", archive, image]),
        ] {
            let result = try await command.run()
            try #require(result.succeeded, "\(command.executable): \(result.stderrText)")
            if command.executable == "podman" { made.withLock { $0.append(image) } }
        }
        return image
    }

    func forget() {
        let images = made.withLock { $0 }
        guard !images.isEmpty else { return }
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["podman", "rmi", "--force"] + images
        process.standardOutput = FileHandle.nullDevice
        try? process.run()
        process.waitUntilExit()
    }
}
