import AssayAPI
import AssayTesting
import Base
import EvalModel
import Git
import KubeClient
import KubeCore
import Testing

@Suite("The Secret that results are pushed with")
struct PushCredentialTests {
    private func web(_ world: World, _ users: [String: String]) async throws -> GitWebServer {
        try await GitWebServer(directory: "\(world.path)/web", root: world.path, users: users)
    }

    private func put(_ world: World, _ name: String, _ server: GitWebServer, _ data: [String: String], namespace: String = "default") async throws {
        var values: [String: JSONValue] = ["caFile": .string(Base64.encode(server.authority))]
        for (key, value) in data { values[key] = .string(Base64.encode(Array(value.utf8))) }
        let secret: JSONValue = [
            "apiVersion": "v1", "kind": "Secret", "metadata": ["name": .string(name), "namespace": .string(namespace)], "data": .object(values),
        ]
        try await world.client.apply(.secrets, secret, manager: "test")
    }

    private func artifacts(_ server: GitWebServer, secret: String) -> [String: JSONValue] {
        [
            "artifacts": [
                "backend": "git",
                "git": ["remote": .string(server.url("results.git")), "branch": .string(World.branch), "secretRef": ["name": .string(secret)]],
            ]
        ]
    }

    @Test("a job on a cluster with a token in a Secret; rotated while it runs, what waited is pushed with the new one")
    func rotated() async throws {
        try await World.run(tasks: ["a", "b", "c"], fate: { _ in .never }) { world in
            let server = try await web(world, ["x-access-token": "first"])
            try await put(world, "push", server, ["token": "first"])
            try await world.withOperator { _ in
                try await world.createJob(with: artifacts(server, secret: "push"))
                try await world.waitForPods(3)
                try await world.node.play(world.node.seen[0], .success(1))
                try await world.wait("job", "the first is counted") { $0.status?.trials?.completed == 1 }
                try server.setUsers(["x-access-token": "second"])
                try await world.node.play(world.node.seen[1], .success(1))
                let job = try await world.wait("job", within: 60, "the old token is refused") {
                    $0.status?.conditions.first { $0.type == "ArtifactsReady" }?.reason == "RemoteRejected"
                }
                #expect(job.status?.artifacts?.pending == 1 && job.status?.trials?.completed == 1)
                #expect(job.status?.conditions.first { $0.type == "ArtifactsReady" }?.message?.contains("first") == false)
                try await put(world, "push", server, ["token": "second"])
                try await world.node.play(world.node.seen[2], .success(1))
                let ended = try await world.waitForEnd(within: 60)
                #expect(ended.status?.trials?.completed == 3 && ended.status?.artifacts?.pending == 0)
            }
            try await world.expectRuns(3)
        }
    }

    @Test("two jobs with different Secrets on one branch: a refused job does not hold up the other, and each counts only its own records")
    func apart() async throws {
        try await World.run(tasks: ["a", "b"]) { world in
            let server = try await web(world, ["good": "secret-one", "bad": "secret-two"])
            try await put(world, "good", server, ["username": "good", "password": "secret-one"])
            try await put(world, "bad", server, ["username": "bad", "password": "secret-two"])
            try await world.withOperator { _ in
                try await world.createJob("refused", with: artifacts(server, secret: "bad").merging(["parallelism": 1]) { $1 })
                try await world.wait("refused", "begins") { $0.status?.startTime != nil }
                try server.setUsers(["good": "secret-one"])
                try await world.createJob("taken", with: artifacts(server, secret: "good"))
                let taken = try await world.waitForEnd("taken", within: 60)
                #expect(taken.status?.trials?.completed == 2 && taken.status?.artifacts?.pending == 0)
                #expect(taken.status?.conditions.first { $0.type == "ArtifactsReady" }?.status == "True")
                try server.setUsers(["good": "secret-one", "bad": "rotated"])
                try await put(world, "bad", server, ["username": "bad", "password": "rotated"])
                let refused = try await world.waitForEnd("refused", within: 120)
                #expect(refused.status?.trials?.completed == 2)
            }
            try await world.expectRuns(4, jobs: 2)
        }
    }

    @Test("a remote given by name is refused on a cluster, and the condition says what to write")
    func byName() async throws {
        try await World.run(tasks: ["a"]) { world in
            try await world.withOperator { _ in
                try await world.createJob(with: ["artifacts": ["backend": "git", "git": ["remote": "origin", "branch": .string(World.branch)]]])
                let job = try await world.wait("job", "is refused") {
                    $0.status?.conditions.contains { $0.type == "Stalled" && $0.status == "True" } == true
                }
                let message = try #require(job.status?.conditions.first { $0.type == "ArtifactsReady" }?.message)
                #expect(message.contains("spec.artifacts.git") && message.contains("\"origin\"") && message.contains("https://"))
                #expect(world.node.seen.isEmpty)
            }
        }
    }

    @Test("catalogue 30: runs that a forced push removed from the branch are pushed again while the job runs, and its condition says so")
    func rewritten() async throws {
        try await World.run(tasks: ["a", "b"], fate: { _ in .never }) { world in
            try await world.withOperator { _ in
                try await world.createJob()
                try await world.waitForPods(2)
                try await world.node.play(world.node.seen[0], .success(1))
                try await world.wait("job", "the first is counted") { $0.status?.trials?.completed == 1 }
                // Another history, by force.
                try await world.git(world.source, "push", "-q", world.remote, "+main:refs/heads/\(World.branch)")
                try await world.node.play(world.node.seen[1], .success(1))
                let job = try await world.waitForEnd()
                #expect(job.status?.trials?.completed == 2)
                #expect(job.status?.conditions.first { $0.type == "ArtifactsReady" }?.message?.contains("rewritten") == true)
            }
            let back = try await eventually { try await world.subjects().count { $0.hasPrefix("Run: ") || $0.hasPrefix("Job: ") } == 3 }
            #expect(back)
            try await world.expectRuns(2)
        }
    }
}
