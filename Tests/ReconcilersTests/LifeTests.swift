import AssayAPI
import Base
import EvalModel
import KubeCore
import Testing

@Suite("A job from its creation to its end")
struct LifeTests {
    @Test("all trials pass", arguments: [true, false])
    func passes(onCluster: Bool) async throws {
        try await World.run { world in
            try await world.withOperator(onCluster ? .cluster : .laptop) { running in
                try await world.createJob(with: ["attempts": 2])
                let job = try await world.waitForEnd()
                let status = try #require(job.status)
                #expect(status.phase == .succeeded)
                #expect(status.trials?.completedIndexes?.description == "0-3" && status.trials?.progress == "4/4")
                #expect(status.metrics?.passRate == 1 && status.agents?.count == 1)
                #expect(status.conditions.first { $0.type == "Complete" }?.status == "True")
                #expect(status.source?.commit == (try await world.git(world.source, "rev-parse", "HEAD")))
                try await world.expectNoPods()
                try await world.expectRuns(4)
                let file = try await world.git(world.remote, "ls-tree", "-r", "--name-only", World.branch)
                #expect(file.split(separator: "\n").filter { $0.hasSuffix("logs/verifier/reward.txt") }.count == 4)
                #expect(running.metricsText.contains(#"assay_trials_total{result="completed"} 4"#))
                #expect(running.metricsText.contains(#"assay_trials{phase="running"} 0"#))
                let told = try await eventuallyEvents(world, ["TrialsRunning", "TrialsComplete"])
                #expect(told)
            }
        }
    }
}
