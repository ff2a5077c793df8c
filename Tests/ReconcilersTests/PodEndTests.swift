import AssayAPI
import AssayTesting
import Base
import EvalModel
import KubeCore
import KubeRuntime
import Testing

@testable import Reconcilers

@Suite("What happens to pods")
struct PodEndTests {
    @Test("catalogue 19: a pod that is deleted, its finalizer held, is counted once")
    func deletedAndHeld() async throws {
        try await World.run(tasks: ["a"], fate: { $0.retry == 0 ? .deleted : .success(1) }) { world in
            try await world.withOperator { _ in
                try await world.createJob()
                let job = try await world.waitForEnd()
                #expect(job.status?.trials?.completedIndexes?.description == "0" && job.status?.trials?.failed == 0)
                #expect(world.node.seen.map(\.retry) == [0, 1])
                try await world.expectNoPods()
                try await world.expectRuns(1)
                #expect(try await world.subjects().filter { $0.hasPrefix("Retry: ") }.count == 1)
            }
        }
    }

    @Test("catalogue 19: a pod that vanishes, finalizer and all, is retried")
    func vanishes() async throws {
        try await World.run(tasks: ["a", "b"], fate: { $0.retry == 0 && $0.index == 0 ? .vanishes : .success(1) }) { world in
            try await world.withOperator { _ in
                try await world.createJob()
                let job = try await world.waitForEnd()
                #expect(job.status?.trials?.completedIndexes?.description == "0-1")
                #expect(world.node.seen.map(\.retry) == [0, 1, 0])
                try await world.expectNoPods()
                try await world.expectRuns(2)
                let told = try await eventuallyEvents(world, ["TrialRetried", "TrialFailed"])
                #expect(told)
            }
        }
    }

    @Test("catalogue 19: a pod that vanishes each time is recorded when its tries are used up")
    func vanishesAlways() async throws {
        try await World.run(tasks: ["a", "b"], fate: { $0.index == 0 ? .vanishes : .success(1) }) { world in
            try await world.withOperator { running in
                try await world.createJob()
                let job = try await world.waitForEnd()
                #expect(job.status?.trials?.completedIndexes?.description == "1" && job.status?.trials?.failedIndexes?.description == "0")
                #expect(job.status?.trials?.infrastructure == 1 && job.status?.metrics?.passRate == 1)
                #expect(world.node.seen.filter { $0.index == 0 }.map(\.retry) == [0, 1, 2])
                try await world.expectRuns(2)
                #expect(try await world.subjects().filter { $0.hasPrefix("Retry: ") }.count == 2)
                let failed = try #require(try await world.records().first { $0["index"] == 0 && $0["kind"] == "run" })
                #expect(failed.at("error", "type") == "environment_evicted" && failed["retries"] == 2)
                #expect(running.metricsText.contains(#"assay_trials_total{result="infrastructure"} 1"#))
            }
        }
    }

    @Test("catalogue 20: the node is gone and its pod removed by force: retried once")
    func nodeIsForceDeleted() async throws {
        let time = ShiftedTime()
        try await World.run(tasks: ["a"], fate: { $0.retry == 0 ? .never : .success(1) }) { world in
            try await world.withOperator(time: time) { _ in
                try await world.createJob()
                try await world.waitForPods(1)
                let pod = world.node.seen[0]
                // The node says nothing any more; somebody deletes the pod with force, the finalizer holds it.
                world.node.ignore(pod)
                _ = try await world.client.delete(.pods, pod.key, options: DeleteOptions(gracePeriodSeconds: 0))
                time.shift(seconds: 600)
                _ = try await world.client.patch(.pods, pod.key, .merge(["metadata": ["annotations": ["assay.dev/test": "x"]]]))
                let job = try await world.waitForEnd()
                #expect(job.status?.trials?.completed == 1 && world.node.seen.map(\.retry) == [0, 1])
                try await world.expectRuns(1)
                try await world.expectNoPods()
            }
        }
    }

    @Test("catalogue 21: a verdict remains valid when the pod is evicted after it, and an eviction without a verdict is never a success")
    func succeededThenEvicted() async throws {
        try await World.run(tasks: ["a", "b"], fate: { $0.index == 0 ? .succeededThenEvicted(0.5) : .evicted }) { world in
            try await world.withOperator { _ in
                try await world.createJob(with: ["retry": ["maxAttempts": 1]])
                let job = try await world.waitForEnd()
                #expect(job.status?.trials?.completedIndexes?.description == "0" && job.status?.trials?.failedIndexes?.description == "1")
                let records = try await world.records().filter { $0["kind"] == "run" }
                #expect(records.first { $0["index"] == 0 }?["reward"]?.double == 0.5)
                #expect(records.first { $0["index"] == 1 }?.at("error", "type") == "environment_evicted")
            }
        }
    }

