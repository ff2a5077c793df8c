import AssayAPI
import AssayTesting
import Base
import EvalModel
import KubeCore
import Testing

@Suite("A remote for results that is not there")
struct ResultsTests {
    @Test("on the laptop results are kept, the condition says so, and a later operator pushes them")
    func laptop() async throws {
        try await World.run(tasks: ["a", "b"], fate: { _ in .never }) { world in
            try await world.withOperator(.laptop) { _ in
                try await world.createJob()
                try await world.waitForPods(2)
                try world.moveRemote(away: true)
                for pod in world.node.seen { try await world.node.play(pod, .success(1)) }
                let job = try await world.waitForEnd()
                #expect(job.status?.phase == .succeeded && job.status?.trials?.completed == 2)
                let condition = try #require(job.status?.conditions.first { $0.type == "ArtifactsReady" })
                #expect(condition.status == "False" && ["RemoteUnreachable", "RemoteRejected"].contains(condition.reason))
                #expect(job.status?.artifacts?.pending == 3)
            }
            try world.moveRemote(away: false)
            try await world.withOperator(.laptop) { _ in
                let job = try await world.wait { $0.status?.artifacts?.pending == 0 }
                #expect(job.status?.conditions.first { $0.type == "ArtifactsReady" }?.status == "True")
                try await world.expectRuns(2)
            }
        }
    }

    @Test("on a cluster nothing is counted until the remote has it, and new pods are bounded")
    func cluster() async throws {
        let tasks = (0..<5).map { "t\($0)" }
        try await World.run(tasks: tasks, binds: false) { world in
            try await world.withOperator { _ in
                try await world.refusePushes(true)
                try await world.createJob(with: ["attempts": 24, "parallelism": 10])
                let job = try await world.wait(within: 60) { $0.status?.artifacts?.pending ?? 0 >= 100 && $0.status?.trials?.running == 0 }
                #expect(job.status?.trials?.completed == 0 && job.status?.trials?.failed == 0)
                #expect(job.status?.conditions.first { $0.type == "ArtifactsReady" }?.status == "False")
                // Those that are not confirmed yet, and at most what ran when the bound was met.
                #expect(world.node.seen.count < 120)
                try await world.refusePushes(false)
            }
            try await world.withOperator { _ in
                let job = try await world.waitForEnd(within: 60)
                #expect(job.status?.trials?.completed == 120)
                try await world.expectRuns(120)
                try await world.expectNoPods()
            }
        }
    }

    @Test("catalogue 31: a remote that refuses is not asked again and again")
    func noStorm() async throws {
        try await World.run(tasks: ["a"]) { world in
            try await world.refusePushes(true)
            try await world.withOperator(.laptop) { _ in
                try await world.createJob()
                _ = try await world.waitForEnd()
                for count in 0..<30 {
                    try await world.change(to: ["ttlSecondsAfterFinished": JSONValue(1000 + count)])
                }
                try await world.wait { $0.status?.artifacts?.pending ?? 0 > 0 }
                #expect(try world.pushesRefused() <= 4)
            }
        }
    }

    @Test("on a cluster a job does not wait for the next regular push once its trials have ended", arguments: [1, 3])
    func earlyPush(parallelism: Int) async throws {
        try await World.run(tasks: ["a"]) { world in
            // The first record is pushed at once; a regular push of the others would come in an hour.
            let running = try world.startOperator(pushInterval: 3600)
            try await world.createJob(with: ["attempts": 3, "parallelism": JSONValue(parallelism)])
            let result: Result<EvalJob, any Error>
            do { result = .success(try await world.waitForEnd()) } catch { result = .failure(error) }
            await running.stop()
            #expect(try result.get().status?.trials?.completed == 3)
            try await world.expectRuns(3)
            try await world.expectNoPods()
        }
    }
}
