import AssayAPI
import AssayTesting
import Base
import EvalModel
import KubeClient
import KubeCore
import KubeRuntime
import Testing

@Suite("Faults around the operator", .serialized)
struct RecoveryTests {
    @Test("catalogue 14: the answer to a creation is lost: one pod")
    func lostAnswers() async throws {
        try await World.run(tasks: ["a", "b"]) { world in
            let lost = Locked(Set<String>())
            let breaker = try Breaker(
                to: world.port,
                loses: { request in
                    // The first answer to each kind of change.
                    request.changesSomething && lost.withLock { $0.insert("\(request.method) \(request.path)").inserted }
                })
            defer { breaker.stop() }
            try await world.withOperator(server: breaker.url) { _ in
                try await world.createJob(with: ["attempts": 2])
                let job = try await world.waitForEnd()
                #expect(job.status?.trials?.completedIndexes?.description == "0-3")
                #expect(world.node.seen.map(\.index) == [0, 1, 2, 3])
                #expect(lost.withLock { $0.contains("POST /api/v1/namespaces/default/pods") })
                try await world.expectRuns(4)
                try await world.expectNoPods()
            }
        }
    }

    @Test("catalogue 15: somebody else writes the status all the time: no lost update, totals right")
    func contendedStatus() async throws {
        // The last trial ends only after enough writes of the outsider.
        try await World.run(tasks: ["a", "b", "c", "d"], fate: { $0.index == 11 ? .never : .success(1) }) { world in
            try await world.withOperator { _ in
                try await world.createJob(with: ["attempts": 3])
                let key = ObjectKey(namespace: "default", name: "job")
                let writes = Locked(0)
                let outsider = Task {
                    while !Task.isCancelled {
                        let count = writes.withLock {
                            $0 += 1; return $0
                        }
                        let note: JSONValue = [
                            "type": "Outsider", "status": "True", "reason": "Count", "message": JSONValue.string("\(count)"),
                            "lastTransitionTime": "2026-01-01T00:00:00Z",
                        ]
                        // As a controller of its own would: read, change, write with the version that was read.
                        guard var object = try? await world.client.get(.evalJobs, key) else { continue }
                        let others = (object.at("status", "conditions")?.array ?? []).filter { $0["type"]?.string != "Outsider" }
                        if object["status"] == nil { object["status"] = [:] }
                        object.set(["status", "conditions"], to: .array(others + [note]))
                        _ = try? await world.client.updateStatus(.evalJobs, object)
                    }
                }
                let hasWritten = await eventually { writes.withLock { $0 } > 20 && world.node.seen.contains { $0.index == 11 } }
                #expect(hasWritten)
                let last = try #require(world.node.seen.first { $0.index == 11 })
                try await world.node.play(last, .success(1))
                let job = try await world.waitForEnd()
                outsider.cancel()
                await outsider.value
                #expect(job.status?.trials?.completedIndexes?.description == "0-11" && job.status?.agents?.first?.completed == 12)
                #expect(job.status?.metrics?.meanReward == 1)
                #expect(job.status?.conditions.contains { $0.type == "Outsider" } == true)
                try await world.expectRuns(12)
            }
        }
    }

    @Test("catalogue 17: the definition is deleted and created again, and the operator follows it again")
    func definitionComesAndGoes() async throws {
        try await World.run(tasks: ["a"]) { world in
            try await world.withOperator { _ in
                try await world.createJob("before")
                _ = try await world.waitForEnd("before")
                let name = ObjectKey(namespace: "", name: "evaltargets.assay.dev")
                let definition = try await world.client.get(.customResourceDefinitions, name)
                _ = try await world.client.delete(.customResourceDefinitions, name)
                try await world.createJob("between")
                _ = try await world.waitForEnd("between")
                try await world.client.create(
                    .customResourceDefinitions,
                    [
                        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": ["name": .string(name.name)],
                        "spec": definition["spec"] ?? [:],
                    ])
                let client = world.client
                let lab = Build.object(.evalTargets, "lab", spec: ["type": "cluster"])
                let made = await eventually { (try? await client.create(.evalTargets, lab, namespace: "default")) != nil }
                #expect(made)
                try await world.createJob("after", with: ["targetRef": ["name": "lab"]])
                _ = try await world.waitForEnd("after", within: 60)
            }
        }
    }

