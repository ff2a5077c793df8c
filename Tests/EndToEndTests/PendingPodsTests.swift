import Base
import Foundation
import Glibc
import Testing

extension EndToEnd {
    /// Pods that cannot start on this machine: `assay run` says why, in the node's words, within seconds.
    @Suite struct PendingPodsTests {
        private func waits(_ name: String, image: String, memory: Int? = nil, toml: String = "", says words: [String]) async throws {
            try await Workbench.with(name) { bench in
                try bench.task("one", toml: toml)
                try await bench.commitBenchmark()
                let limit = memory.map { ", overrideMemoryMB: \($0)" } ?? ""
                try bench.write(
                    "job.yaml",
                    """
                    apiVersion: assay.dev/v1alpha1
                    kind: EvalJob
                    metadata: {name: \(name)}
                    spec:
                      source: {repo: benchmark}
                      datasets: [{path: tasks}]
                      agents: [{name: oracle}]
                      environment: {image: "\(image)"\(limit)}
                      artifacts: {backend: local}
                    """)
                let run = try bench.start(["run", "job.yaml"], to: "run.log")
                try await eventually("it says what it waits for") { try bench.read("run.log").contains("waiting: ") }
                let said = try bench.read("run.log")
                for word in words { #expect(said.contains(word), "\(said)") }
                #expect(said.contains("0 running"), "\(said)")
                try await SystemTime().sleep(seconds: 4)
                let lines = try bench.read("run.log").split(separator: "\n").filter { $0.hasPrefix("waiting: ") }
                #expect(lines.count == 1, "\(lines)")
                run.signal(SIGINT)
                _ = await run.wait()
            }
        }

        @Test func anImageThatCannotBePulled() async throws {
            try await waits("no-image", image: "127.0.0.1:1/none:1", says: ["pod ", "127.0.0.1:1/none:1"])
        }

        @Test func aGPUThatNobodyHas() async throws {
            try await waits("no-gpu", image: "rootfs:/", toml: "[environment]\ngpus = 1\n", says: ["pod ", "Insufficient nvidia.com/gpu"])
            try await waits(
                "no-type", image: "rootfs:/", toml: "[environment]\ngpus = 1\ngpu_types = [\"H100\"]\n",
                says: ["pod ", "didn't match Pod's node affinity/selector"])
        }

        @Test func moreMemoryThanTheMachineHas() async throws {
            try await waits("no-room", image: "rootfs:/", memory: 16_000_000, says: ["pod ", "Insufficient memory"])
        }
    }
}
