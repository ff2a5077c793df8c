import AssayAPI
import AssayTesting
import Base
import EvalModel
import Foundation
import KubeCore
import Testing

@Suite("Many trials")
struct LoadTests {
    @Test("catalogue 25: 1,200 trials end together: all are counted once, in bounded time and memory")
    func allAtOnce() async throws {
        let tasks = (0..<6).map { "t\($0)" }
        try await World.run(tasks: tasks, binds: false, fate: { _ in .pending }) { world in
            try await world.withOperator { _ in
                for name in ["one", "two"] { try await world.createJob(name, with: ["attempts": 100, "parallelism": 600]) }
                try await world.waitForPods(1200, within: 300)
                let before = residentBytes()
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for pod in world.node.seen {
                        group.addTask { try await world.node.play(pod, pod.index % 4 == 3 ? .failure(.verifierRewardMissing) : .success(1)) }
                    }
                    try await group.waitForAll()
                }
                for name in ["one", "two"] {
                    let job = try await world.waitForEnd(name, within: 300)
                    let trials = try #require(job.status?.trials)
                    #expect((trials.total, trials.completed, trials.failed) == (600, 450, 150))
                    #expect(job.status?.metrics?.passRate == 0.75)
                }
                // API server, node and operator together, unoptimised: what matters is that it is not the packs of all.
                #expect(residentBytes() - before < 700 << 20)
                try await world.expectRuns(1200, jobs: 2)
                try await world.expectNoPods(within: 300)
            }
        }
    }
}

/// What the process holds of the machine's memory.
func residentBytes() -> Int {
    guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else { return 0 }
    let words = text.split(separator: " ")
    return words.count > 1 ? (Int(words[1]) ?? 0) * 4096 : 0
}
