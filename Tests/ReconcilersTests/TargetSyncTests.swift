import AssayAPI
import AssayTesting
import Base
import Foundation
import KubeCore
import Testing

@Suite("Targets that are kept up to date")
struct TargetSyncTests {
    private func target(_ world: World, _ name: String) async throws -> EvalTarget {
        try EvalTarget(json: try await world.client.get(.evalTargets, ObjectKey(namespace: "default", name: name)))
    }

    private func makeTarget(_ world: World, _ name: String, _ spec: JSONValue) async throws {
        let object: JSONValue = [
            "apiVersion": "assay.dev/v1alpha1", "kind": "EvalTarget", "metadata": ["name": .string(name), "namespace": "default"], "spec": spec,
        ]
        _ = try await world.client.create(.evalTargets, object)
    }

    @Test("sync continuous: the source is fetched again without a job, and the status has its commit; a failure is in the status")
    func continuous() async throws {
        try await World.run { world in
            try await makeTarget(
                world, "kept", ["type": "cluster", "sync": "continuous", "syncOptions": ["mode": "full", "refreshInterval": "1s"]])
            try await world.withOperator { _ in
                try await world.createJob(with: ["targetRef": ["name": "kept"]])
                let job = try await world.wait { $0.status?.isOver == true }
                let first = try #require(job.status?.source?.commit)
                let synced = try await eventually { try await target(world, "kept").status?.syncedCommit == first }
                #expect(synced)
                try await world.git(world.source, "commit", "-q", "--allow-empty", "-m", "more")
                let second = try await world.git(world.source, "rev-parse", "HEAD")
                let moved = try await eventually { try await target(world, "kept").status?.syncedCommit == second }
                #expect(moved)
                #expect(try await target(world, "kept").status?.lastSyncTime != nil)
                try world.loseSource()
                let failed = try await eventually {
                    try await target(world, "kept").status?.conditions.contains { $0.message?.hasPrefix("the last sync failed: ") == true } == true
                }
                #expect(failed)
                // A job that began keeps what it has, and the target stays usable.
                #expect(try await target(world, "kept").status?.syncedCommit == second)
            }
        }
    }

    @Test("lag: the seconds since a newer commit was seen that cannot be fetched; 0 again once it is there")
    func lag() async throws {
        try await World.run { world in
            try await makeTarget(world, "kept", ["sync": "continuous", "syncOptions": ["mode": "full", "refreshInterval": "1s"]])
            try await world.withOperator { _ in
                try await world.createJob(with: ["targetRef": ["name": "kept"], "suspend": true])
                let first = try await world.git(world.source, "rev-parse", "HEAD")
                let synced = try await eventually {
                    let status = try await target(world, "kept").status
                    return status?.syncedCommit == first && status?.lagSeconds == 0
                }
                #expect(synced)
                // The new commit is listed, and one of its files cannot be read.
                try FileWriting.replace("\(world.source)/large", with: Array("large file\n".utf8))
                try await world.git(world.source, "add", "large")
                let blob = try await world.git(world.source, "rev-parse", ":large")
                let object = "\(world.source)/.git/objects/\(blob.prefix(2))/\(blob.dropFirst(2))"
                let tree = try await world.git(world.source, "write-tree")
                let second = try await world.git(world.source, "commit-tree", tree, "-p", first, "-m", "more")
                try FileManager.default.moveItem(atPath: object, toPath: "\(world.path)/object")
                try await world.git(world.source, "update-ref", "refs/heads/main", second)
                let waits = try await eventually { try await target(world, "kept").status?.lagSeconds ?? 0 >= 2 }
                let behind = try await target(world, "kept").status
                #expect(waits && behind?.syncedCommit == first, "\(String(describing: behind))")
                try FileManager.default.moveItem(atPath: "\(world.path)/object", toPath: object)
                let caught = try await eventually {
                    let status = try await target(world, "kept").status
                    return status?.syncedCommit == second && status?.lagSeconds == 0
                }
                #expect(caught)
            }
        }
    }

    @Test("sync sparse: trials get their tasks; a dataset outside of sparsePaths stalls the job, with the field's name")
    func sparse() async throws {
        try await World.run { world in
            try await makeTarget(world, "part", ["syncOptions": ["mode": "sparse", "sparsePaths": ["tasks"]]])
            try await makeTarget(world, "other", ["syncOptions": ["mode": "sparse", "sparsePaths": ["elsewhere"]]])
            try await world.withOperator { _ in
                try await world.createJob(with: ["targetRef": ["name": "part"]])
                let job = try await world.wait { $0.status?.isOver == true }
                #expect(job.status?.trials?.completed == 2)
                try await world.createJob("stalled", with: ["targetRef": ["name": "other"]])
                let stalled = try await world.wait("stalled") {
                    $0.status?.conditions.contains { $0.type == "Stalled" && $0.status == "True" } == true
                }
                let messages = stalled.status?.conditions.compactMap(\.message) ?? []
                #expect(messages.contains { $0.contains("syncOptions.sparsePaths") }, "\(messages)")
            }
        }
    }

    @Test("catalogue 49: a Secret of another namespace is not used, even by its name")
    func otherNamespace() async throws {
        try await World.run { world in
            _ = try await world.client.create(.namespaces, ["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": "other"]])
            let secret: JSONValue = [
                "apiVersion": "v1", "kind": "Secret", "metadata": ["name": "source", "namespace": "other"], "stringData": ["token": "t"],
            ]
            _ = try await world.client.create(.secrets, secret)
            try await world.withOperator { _ in
                try await world.createJob(
                    with: ["source": ["repo": .string("file://\(world.source)"), "ref": "main", "secretRef": ["name": "source"]]])
                let job = try await world.wait { job in
                    job.status?.conditions.contains { $0.message?.contains("there is no Secret \"source\" in namespace default") == true } == true
                }
                #expect(job.status?.startTime == nil)
                let names = Directory.names(in: "\(world.path)/operator/credentials") ?? []
                #expect(names.isEmpty)
            }
        }
    }

    @Test("a directory of the operator's machine is no target on a cluster")
    func local() async throws {
        try await World.run { world in
            try await makeTarget(world, "disk", ["type": "local", "sync": "noop", "workdir": .string(world.source)])
            try await world.withOperator { _ in
                try await world.createJob(with: ["targetRef": ["name": "disk"]])
                let job = try await world.wait {
                    $0.status?.conditions.contains { $0.message?.contains("or name a PersistentVolumeClaim in claim") == true } == true
                }
                #expect(job.status?.trials?.completed ?? 0 == 0)
            }
        }
    }
}
