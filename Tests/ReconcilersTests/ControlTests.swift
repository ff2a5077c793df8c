import AssayAPI
import AssayTesting
import Base
import EvalModel
import KubeCore
import Testing
import YAML

@Suite("Changes that users make to a running job")
struct ControlTests {
    @Test("suspended, nothing starts and what runs may finish; resumed, it goes on")
    func suspend() async throws {
        try await World.run(tasks: ["a", "b", "c"], fate: { $0.index == 0 ? .never : .success(1) }) { world in
            try await world.withOperator { _ in
                try await world.createJob(with: ["parallelism": 1])
                try await world.waitForPods(1)
                try await world.change(to: ["suspend": true])
                try await world.wait { $0.status?.phase == .suspended }
                try await world.node.play(world.node.seen[0], .success(1))
                let job = try await world.wait { $0.status?.trials?.completed == 1 && $0.status?.trials?.running == 0 }
                #expect(job.status?.phase == .suspended && job.status?.trials?.pending == 2)
                try await world.expectNoPods()
                #expect(world.node.seen.count == 1)
                try await world.change(to: ["suspend": false])
                let ended = try await world.waitForEnd()
                #expect(ended.status?.trials?.completed == 3 && world.node.mostActive == 1)
                try await world.expectRuns(3)
            }
        }
    }

    @Test("cancelled: what runs is stopped, what never ran is skipped, the record says so")
    func cancel() async throws {
        try await World.run(tasks: ["a", "b", "c", "d"], fate: { $0.index == 0 ? .success(1) : .never }) { world in
            try await world.withOperator { _ in
                try await world.createJob(with: ["parallelism": 2])
                try await world.wait { $0.status?.trials?.completed == 1 && $0.status?.trials?.running == 2 }
                try await world.change(to: ["cancel": true])
                let job = try await world.waitForEnd()
                let trials = try #require(job.status?.trials)
                #expect(job.status?.phase == .cancelled)
                #expect((trials.completed, trials.failed, trials.skipped, trials.running, trials.pending) == (1, 0, 3, 0, 0))
                #expect(trials.skippedIndexes?.description == "1-3")
                #expect(job.status?.conditions.first { $0.type == "Failed" }?.reason == "Cancelled")
                #expect(job.status?.conditions.contains { $0.type == "Complete" } == false)
                try await world.expectNoPods()
                // The two that ran have a record of their own; the one that never ran has none.
                try await world.expectRuns(3)
                let record = try #require(try await world.records().first { $0["kind"] == "job" })
                #expect(record["cancelled"] == true)
            }
        }
    }

    /// 500 trials: as many as one pass would record.
    @Test("cancelled before anything started, all trials are skipped, also those that could not run")
    func cancelOfUnstartedTrials() async throws {
        // Neither task has tests, so every trial would be refused. 500 trials are as many as one pass would record.
        try await World.run(tasks: ["broken-a", "broken-b"]) { world in
            try await world.withOperator { _ in
                try await world.createJob(with: ["attempts": 250, "suspend": true])
                try await world.wait { $0.status?.phase == .suspended && $0.status?.trials?.total == 500 }
                try await world.change(to: ["cancel": true])
                let job = try await world.waitForEnd()
                let trials = try #require(job.status?.trials)
                #expect((trials.failed, trials.skipped, trials.total) == (0, 500, 500))
                #expect(job.status?.phase == .cancelled && world.node.seen.isEmpty)
                #expect(try await world.records().allSatisfy { $0["kind"] != "run" })
            }
        }
    }

    @Test("a job that could not begin can be cancelled")
    func cancelBeforeTheBeginning() async throws {
        try await World.run { world in
            try await world.withOperator { _ in
                try await world.createJob(with: ["targetRef": ["name": "nowhere"]])
                try await world.wait { $0.status?.conditions.contains { $0.reason == "TargetNotFound" } == true }
                try await world.change(to: ["cancel": true])
                let job = try await world.waitForEnd()
                #expect(job.status?.phase == .cancelled && world.node.seen.isEmpty)
            }
        }
    }