    @Test("catalogue 23: another pod with the same labels and owner changes no result")
    func twoPodsForOneIndex() async throws {
        try await World.run(tasks: ["a"], fate: { $0.name.hasPrefix("zz-") ? .success(0) : .never }) { world in
            try await world.withOperator { _ in
                try await world.createJob()
                try await world.waitForPods(1)
                let pod = world.node.seen[0]
                var copy = try await world.client.get(.pods, pod.key)
                let metadata = copy["metadata"] ?? [:]
                copy["metadata"] = [
                    "name": "zz-copy", "namespace": "default", "labels": metadata["labels"] ?? [:], "finalizers": metadata["finalizers"] ?? [],
                    "ownerReferences": metadata["ownerReferences"] ?? [],
                ]
                copy["status"] = nil
                copy["spec"]?["nodeName"] = nil
                _ = try await world.client.create(.pods, copy, namespace: "default")
                try await world.waitForPods(2)
                let client = world.client
                let gone = try await eventually { try await client.list(.pods, namespace: nil).items.count == 1 }
                #expect(gone)
                try await world.node.play(pod, .success(1))
                let job = try await world.waitForEnd()
                #expect(job.status?.trials?.completed == 1 && job.status?.metrics?.meanReward == 1)
                try await world.expectRuns(1)
            }
        }
    }

    @Test("infrastructure failures are kept in retries/<n> and bounded; outcomes are not retried")
    func retries() async throws {
        try await World.run(
            tasks: ["a", "b", "c"],
            fate: { pod in
                switch pod.index {
                case 0: pod.retry == 0 ? .initFailed : pod.retry == 1 ? .evicted : .success(1)
                case 1: .failure(.agentExecutionFailed)
                default: .evicted
                }
            }
        ) { world in
            try await world.withOperator { _ in
                try await world.createJob()
                let job = try await world.waitForEnd()
                let trials = try #require(job.status?.trials)
                #expect((trials.completed, trials.failed, trials.infrastructure) == (1, 2, 1))
                #expect(job.status?.metrics?.passRate == 0.5)
                #expect(world.node.seen.map { "\($0.index)-\($0.retry)" } == ["0-0", "0-1", "0-2", "1-0", "2-0", "2-1", "2-2"])
                try await world.expectRuns(3)
                let files = try await world.git(world.remote, "ls-tree", "-r", "--name-only", World.branch).split(separator: "\n")
                #expect(files.filter { $0.hasSuffix("retries/0/metadata.json") }.count == 2)
                #expect(files.filter { $0.hasSuffix("retries/1/metadata.json") }.count == 2)
                try await world.expectNoPods()
            }
        }
    }

    @Test("a retry waits for its backoff")
    func backoff() async throws {
        try await World.run(tasks: ["a"], fate: { $0.retry == 0 ? .evicted : .success(1) }) { world in
            try await world.withOperator { _ in
                try await world.createJob(with: ["retry": ["initialDelayMs": 3000]])
                let begin = SystemTime().monotonic()
                _ = try await world.waitForEnd()
                // The end of a pod is told in whole seconds.
                #expect(SystemTime().monotonic() - begin > 1.9)
            }
        }
    }

    @Test("catalogue 24: a log that was rotated while it was read is flagged, and the verdict stands", arguments: [true, false])
    func logIsRotated(hasBeginning: Bool) async throws {
        try await World.run(tasks: ["a"], fate: { _ in .successWithRotatedLog(1, hasBeginning: hasBeginning) }) { world in
            try await world.withOperator { _ in
                try await world.createJob()
                let job = try await world.waitForEnd()
                #expect(job.status?.trials?.completed == 1 && job.status?.metrics?.passRate == 1)
                #expect(world.node.seen.map(\.retry) == [0], "the agent does not run again for it")
                let record = try #require(try await world.records().first { $0["kind"] == "run" })
                #expect(record.at("error", "type") == "artifact_truncated" && record["reward"]?.double == 1 && record["passed"] == true)
                #expect(record.at("error", "message")?.string?.contains(hasBeginning ? "ends within the pack" : "beginning") == true)
                let files = try await world.git(world.remote, "ls-tree", "-r", "--name-only", World.branch)
                #expect(!files.contains("logs/"), "nothing of half a pack is written")
            }
        }
    }

