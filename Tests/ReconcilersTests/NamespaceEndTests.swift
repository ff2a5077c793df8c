import AssayAPI
import AssayTesting
import Base
import EvalModel
import KubeClient
import KubeCore
import Testing

/// Ordered deletion, as in Kubernetes since 1.33: the pods go first, and nothing can be created any more.
@Suite("The namespace of a job is deleted")
struct NamespaceEndTests {
    private static let team = "team"

    private func makeNamespace(_ world: World, _ name: String = team) async throws {
        _ = try await world.client.create(.namespaces, ["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": .string(name)]])
    }

    private func waitForRunning(_ world: World, _ count: Int, of name: String = "job") async throws {
        let run = try await eventually { try await world.job(name, namespace: Self.team)?.status?.trials?.running == count }
        try #require(run)
    }

    private func outcomes(_ world: World) async throws -> [String] {
        try await world.records().filter { $0["kind"] == "run" }.map { $0.at("error", "type")?.string ?? "reward \($0["reward"]?.double ?? -1)" }
            .sorted()
    }

    @Test("catalogue 59: trials run: the namespace is gone within 30 s, and what ended is on the branch")
    func running() async throws {
        try await World.run(tasks: ["a", "b", "c"], fate: { $0.index == 0 ? .success(1) : .never }) { world in
            try await makeNamespace(world)
            try await world.withOperator { _ in
                try await world.createJob(namespace: Self.team, with: ["parallelism": 2])
                try await waitForRunning(world, 2)
                try await world.deleteNamespace(Self.team)
                try await world.expectNoPods()
                #expect(try await outcomes(world) == ["cancelled", "cancelled", "reward 1.0"])
                try await world.expectRuns(3)
                let record = try #require(try await world.records().first { $0["kind"] == "job" })
                #expect(record["cancelled"] == true)
            }
        }
    }

    @Test("catalogue 59: the next try of a failed trial cannot be created: the trial ends with the failed try")
    func retrying() async throws {
        try await World.run(fate: { $0.index == 0 ? .success(1) : .evicted }) { world in
            try await makeNamespace(world)
            try await world.withOperator { _ in
                try await world.createJob(
                    namespace: Self.team, with: ["retry": ["maxAttempts": 5, "initialDelayMs": 600_000, "maxDelayMs": 600_000]])
                let waits = try await eventually { try await world.job(namespace: Self.team)?.status?.trials?.completed == 1 }
                try #require(waits)
                try await world.deleteNamespace(Self.team)
                #expect(try await outcomes(world) == ["cancelled", "reward 1.0"])
            }
        }
    }

    enum State: String, CaseIterable, Sendable {
        case suspended, remoteGone, secretGone, cancelledWithoutRemote, operatorIsNew, pending
    }

    @Test("catalogue 59: whatever state its job is in, the namespace is gone within 30 s", arguments: State.allCases)
    func states(_ state: State) async throws {
        try await World.run(tasks: ["a", "b", "c"], fate: { _ in state == .pending ? .pending : .never }) { world in
            try await makeNamespace(world)
            var changes: [String: JSONValue] = ["parallelism": 2]
            if state == .secretGone {
                _ = try await world.client.create(
                    .secrets, ["apiVersion": "v1", "kind": "Secret", "metadata": ["name": "results"], "stringData": ["token": "0123456789"]],
                    namespace: Self.team)
                changes["artifacts"] = [
                    "backend": "git",
                    "git": ["remote": .string("file://\(world.remote)"), "branch": .string(World.branch), "secretRef": ["name": "results"]],
                ]
            }
            let first = try world.startOperator()
            try await world.createJob(namespace: Self.team, with: changes)
            try await world.waitForPods(2)
            if state != .pending { try await waitForRunning(world, 2) }
            let key = ObjectKey(namespace: Self.team, name: "job")
            switch state {
            case .suspended: _ = try await world.client.patch(.evalJobs, key, .merge(["spec": ["suspend": true]]))
            case .remoteGone: try world.moveRemote(away: true)
            case .cancelledWithoutRemote:
                try world.moveRemote(away: true)
                _ = try await world.client.patch(.evalJobs, key, .merge(["spec": ["cancel": true]]))
            case .secretGone: _ = try await world.client.delete(.secrets, ObjectKey(namespace: Self.team, name: "results"))
            case .operatorIsNew, .pending: break
            }
            var current = first
            if state == .operatorIsNew {
                await first.stop()
                current = try world.startOperator(state: "fresh")
            }
            try await world.deleteNamespace(Self.team)
            try await world.expectNoPods()
            await current.stop()
            if state == .suspended || state == .operatorIsNew { #expect(try await outcomes(world) == ["cancelled", "cancelled"]) }
        }
    }

    @Test("catalogue 59: several jobs, a finished one with pods to look at, a target, an overlay and a quota go with the namespace")
    func crowded() async throws {
        try await World.run(tasks: ["a", "b"], fate: { $0.key.name.contains("done") ? .success(1) : .never }) { world in
            try await makeNamespace(world)
            try await world.withOperator { _ in
                let client = world.client
                _ = try await client.create(
                    .evalTargets, Build.object(.evalTargets, "narrow", namespace: Self.team, spec: ["type": "cluster", "maxConcurrentTrials": 1]))
                _ = try await client.create(
                    .overlaySources, Build.object(.overlaySources, "tools", namespace: Self.team, spec: ["repo": "acme/tools"]))
                try await world.createJob("done", namespace: Self.team, with: ["environment": ["preserveEnv": "Always"]])
                let done = try await eventually { try await world.job("done", namespace: Self.team)?.status?.isOver == true }
                try #require(done)
                for name in ["one", "two"] { try await world.createJob(name, namespace: Self.team, with: ["targetRef": ["name": "narrow"]]) }
                let begun = try await eventually {
                    var (running, begun) = (0, 0)
                    for name in ["one", "two"] {
                        let status = try await world.job(name, namespace: Self.team)?.status
                        running += status?.trials?.running ?? 0
                        begun += status?.startTime == nil ? 0 : 1
                    }
                    return running == 1 && begun == 2
                }
                try #require(begun)
                try await world.deleteNamespace(Self.team)
                try await world.expectNoPods()
                // The preserved pods of the finished job were counted before, and are not recorded again.
                try await world.expectRuns(3, jobs: 3)
            }
        }
    }

    @Test("catalogue 59: a finished job on one machine whose results wait for their remote does not hold the namespace")
    func unpushed() async throws {
        try await World.run(tasks: ["a"], fate: { _ in .success(1) }) { world in
            try await makeNamespace(world)
            try await world.withOperator(.laptop) { _ in
                try await world.refusePushes(true)
                try await world.createJob(namespace: Self.team)
                let isOver = try await eventually { try await world.job(namespace: Self.team)?.status?.isOver == true }
                try #require(isOver)
                #expect(try await world.job(namespace: Self.team)?.status?.artifacts?.pending ?? 0 > 0)
                try await world.deleteNamespace(Self.team)
            }
        }
    }

    @Test("a deleted pod is not the end of the namespace: its trial runs again")
    func podOnly() async throws {
        try await World.run(tasks: ["a"], fate: { $0.retry == 0 ? .deleted : .success(1) }) { world in
            try await makeNamespace(world)
            try await world.withOperator { _ in
                try await world.createJob(namespace: Self.team)
                let done = try await eventually { try await world.job(namespace: Self.team)?.status?.phase == .succeeded }
                #expect(done)
            }
        }
    }
}