    @Test("activeDeadlineSeconds ends a job that does not end")
    func deadline() async throws {
        let time = ShiftedTime()
        try await World.run(tasks: ["a", "b"], fate: { $0.index == 0 ? .success(1) : .never }) { world in
            try await world.withOperator(time: time) { _ in
                try await world.createJob(with: ["activeDeadlineSeconds": 600])
                try await world.wait { $0.status?.trials?.completed == 1 && $0.status?.trials?.running == 1 }
                time.shift(seconds: 601)
                try await world.change(to: ["parallelism": 1])
                let job = try await world.waitForEnd()
                #expect(job.status?.phase == .failed && job.status?.trials?.completed == 1 && job.status?.trials?.skipped == 1)
                #expect(job.status?.conditions.first { $0.type == "Failed" }?.reason == "DeadlineExceeded")
                try await world.expectNoPods()
            }
        }
    }

    @Test("a job of an older CRD with the largest possible durations runs and is released")
    func farFuture() async throws {
        try await World.run(tasks: ["a"]) { world in
            let before = CustomResourceDefinitions.evalJobs.replacing("                maximum: 315360000\n", with: "")
            try await world.client.apply(.customResourceDefinitions, try YAML.parseSingle(Array(before.utf8)), manager: "test")
            try await world.withOperator { _ in
                try await world.createJob(with: ["activeDeadlineSeconds": .int(.max), "ttlSecondsAfterFinished": .int(.max)])
                let job = try await world.waitForEnd()
                #expect(job.status?.trials?.completed == 1)
                try await world.wait { $0.metadata.finalizers?.isEmpty ?? true }
            }
        }
    }

    @Test("parallelism changes while the job runs")
    func parallelism() async throws {
        try await World.run(tasks: ["a", "b", "c", "d", "e"], fate: { _ in .never }) { world in
            try await world.withOperator { _ in
                try await world.createJob(with: ["parallelism": 2])
                try await world.wait { $0.status?.trials?.running == 2 }
                #expect(world.node.seen.count == 2)
                try await world.change(to: ["parallelism": 4])
                try await world.wait { $0.status?.trials?.running == 4 }
                #expect(world.node.seen.count == 4)
            }
        }
    }

    @Test("ttlSecondsAfterFinished removes the job, and only when everything is pushed")
    func ttl() async throws {
        try await World.run(tasks: ["a"]) { world in
            try await world.refusePushes(true)
            try await world.withOperator(.laptop) { _ in
                try await world.createJob(with: ["ttlSecondsAfterFinished": 0])
                let job = try await world.waitForEnd()
                #expect(job.status?.artifacts?.pending ?? 0 > 0)
                #expect(job.status?.conditions.first { $0.type == "ArtifactsReady" }?.status == "False")
            }
            #expect(try await world.job() != nil)
            try await world.refusePushes(false)
            try await world.withOperator(.laptop) { _ in
                let gone = try await eventually { try await world.job() == nil }
                #expect(gone)
            }
            try await world.expectRuns(1)
        }
    }

    @Test("a deleted job's runs are pushed, its own record says cancelled, and nothing is left")
    func deletion() async throws {
        try await World.run(tasks: ["a", "b", "c"], fate: { $0.index == 0 ? .success(1) : .never }) { world in
            try await world.refusePushes(true)
            try await world.withOperator { _ in
                try await world.createJob(with: ["parallelism": 2])
                try await world.wait { $0.status?.artifacts?.pending == 1 && $0.status?.trials?.running == 2 }
                _ = try await world.client.delete(.evalJobs, ObjectKey(namespace: "default", name: "job"))
                try await world.wait { $0.metadata.isDeleting }
            }
            #expect(try await world.job() != nil)
            try await world.refusePushes(false)
            try await world.withOperator { _ in
                let gone = try await eventually { try await world.job() == nil }
                #expect(gone)
                try await world.expectNoPods()
            }
            let records = try await world.records()
            #expect(records.contains { $0["kind"] == "run" && $0["index"] == 0 && $0["reward"]?.double == 1 })
            #expect(records.first { $0["kind"] == "job" }?["cancelled"] == true)
        }
    }