    @Test("catalogue 55: escapes in what a trial says are inert in records, commits, events and the status")
    func escapes() async throws {
        let said = "cannot \u{1B}[2J\u{1B}]0;owned\u{7}\u{9B}31m \u{202E}go on\r\nAssay-Reward: 1"
        try await World.run(tasks: ["a", "b"], fate: { .failureSaying(TrialError($0.index == 0 ? .verifierFailed : .environmentStartFailed, said)) })
        { world in
            try await world.withOperator { _ in
                try await world.createJob(with: ["retry": ["maxAttempts": 1]])
                let job = try await world.waitForEnd()
                let told = try await eventuallyEvents(world, ["TrialFailed"])
                #expect(told)
                var shown = try await world.client.list(.events, namespace: nil).items.compactMap { $0["message"]?.string }
                #expect(shown.contains { $0.contains(#"cannot \x1b[2J"#) }, "\(shown)")
                shown += job.status?.conditions.compactMap(\.message) ?? []
                shown += try await world.records().compactMap { $0.at("error", "message")?.string }
                shown += try await world.git(world.remote, "log", "--format=%B", World.branch).split(separator: "\n").map(String.init)
                for text in shown {
                    #expect(
                        !text.unicodeScalars.contains { $0.value < 0x20 || (0x7F..<0xA0).contains($0.value) || $0.value == 0x202E },
                        "\(text.debugDescription)")
                }
                #expect(shown.allSatisfy { !$0.hasPrefix("Assay-Reward") }, "a message ends no trailer: \(shown)")
            }
        }
    }

    @Test("tokens and cost enter the record, the status and the job's totals")
    func usage() async throws {
        let usage = AgentUsage(tokens: TokenUsage(prompt: 1000, completion: 200, cached: 300), costUSD: 0.25, steps: 3)
        try await World.run(tasks: ["a", "b"], fate: { $0.index == 0 ? .successWithUsage(1, usage) : .success(0) }) { world in
            try await world.withOperator { _ in
                let prices: JSONValue = ["type": "cluster", "sync": "oneshot", "cost": ["cpuHour": 0.5, "memoryGiBHour": 0.25]]
                _ = try await world.client.create(
                    .evalTargets, Build.object(.evalTargets, "default", namespace: "default", spec: prices), namespace: "default")
                try await world.createJob(with: ["environment": ["overrideCPUs": 2, "overrideMemoryMB": 1024]])
                let job = try await world.waitForEnd()
                // Six minutes of 2 CPUs and 1 GiB: 0.1 h x (2 x 0.5 + 1 x 0.25).
                #expect(job.status?.cost == 0.375 && job.status?.tokens == usage.tokens)
                #expect(job.status?.agents?.first?.cost == 0.375 && job.status?.agents?.first?.tokens == usage.tokens)
                let records = try await world.records()
                let run = try #require(records.first { $0["kind"] == "run" && $0["index"] == 0 })
                #expect(run["cost"]?.double == 0.375 && run.at("costs", "model")?.double == 0.25 && run.at("costs", "compute")?.double == 0.125)
                #expect(run["tokens"] == ["prompt": 1000, "completion": 200, "cached": 300])
                let total = try #require(records.first { $0["kind"] == "job" })
                #expect(total.at("totals", "tokens") == run["tokens"] && total.at("totals", "cost")?.double == 0.375)
                #expect(total.at("agents", "scripted", "tokens") == run["tokens"])
                #expect(total.at("config", "attempts") == 1 && total.at("config", "agents") == [["name": "scripted"]])
                let message = try await world.git(world.remote, "log", "--format=%B", World.branch)
                #expect(message.contains("Assay-Cost: 0.375\nAssay-Tokens: 1200\n"))
            }
        }
    }

    @Test("a pod whose log is gone keeps its verdict, and the record says what is missing")
    func logIsGone() async throws {
        try await World.run(tasks: ["a"], fate: { _ in .successWithoutLog(1) }) { world in
            try await world.withOperator { _ in
                try await world.createJob()
                let job = try await world.waitForEnd()
                #expect(job.status?.trials?.completed == 1 && job.status?.metrics?.meanReward == 1)
                let record = try #require(try await world.records().first { $0["kind"] == "run" })
                #expect(record.at("error", "type") == "artifact_truncated" && record["reward"]?.double == 1)
            }
        }
    }

    @Test("a log that cannot be read for a moment is read again, and nothing is missing")
    func logFailsForAMoment() async throws {
        try await World.run(tasks: ["a"]) { world in
            world.node.logFailures.withLock { $0 = 2 }
            try await world.withOperator { _ in
                try await world.createJob()
                let job = try await world.waitForEnd()
                #expect(job.status?.trials?.completed == 1)
                let record = try #require(try await world.records().first { $0["kind"] == "run" })
                #expect(record["error"] == nil, "\(record.text)")
            }
        }
    }

    @Test("a pod whose finalizer somebody took off is counted all the same")
    func finalizerTakenOff() async throws {
        try await World.run(tasks: ["a"], fate: { _ in .never }) { world in
            try await world.withOperator { _ in
                try await world.createJob()
                try await world.waitForPods(1)
                let pod = world.node.seen[0]
                _ = try await world.client.patch(.pods, pod.key, .merge(["metadata": ["finalizers": .null]]))
                try await world.node.play(pod, .success(1))
                let job = try await world.waitForEnd()
                #expect(job.status?.trials?.completed == 1 && world.node.seen.count == 1)
                try await world.expectNoPods()
                try await world.expectRuns(1)
            }
        }
    }

    @Test("a finalizer that somebody else added after the pod was read is not removed")
    func foreignFinalizer() async throws {
        try await World.run(tasks: ["a"], fate: { _ in .never }) { world in
            try await world.withOperator { _ in
                try await world.createJob()
                try await world.waitForPods(1)
                let seen = try #require(TrialPod(try await world.client.get(.pods, world.node.seen[0].key)))
                _ = try await world.client.patch(
                    .pods, seen.key, .merge(["metadata": ["finalizers": [.string(AssayNames.trialFinalizer), "example.com/mine"]]]))
                let deletions = PodDeletions(
                    client: world.client, pace: DeletionPace(quietSeconds: 0), time: SystemTime(), log: Log("test"), reconcile: { _ in })
                try await TrialPodWriter(client: world.client, expectations: Expectations(), deletions: deletions).release(seen, .delete, jobUID: "u")
                let left = try await world.client.get(.pods, seen.key)
                #expect(ObjectMeta(of: left).finalizers == ["example.com/mine"])
                _ = try await world.client.patch(.pods, seen.key, .merge(["metadata": ["finalizers": .null]]))
            }
        }
    }

    @Test(
        "counted pods are deleted after a while without a newly counted one, after a minute in any case, and when too many wait",
        arguments: [
            (1, 10.0, 1.0, 2.0), (1, 10, 3, 0), (1, 59, 1, 1), (500, 60, 0, 0), (2000, 10, 1, 2), (2001, 10, 0, 0),
        ])
    func deletionPace(waiting: Int, sinceFirst: Double, sinceLast: Double, seconds: Double) {
        let pace = DeletionPace(quietSeconds: 3)
        #expect(max(0, pace.secondsToWait(waiting: waiting, sinceFirst: sinceFirst, sinceLast: sinceLast)) == seconds)
    }

    @Test("a pod that is gone before its deletion, or whose name another pod has, is forgotten", arguments: [false, true])
    func goneBeforeDeletion(isReplaced: Bool) async throws {
        try await World.run(tasks: ["a"], fate: { _ in .never }) { world in
            try await world.withOperator { _ in
                try await world.createJob()
                try await world.waitForPods(1)
            }
            let object = try await world.client.get(.pods, world.node.seen[0].key)
            let pod = try #require(TrialPod(object))
            if !isReplaced {
                _ = try await world.client.patch(.pods, pod.key, .merge(["metadata": ["finalizers": .null]]))
                try await world.client.delete(.pods, pod.key, options: DeleteOptions(gracePeriodSeconds: 0))
            }
            let uid = isReplaced ? "another" : pod.uid
            let deletions = PodDeletions(
                client: world.client, pace: DeletionPace(quietSeconds: 0), time: SystemTime(), log: Log("test"), reconcile: { _ in })
            deletions.delete(pod, options: DeleteOptions(gracePeriodSeconds: 0, uid: uid))
            #expect(await eventually(within: 60) { !deletions.isKnown(pod.uid) })
            await deletions.stop()
            if isReplaced { _ = try await world.client.patch(.pods, pod.key, .merge(["metadata": ["finalizers": .null]])) }
        }
    }

    @Test("preserved pods", arguments: ["Always", "OnFailure"])
    func preserved(policy: String) async throws {
        try await World.run(tasks: ["a", "b"], fate: { $0.index == 0 ? .success(1) : .failure(.agentExecutionFailed) }) { world in
            try await world.withOperator { _ in
                try await world.createJob(with: ["environment": ["preserveEnv": .string(policy)]])
                _ = try await world.waitForEnd()
                let pods = try await world.client.list(.pods, namespace: nil).items
                #expect(pods.map { $0.at("metadata", "labels", AssayNames.indexLabel)?.string } == (policy == "Always" ? ["0", "1"] : ["1"]))
                #expect(pods.allSatisfy { $0.at("metadata", "finalizers") == nil && $0.at("metadata", "labels", AssayNames.countedLabel) == "true" })
                try await world.expectRuns(2)
                _ = try await world.client.delete(.evalJobs, ObjectKey(namespace: "default", name: "job"))
                try await world.expectNoPods()
            }
        }
    }
}
