import AssayAPI
import AssayTesting
import Base
import KubeClient
import KubeCore
import Testing

@testable import Reconcilers

@Suite("What a job's trials share")
struct SharedByTrialsTests {
    @Test("an agent's scripts are in one ConfigMap, which the job owns and every pod of the job mounts")
    func scripts() async throws {
        try await World.run(tasks: ["a", "b"]) { world in
            try await world.withOperator { _ in
                let script = String(repeating: "echo $HOME\n", count: 5000)
                let job = try await world.createJob(with: ["agents": [["name": "scripted", "execute": .string(script)]]])
                _ = try await world.waitForEnd()
                let maps = try await world.client.list(.configMaps, namespace: "default").items
                    .filter { $0.at("data", "execute") != nil }
                let map = try #require(maps.first)
                #expect(maps.count == 1, "two trials, one ConfigMap")
                #expect(map.at("data", "execute")?.string == script && map["immutable"] == true)
                #expect(ObjectMeta(of: map).controller?.uid == job.metadata.uid)
                _ = try await world.client.delete(.evalJobs, job.key)
                let client = world.client
                let gone = await eventually { (try? await client.list(.configMaps, namespace: "default").items.isEmpty) == true }
                #expect(gone)
            }
        }
    }
}