    @Test("after a restart with an empty memory the ledger is asked before a trial runs again")
    func emptyMemory() async throws {
        try await World.run(tasks: ["a", "b"], fate: { $0.index == 0 ? .success(1) : .never }) { world in
            // The operator dies after the push and before the count; then somebody removes the pod by force.
            let breaker = try Breaker(to: world.port)
            try await world.withOperator(server: breaker.url) { _ in
                try await world.createJob()
                try await world.waitForPods(2)
                _ = await eventually { (try? await world.subjects().count) ?? 0 > 0 }
                breaker.kill()
            }
            breaker.stop()
            let key = ObjectKey(namespace: "default", name: "job")
            // As if the count had not come through. A write of the operator that died may still arrive: then this one is made again.
            try await world.client.updateStatus(retryingConflicts: .evalJobs, key) { object in
                var status = object["status"] ?? [:]
                status.set(
                    ["trials"],
                    to: ["total": 2, "pending": 0, "running": 2, "completed": 0, "failed": 0, "infrastructure": 0, "skipped": 0])
                status.set(["agents"], to: nil)
                status.set(["metrics"], to: nil)
                return status
            }
            for pod in world.node.seen where pod.index == 0 { try? await world.node.vanish(pod) }
            try await world.withOperator(state: "fresh") { _ in
                try await world.wait { $0.status?.trials?.completed == 1 }
                #expect(world.node.seen.filter { $0.index == 0 }.count == 1)
                let pod = try #require(world.node.seen.first { $0.index == 1 })
                try await world.node.play(pod, .success(1))
                _ = try await world.waitForEnd()
                #expect(world.node.seen.count == 2)
                try await world.expectRuns(2)
            }
        }
    }

    @Test("catalogue 37: an operator that is killed after any write is continued by another one with exact totals")
    func killedAfterEveryWrite() async throws {
        var limit = 0
        var finished = false
        while !finished, limit < 200 {
            // A few at a time: each is a world of its own.
            let width = 6
            let outcomes = try await withThrowingTaskGroup(of: Bool.self) { group in
                for n in limit..<(limit + width) { group.addTask { try await self.run(dyingAfter: n) } }
                return try await group.reduce(into: [Bool]()) { $0.append($1) }
            }
            finished = !outcomes.contains(true)
            limit += width
        }
        #expect(finished)
        // Finalizer, beginning, pods, counts, releases: the test has met them all.
        #expect(limit > 12)
    }

    /// Returns whether the operator was killed before the job was over.
    private func run(dyingAfter n: Int) async throws -> Bool {
        let killed = Locked(false)
        try await World.run(
            tasks: ["a", "b"], binds: false,
            fate: { $0.index == 0 && $0.retry == 0 ? .evicted : $0.index == 1 ? .failure(.agentExecutionTimeout) : .success(0.5) }
        ) { world in
            try await world.createJob(with: ["parallelism": 2])
            let breaker = try Breaker(
                to: world.port, dieAfter: n,
                onDeath: {
                    // Dead operators push nothing.
                    try? world.breakRemote()
                })
            try await world.withOperator(state: "first", server: breaker.url) { _ in
                let over = try await eventually {
                    if breaker.isDead { return true }
                    return try await world.job()?.status?.isOver == true
                }
                #expect(over)
                // What follows the end is written too; and it may be the end that killed it.
                _ = await eventually(within: 0.3) { breaker.isDead }
            }
            killed.withLock { $0 = breaker.isDead }
            breaker.stop()
            try await world.refusePushes(false)
            // One that has the state of the first, and one that has nothing, by turns.
            try await world.withOperator(state: n % 2 == 0 ? "first" : "second") { _ in
                let job = try await world.waitForEnd(within: 60)
                let trials = try #require(job.status?.trials)
                #expect((trials.completed, trials.failed, trials.infrastructure, trials.skipped) == (1, 1, 0, 0), "killed after write \(n)")
                #expect(job.status?.metrics?.meanReward == 0.5 && job.status?.phase == .succeeded, "killed after write \(n)")
                try await world.expectNoPods()
                try await world.expectRuns(2)
                #expect(world.node.seen.map { "\($0.index)-\($0.retry)" } == ["0-0", "0-1", "1-0"], "killed after write \(n)")
            }
        }
        return killed.withLock { $0 }
    }
}
