import AssayAPI
import AssayTesting
import Base
import EvalModel
import Foundation
import KubeClient
import KubeCore
import Testing

/// Builds by pods whose lives the test plays; the registry is real, and empty.
@Suite("Images that pods build")
struct ClusterBuildTests {
    private struct Builds {
        let world: World
        let digest = "sha256:" + String(repeating: "b", count: 64)

        /// The build pod, when it is not one of those seen before.
        func next(after seen: Set<String>) async throws -> (key: ObjectKey, uid: String, pod: JSONValue) {
            let found = Locked<JSONValue?>(nil)
            let came = try await eventually(within: 60) {
                let pods = try await world.client.list(.pods, namespace: "default").items
                let pod = pods.first {
                    $0.at("metadata", "labels", "assay.dev/build") != nil && !seen.contains($0.at("metadata", "uid")?.string ?? "")
                }
                found.withLock { $0 = pod }
                return pod != nil
            }
            try #require(came, "no build pod came")
            let pod = try #require(found.withLock { $0 })
            return (ObjectMeta(of: pod).key, try #require(ObjectMeta(of: pod).uid), pod)
        }

        func write(_ key: ObjectKey, _ status: JSONValue) async throws {
            _ = try await world.client.patch(.pods, key, .merge(["status": status]), subresource: "status")
        }

        func finish(_ key: ObjectKey) async throws {
            let message = "{\"digest\":\"\(digest)\"}"
            try await write(
                key,
                [
                    "phase": "Succeeded",
                    "containerStatuses": [
                        [
                            "name": "push", "image": "x", "imageID": "", "ready": false, "restartCount": 0,
                            "state": ["terminated": ["exitCode": 0, "reason": "Completed", "message": .string(message)]],
                        ]
                    ],
                ])
        }

        func evict(_ key: ObjectKey) async throws {
            try await write(key, ["phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."])
        }
    }

    private func with(_ tasks: [String], _ body: (World, Builds, ImageRegistry) async throws -> Void) async throws {
        try await World.run(tasks: tasks) { world in
            let registry = try await ImageRegistry(directory: "\(world.path)/registry")
            let target: JSONValue = [
                "type": "cluster", "image": ["build": ["registry": .string(registry.repository("tasks")), "builderImage": "builder:1"]],
            ]
            try await world.client.create(.evalTargets, Build.object(.evalTargets, "default", spec: target), namespace: "default")
            // Preflight's own build.
            try await body(world, Builds(world: world), registry)
            await registry.stop()
        }
    }

    /// The probe of the target, which every test lets succeed.
    private func passProbe(_ builds: Builds) async throws -> Set<String> {
        var seen: Set<String> = []
        while true {
            let (key, uid, pod) = try await builds.next(after: seen)
            guard pod.at("metadata", "name")?.string?.hasPrefix("assay-probe-") == true else { return seen }
            seen.insert(uid)
            try await builds.finish(key)
            let gone = try await eventually {
                try await builds.world.client.list(.pods, namespace: "default").items.allSatisfy { ObjectMeta(of: $0).uid != uid }
            }
            #expect(gone)
            return seen
        }
    }

    @Test("a build pod that is evicted is made anew, and the trials run in what the third built, by digest")
    func evicted() async throws {
        try await with(["build-x"]) { world, builds, registry in
            try await world.withOperator { _ in
                var seen = try await passProbe(builds)
                try await world.createJob()
                for attempt in 1...3 {
                    let (key, uid, pod) = try await builds.next(after: seen)
                    seen.insert(uid)
                    let owners = pod.at("metadata", "ownerReferences")?.array ?? []
                    #expect(owners.count == 1 && owners[0]["controller"] == nil && owners[0]["name"]?.string == "job")
                    if attempt < 3 { try await builds.evict(key) } else { try await builds.finish(key) }
                }
                let job = try await world.waitForEnd()
                #expect(job.status?.trials?.completed == 1 && job.status?.images == ImagesStatus(total: 1, ready: 1, failed: 0))
            }
            let run = try await world.records().first { $0["kind"]?.string == "run" }
            #expect(run?.at("config", "image")?.string == "\(registry.address):\(registry.port)/tasks@\(builds.digest)")
            let target = try EvalTarget(json: try await world.client.get(.evalTargets, ObjectKey(namespace: "default", name: "default")))
            #expect(target.status?.conditions.first { $0.type == "Preflight" }?.status == "True")
        }
    }

