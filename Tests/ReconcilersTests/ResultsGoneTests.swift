import AssayAPI
import AssayTesting
import Base
import EvalModel
import KubeClient
import KubeCore
import Testing

@Suite("A running job whose results remote, or its Secret, is gone")
struct ResultsGoneTests {
    private static let key = ObjectKey(namespace: "default", name: "job")

    /// Whether every pod of the job has ended or was told to end.
    private func stopped(_ world: World) async throws -> Bool {
        try await world.client.list(.pods, namespace: "default").items.allSatisfy {
            ObjectMeta(of: $0).isDeleting || ["Succeeded", "Failed"].contains($0.at("status", "phase")?.string)
        }
    }

    @Test("catalogue 62: operator replaced, results remote gone: a cancellation stops the pods, counting waits for the record and is exact then")
    func cancelled() async throws {
        try await World.run(tasks: ["a", "b", "c"], fate: { _ in .never }) { world in
            try await world.withOperator { _ in
                try await world.createJob(with: ["parallelism": 2])
                try await world.wait { $0.status?.trials?.running == 2 }
            }
            try world.loseSource()
            try world.moveRemote(away: true)
            try await world.node.play(world.node.seen[0], .success(1))
            try await world.withOperator(state: "fresh") { _ in
                try await world.change(to: ["cancel": true])
                let job = try await world.wait("job", "the phase says so") { $0.status?.phase == .cancelled }
                #expect(job.status?.isOver == false && job.status?.trials?.completed == 0)
                let ready = try #require(job.status?.conditions.first { $0.type == "Ready" })
                #expect(ready.status == "False" && ready.reason == "Cancelled" && ready.message?.contains("wait to be counted") == true)
                let isStopped = try await eventually { try await stopped(world) }
                #expect(isStopped)
                try world.moveRemote(away: false)
                let ended = try await world.waitForEnd(within: 60)
                #expect(ended.status?.phase == .cancelled && ended.status?.trials?.completed == 1 && ended.status?.trials?.skipped == 2)
                try await world.expectRuns(2)
                try await world.expectNoPods()
            }
        }
    }

    @Test("catalogue 62: suspended while the remote is gone: nothing starts, and the phase says so")
    func suspended() async throws {
        try await World.run(tasks: ["a", "b", "c"], fate: { _ in .never }) { world in
            try await world.withOperator { _ in
                try await world.createJob(with: ["parallelism": 1])
                try await world.wait { $0.status?.trials?.running == 1 }
            }
            try world.moveRemote(away: true)
            try await world.withOperator(state: "fresh") { _ in
                try await world.change(to: ["suspend": true])
                try await world.wait { $0.status?.phase == .suspended }
                try await world.node.play(world.node.seen[0], .success(1))
                try await world.wait { $0.status?.trials?.running == 0 }
                #expect(world.node.seen.count == 1)
            }
        }
    }

    @Test("catalogue 62: a deletion waits for the remote, and with the annotation it does not: an Event names the runs that are lost")
    func abandoned() async throws {
        try await World.run(tasks: ["a", "b", "c"], fate: { _ in .never }) { world in
            try await world.withOperator { _ in
                try await world.createJob(with: ["parallelism": 2])
                try await world.wait { $0.status?.trials?.running == 2 }
            }
            try world.moveRemote(away: true)
            try await world.node.play(world.node.seen[0], .success(1))
            try await world.withOperator(state: "fresh") { _ in
                _ = try await world.client.delete(.evalJobs, Self.key)
                let isStopped = try await eventually { try await stopped(world) }
                #expect(isStopped)
                try await SystemTime().sleep(seconds: 2)
                #expect(try await world.job() != nil, "it waits while the results may still be recorded")
                _ = try await world.client.patch(
                    .evalJobs, Self.key, .merge(["metadata": ["annotations": [AssayNames.abandonResultsAnnotation: "true"]]]))
                let gone = try await eventually { try await world.job() == nil }
                #expect(gone)
                try await world.expectNoPods()
                let told = try await eventually { try await !world.eventMessages("ResultsAbandoned").isEmpty }
                #expect(told)
                let message = try await world.eventMessages("ResultsAbandoned").first ?? ""
                #expect(
                    message.contains("2 runs") && message.contains("trial 0 (scripted, a)") && message.contains("trial 1 (scripted, b)"), "\(message)"
                )
            }
        }
    }

    @Test("catalogue 62: the Secret is gone: a cancellation stops the pods, and a deletion removes the finalizers")
    func secretIsGone() async throws {
        try await World.run(tasks: ["a", "b"], fate: { _ in .never }) { world in
            try await world.client.create(
                .secrets, ["apiVersion": "v1", "kind": "Secret", "metadata": ["name": "push"], "stringData": ["password": "12345678"]],
                namespace: "default")
            let artifacts: JSONValue = [
                "backend": "git",
                "git": ["remote": "https://127.0.0.1:1/results.git", "branch": .string(World.branch), "secretRef": ["name": "push"]],
            ]
            // Begun on the laptop, where a remote that does not answer holds nothing up; gone on with as on a cluster.
            try await world.withOperator(.laptop) { _ in
                try await world.createJob(with: ["artifacts": artifacts])
                try await world.waitForPods(2)
            }
            _ = try await world.client.delete(.secrets, ObjectKey(namespace: "default", name: "push"))
            try await world.withOperator(state: "fresh") { _ in
                try await world.change(to: ["cancel": true])
                try await world.wait { $0.status?.phase == .cancelled }
                let isStopped = try await eventually { try await stopped(world) }
                #expect(isStopped)
                _ = try await world.client.delete(.evalJobs, Self.key)
                let gone = try await eventually { try await world.job() == nil }
                #expect(gone)
                try await world.expectNoPods()
                let told = try await eventuallyEvents(world, ["ResultsAbandoned"])
                #expect(told)
            }
        }
    }
}
