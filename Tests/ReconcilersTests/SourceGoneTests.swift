import AssayAPI
import AssayTesting
import Base
import EvalModel
import KubeClient
import KubeCore
import Testing

@Suite("A running job needs no source: operator replaced, source gone")
struct SourceGoneTests {
    /// A job of three trials of which two run; then the operator, its disk and the source are gone.
    private func begun(_ world: World, _ changes: [String: JSONValue] = [:]) async throws {
        try await world.withOperator { _ in
            try await world.createJob(with: changes.merging(["parallelism": 2]) { $1 })
            try await world.waitForPods(2)
            try await world.wait { $0.status?.trials?.running == 2 }
        }
        try world.loseSource()
    }

    @Test("catalogue 61: what ended is counted, a suspension and a cancellation hold, new trials still start")
    func everything() async throws {
        try await World.run(tasks: ["a", "b", "c"], fate: { _ in .never }) { world in
            try await begun(world)
            try await world.node.play(world.node.seen[0], .success(1))
            try await world.withOperator(state: "fresh") { _ in
                try await world.wait("job", "what ended is counted") { $0.status?.trials?.completed == 1 }
                try await world.waitForPods(3)
                try await world.change(to: ["suspend": true])
                try await world.wait { $0.status?.phase == .suspended }
                try await world.change(to: ["cancel": true])
                let job = try await world.wait { $0.status?.isOver == true }
                #expect(job.status?.phase == .cancelled && job.status?.trials?.completed == 1 && job.status?.trials?.skipped == 2)
                try await world.expectNoPods()
                try await world.expectRuns(3)
            }
        }
    }

    @Test("catalogue 61: the deadline holds")
    func deadline() async throws {
        let time = ShiftedTime()
        try await World.run(tasks: ["a", "b", "c"], fate: { _ in .never }) { world in
            try await begun(world, ["activeDeadlineSeconds": 600])
            time.shift(seconds: 601)
            try await world.withOperator(state: "fresh", time: time) { _ in
                let job = try await world.wait { $0.status?.isOver == true }
                #expect(job.status?.phase == .failed && job.status?.trials?.skipped == 3)
                try await world.expectNoPods()
            }
        }
    }

    @Test("catalogue 61: a deletion records the trials that ended and removes the finalizers")
    func deletion() async throws {
        try await World.run(tasks: ["a", "b", "c"], fate: { _ in .never }) { world in
            try await begun(world)
            try await world.node.play(world.node.seen[0], .success(1))
            try await world.withOperator(state: "fresh") { _ in
                _ = try await world.client.delete(.evalJobs, ObjectKey(namespace: "default", name: "job"))
                let gone = try await eventually { try await world.job() == nil }
                #expect(gone)
                try await world.expectNoPods()
            }
            let records = try await world.records()
            #expect(records.contains { $0["kind"] == "run" && $0["index"] == 0 && $0["reward"]?.double == 1 })
            #expect(records.first { $0["kind"] == "job" }?["cancelled"] == true)
        }
    }

    @Test("the plan lies in the job's ConfigMaps, named by its hash; when somebody deletes them it is read from the source again")
    func plan() async throws {
        try await World.run(tasks: ["a", "b", "c"], fate: { _ in .never }) { world in
            try await world.withOperator { _ in
                try await world.createJob(with: ["parallelism": 1])
                try await world.waitForPods(1)
            }
            let job = try #require(try await world.job())
            let kept = try #require(job.status?.plan)
            #expect(kept.configMaps == 1 && kept.sha256.count == 64)
            let name = "assay-\(job.metadata.uid ?? "")-plan-\(kept.sha256.prefix(12))-0"
            let key = ObjectKey(namespace: "default", name: name)
            let map = try await world.client.get(.configMaps, key)
            #expect(map["immutable"] == true && map.at("metadata", "ownerReferences")?.array?.first?["uid"]?.string == job.metadata.uid)
            _ = try await world.client.delete(.configMaps, key)
            try await world.node.play(world.node.seen[0], .success(1))
            try await world.withOperator(state: "fresh") { _ in
                try await world.waitForPods(2)
                try await world.wait { $0.status?.trials?.completed == 1 }
                let again = try #require(try await world.job()?.status?.plan)
                let name = "assay-\(job.metadata.uid ?? "")-plan-\(again.sha256.prefix(12))-0"
                #expect(try await world.client.get(.configMaps, ObjectKey(namespace: "default", name: name))["immutable"] == true)
            }
        }
    }

    @Test("a plan that somebody has replaced is not used")
    func tampered() async throws {
        try await World.run(tasks: ["a", "b"], fate: { _ in .never }) { world in
            try await world.withOperator { _ in
                try await world.createJob(with: ["parallelism": 1])
                try await world.waitForPods(1)
            }
            let job = try #require(try await world.job())
            let kept = try #require(job.status?.plan)
            let key = ObjectKey(namespace: "default", name: "assay-\(job.metadata.uid ?? "")-plan-\(kept.sha256.prefix(12))-0")
            var map = try await world.client.get(.configMaps, key)
            _ = try await world.client.delete(.configMaps, key)
            map["data"] = .object((map["data"]?.object ?? [:]).mapValues { .string(($0.string ?? "").replacing("x:1", with: "evil:1")) })
            map["metadata"] = ["name": .string(key.name), "ownerReferences": map.at("metadata", "ownerReferences") ?? []]
            _ = try await world.client.create(.configMaps, map, namespace: "default")
            try await world.node.play(world.node.seen[0], .success(1))
            try await world.withOperator(state: "fresh") { _ in
                try await world.waitForPods(2)
                let pods = try await world.client.list(.pods, namespace: "default").items.map(\.text)
                #expect(!pods.isEmpty && pods.allSatisfy { !$0.contains("evil:1") })
            }
        }
    }
}