    @Test("after three evictions the image counts as failed, once for all its trials")
    func givenUp() async throws {
        try await with(["build-x-a", "build-x-b"]) { world, builds, _ in
            try await world.withOperator { _ in
                var seen = try await passProbe(builds)
                try await world.createJob()
                for _ in 1...3 {
                    let (key, uid, _) = try await builds.next(after: seen)
                    seen.insert(uid)
                    try await builds.evict(key)
                }
                let job = try await world.waitForEnd()
                #expect(job.status?.trials?.failed == 2)
            }
            for run in try await world.records() where run["kind"]?.string == "run" {
                #expect(run.at("error", "type")?.string == "environment_build_failed")
                #expect(run.at("error", "message")?.string?.contains("tried 3 times") == true, "\(run.text)")
            }
        }
    }

    @Test("an operator that starts again follows the build pod that it finds")
    func restarted() async throws {
        try await with(["build-x"]) { world, builds, _ in
            var seen: Set<String> = []
            try await world.withOperator { _ in
                seen = try await passProbe(builds)
                try await world.createJob()
                _ = try await builds.next(after: seen)
            }
            let (key, uid, _) = try await builds.next(after: seen)
            try await world.withOperator { _ in
                try await builds.finish(key)
                let job = try await world.waitForEnd()
                #expect(job.status?.trials?.completed == 1)
                let pods = try await world.client.list(.pods, namespace: "default").items
                #expect(!pods.contains { ObjectMeta(of: $0).uid == uid })
            }
        }
    }

    @Test("a job that is cancelled or deleted leaves no build pod", arguments: ["cancel", "delete"])
    func unwanted(how: String) async throws {
        try await with(["build-x"]) { world, builds, _ in
            try await world.withOperator { _ in
                let seen = try await passProbe(builds)
                try await world.createJob()
                let (key, _, _) = try await builds.next(after: seen)
                if how == "cancel" {
                    try await world.change(to: ["cancel": true])
                } else {
                    _ = try await world.client.delete(.evalJobs, ObjectKey(namespace: "default", name: "job"))
                }
                let gone = await eventually(within: 60) {
                    do { _ = try await world.client.get(.pods, key) } catch { return (error as? KubeError)?.isNotFound == true }
                    return false
                }
                #expect(gone, "the build pod is left")
            }
        }
    }

    @Test("the check of a target that changes or goes ends with its pod, and is not made again for it")
    func probeEnds() async throws {
        try await with(["build-x"]) { world, builds, _ in
            try await world.withOperator { _ in
                let name = ObjectKey(namespace: "default", name: "default")
                let (first, firstUID, _) = try await builds.next(after: [])
                _ = try await world.client.patch(.evalTargets, name, .merge(["spec": ["image": ["build": ["builderImage": "builder:2"]]]]))
                let (second, secondUID, _) = try await builds.next(after: [firstUID])
                #expect(first.name != second.name)
                #expect(try await isGone(first, world), "the pod of the older spec's check is left")
                _ = try await world.client.delete(.evalTargets, name)
                #expect(try await isGone(second, world), "the pod of the deleted target's check is left")
                // A pod that goes away is taken for an interruption, and made again, while somebody wants it.
                let again = try await eventually(within: 4) {
                    try await world.client.list(.pods, namespace: "default").items.contains {
                        ![firstUID, secondUID].contains(ObjectMeta(of: $0).uid)
                    }
                }
                #expect(!again, "the check goes on without its target")
            }
        }
    }

    private func isGone(_ key: ObjectKey, _ world: World) async throws -> Bool {
        await eventually {
            do { _ = try await world.client.get(.pods, key) } catch { return (error as? KubeError)?.isNotFound == true }
            return false
        }
    }

    @Test("a task that needs a build is refused on a target that builds nothing, and the message says what to set")
    func refused() async throws {
        try await World.run(tasks: ["build-x"]) { world in
            try await world.withOperator { _ in
                try await world.createJob()
                let job = try await world.waitForEnd()
                #expect(job.status?.trials?.failed == 1)
                try await world.createJob("forced", with: ["environment": ["forceBuild": true]])
                let stalled = try await world.wait("forced") { $0.status?.condition(.stalled) != nil }
                #expect(stalled.status?.condition(.stalled)?.message?.contains("spec.image.build") == true)
            }
            let run = try await world.records().first { $0["kind"]?.string == "run" }
            #expect(run?.at("error", "type")?.string == "task_invalid")
            #expect(run?.at("error", "message")?.string?.contains("set spec.image.build in the EvalTarget") == true)
        }
    }
}