    @Test("a deleted job whose results are refused tries again every ten seconds, and goes when the remote takes them")
    func deletionWhileRefused() async throws {
        try await World.run(tasks: ["a", "b"], fate: { $0.index == 0 ? .success(1) : .never }) { world in
            try await world.refusePushes(true)
            try await world.withOperator { _ in
                try await world.createJob()
                try await world.wait { $0.status?.artifacts?.pending == 1 && $0.status?.trials?.running == 1 }
                _ = try await world.client.delete(.evalJobs, ObjectKey(namespace: "default", name: "job"))
                // Without that, the second attempt would come after 30 s at the earliest and the third 60 s after it.
                let first = try world.pushesRefused()
                let isTriedAgain = try await eventually { try world.pushesRefused() >= first + 2 }
                #expect(isTriedAgain)
                #expect(try await world.job() != nil)
                try await world.refusePushes(false)
                let gone = try await eventually { try await world.job() == nil }
                #expect(gone)
                try await world.expectNoPods()
            }
            try await world.expectRuns(2)
        }
    }

    @Test("a namespace is deleted although the Secret for its results was deleted before")
    func namespaceDeletion() async throws {
        try await World.run(tasks: ["a", "b"], fate: { $0.index == 0 ? .success(1) : .never }) { world in
            try await world.client.create(.namespaces, Build.object(.namespaces, "team"))
            try await world.client.create(
                .secrets, ["apiVersion": "v1", "kind": "Secret", "metadata": ["name": "push"], "stringData": ["password": "12345678"]],
                namespace: "team")
            let artifacts: JSONValue = [
                "backend": "git",
                "git": ["remote": "https://127.0.0.1:1/results.git", "branch": .string(World.branch), "secretRef": ["name": "push"]],
            ]
            // Begun on the laptop, where a remote that does not answer holds nothing up; gone on with as on a cluster.
            try await world.withOperator(.laptop) { _ in
                try await world.createJob("job", namespace: "team", with: ["artifacts": artifacts])
                let running = try await eventually { try await world.job("job", namespace: "team")?.status?.startTime != nil }
                #expect(running)
            }
            _ = try await world.client.delete(.secrets, ObjectKey(namespace: "team", name: "push"))
            _ = try await world.client.delete(.namespaces, ObjectKey(namespace: "", name: "team"))
            try await world.withOperator(state: "fresh") { _ in
                let client = world.client
                let gone = await eventually { (try? await client.get(.namespaces, ObjectKey(namespace: "", name: "team"))) == nil }
                #expect(gone)
                try await world.expectNoPods()
            }
        }
    }

    @Test("pods of a job that is gone do not keep their namespace")
    func orphans() async throws {
        try await World.run(tasks: ["a"], fate: { _ in .never }) { world in
            try await world.withOperator { _ in
                try await world.createJob()
                try await world.waitForPods(1)
            }
            let key = ObjectKey(namespace: "default", name: "job")
            _ = try await world.client.patch(.evalJobs, key, .merge(["metadata": ["finalizers": .null]]))
            _ = try await world.client.delete(.evalJobs, key)
            try await world.withOperator { _ in try await world.expectNoPods() }
        }
    }

    @Test("a job deleted with --cascade=orphan leaves pods that their next owner can delete")
    func orphanedByADeletion() async throws {
        try await World.run(tasks: ["a"], fate: { _ in .never }) { world in
            try await world.withOperator { _ in
                try await world.createJob()
                try await world.waitForPods(1)
            }
            // As the garbage collector leaves it, with nobody there to see it happen.
            let pods = try await world.client.list(.pods, namespace: "default").items.map { ObjectMeta(of: $0).key }
            for pod in pods { _ = try await world.client.patch(.pods, pod, .merge(["metadata": ["ownerReferences": .null]])) }
            let key = ObjectKey(namespace: "default", name: "job")
            _ = try await world.client.patch(.evalJobs, key, .merge(["metadata": ["finalizers": .null]]))
            _ = try await world.client.delete(.evalJobs, key, options: DeleteOptions(propagation: .orphan))
            try await world.withOperator(state: "fresh") { _ in
                let client = world.client
                let free = try await eventually {
                    try await client.list(.pods, namespace: nil).items.allSatisfy { (ObjectMeta(of: $0).finalizers ?? []).isEmpty }
                }
                #expect(free && !pods.isEmpty)
                for pod in pods { _ = try await client.delete(.pods, pod, options: DeleteOptions(gracePeriodSeconds: 0)) }
                try await world.expectNoPods()
            }
        }
    }
}
