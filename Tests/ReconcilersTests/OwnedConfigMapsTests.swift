import AssayAPI
import AssayTesting
import Base
import KubeClient
import KubeCore
import Testing

@testable import Reconcilers

@Suite("ConfigMaps that a job owns")
struct OwnedConfigMapsTests {
    @Test("made once, immutable, read back; another job's are neither read nor replaced; they go with the job")
    func life() async throws {
        try await World.run(tasks: ["a"]) { world in
            let job = try #require(try await world.createJob().identity)
            let other = try #require(try await world.createJob("other").identity)
            let maps = OwnedConfigMaps(client: world.client)
            let name = OwnedConfigMaps.name(of: "plan-0", for: job)
            #expect(try await maps.read(name, for: job) == nil)
            try await maps.ensure(name, data: ["a": "1"], for: job)
            let first = try await world.client.get(.configMaps, ObjectKey(namespace: "default", name: name))
            #expect(first["immutable"] == true && first.at("metadata", "ownerReferences")?.array?.count == 1)
            try await maps.ensure(name, data: ["a": "1"], for: job)
            #expect(
                ObjectMeta(of: try await world.client.get(.configMaps, ObjectKey(namespace: "default", name: name))).uid == ObjectMeta(of: first).uid)
            try await maps.ensure(name, data: ["a": "2"], for: job)
            #expect(try await maps.read(name, for: job) == ["a": "2"])
            #expect(try await maps.read(name, for: other) == nil)
            let key = ObjectKey(namespace: "default", name: name)
            await #expect(throws: OwnedConfigMaps.Failure.nameTaken(key)) { try await maps.ensure(name, data: ["a": "2"], for: other) }
            let long = String(repeating: "x", count: OwnedConfigMaps.maxBytes)
            await #expect(throws: OwnedConfigMaps.Failure.tooLarge(name: name, bytes: long.utf8.count + 1)) {
                try await maps.ensure(name, data: ["a": long], for: job)
            }
            _ = try await world.client.delete(.evalJobs, job.key)
            let client = world.client
            let gone = await eventually { (try? await client.get(.configMaps, key)) == nil }
            #expect(gone)
        }
    }
}
