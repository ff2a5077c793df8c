import AssayAPI
import AssayTesting
import Base
import EvalModel
import Foundation
import KubeClient
import KubeCore
import Testing

@testable import Reconcilers

@Suite("Why trials do not run yet, in tables")
struct PendingCauseDecisionTests {
    private func find(
        _ pods: [PendingCause.Pod] = [], slots: PendingCause.Slots? = nil, unconfirmed: String? = nil, running: Int = 0,
        parallelism: Int = 4
    ) -> PendingCause? {
        .find(pods: pods, slots: slots, unconfirmed: unconfirmed, running: running, parallelism: parallelism)
    }

    private func pod(_ index: Int, _ reason: String, _ message: String = "") -> PendingCause.Pod {
        .init(name: "p\(index)", index: index, reason: reason, message: message)
    }

    @Test("states that every pod passes through are not reported; the most frequent cause is reported with the message of its first pod")
    func causes() {
        #expect(find([pod(0, "ContainerCreating"), pod(1, "PodInitializing"), pod(2, "Pending", "no container has been started")]) == nil)
        let found = find([
            pod(3, "Unschedulable", "0/1 nodes are available: 1 Insufficient cpu."), pod(2, "ErrImagePull", "not found"),
            pod(1, "ImagePullBackOff", "Back-off"),
        ])
        #expect(found?.reason == .trialsPending && found?.kind == "image" && found?.message == "pod p1: ImagePullBackOff: Back-off")
        var slow = pod(0, "ContainerCreating")
        slow.age = 30
        let mentioned = find([slow, pod(1, "PodInitializing")])
        #expect(mentioned?.isEvent == false && mentioned?.message.hasPrefix("pod p0: ContainerCreating; `kubectl describe pod p0`") == true)
        #expect(find([pod(0, "SchedulingGated", "Scheduling is blocked due to non-empty scheduling gates")])?.kind == "SchedulingGated")
    }

    @Test("there is an Event for a full target only when no trial of the job runs")
    func slots() {
        let slots = PendingCause.Slots(target: "narrow", limit: 2)
        let alone = find(slots: slots)
        #expect(alone?.reason == .waitingForSlot && alone?.isEvent == true && alone?.message.contains("\"narrow\"") == true)
        let beside = find(slots: slots, running: 1)
        #expect(beside?.reason == .trialsRunning && beside?.isEvent == false)
        #expect(find(parallelism: 0)?.message == "spec.parallelism is 0: no trial starts")
    }

    @Test("refusals for one cause have the same kind, whatever the pod's name and the quota's numbers are")
    func refusals() {
        func refusal(_ text: String) -> KubeError { .status(KubeStatus(code: 403, reason: "Forbidden", message: text)) }
        let one = PendingCause.refused(refusal("pods \"a-0\" is forbidden: exceeded quota: q, requested: cpu=1, used: cpu=4, limited: cpu=4"))
        let two = PendingCause.refused(refusal("pods \"a-17\" is forbidden: exceeded quota: q, requested: cpu=1, used: cpu=3900m, limited: cpu=4"))
        let other = PendingCause.refused(refusal("pods \"a-17\" is forbidden: violates PodSecurity \"restricted:latest\""))
        #expect(one.reason == .trialPodRefused && one.message.contains("exceeded quota") == true)
        #expect(one.kind.prefix(40) == two.kind.prefix(40) && one.kind != other.kind)
    }

    @Test("a message that differs only in numbers, or adds nothing, does not replace the one that is shown")
    func words() {
        func held(_ message: String) -> PendingCause { .init(reason: .trialsPending, kind: "k", message: message) }
        #expect(held("pod p: back-off 20s restarting").message(replacing: "pod p: back-off 10s restarting") == "pod p: back-off 10s restarting")
        #expect(
            held("pod p: ImagePullBackOff: Back-off").message(replacing: "pod p: ErrImagePull: no such host") == "pod p: ErrImagePull: no such host")
        #expect(
            held("pod q: ImagePullBackOff: Back-off").message(replacing: "pod p: ErrImagePull: no such host") == "pod q: ImagePullBackOff: Back-off")
        #expect(held("pod p: ErrImagePull: denied").message(replacing: "pod p: ErrImagePull: no such host") == "pod p: ErrImagePull: denied")
    }
}

@Suite("What a person sees of pods that cannot start")
struct PendingCauseTests {
    /// The statuses of a pod on a real node, one after the other.
    private func recorded(_ name: String) throws -> [JSONValue] {
        let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("PodmanNodeTests/Fixtures/pods/\(name).jsonl").path
        // As if it happened now: a pod that has waited for days is given up.
        let now = SystemTime().now().rfc3339
        return try String(contentsOfFile: path, encoding: .utf8).replacing(/"2026-[0-9T:.-]+Z"/, with: "\"\(now)\"").split(separator: "\n").map {
            try JSONValue(parsing: Array($0.utf8))
        }
        .filter { $0["watch"] == "pod" && $0["type"] != "DELETED" }.compactMap { $0.at("object", "status") }
    }

    struct Case: Sendable, CustomTestStringConvertible {
        let recording: String
        /// Words of the scheduler or the kubelet.
        let words: [String]
        var testDescription: String { recording }
    }

    static let cases = [
        Case(recording: "image-pull-fails", words: ["ErrImagePull", "127.0.0.1:1/none:1"]),
        Case(recording: "image-name-invalid", words: ["InvalidImageName", "must be lowercase"]),
        Case(recording: "image-missing-never-pull", words: ["ErrImageNeverPull"]),
        Case(recording: "unschedulable-cpu", words: ["Unschedulable", "Insufficient cpu"]),
        Case(recording: "unschedulable-gpu", words: ["Unschedulable", "Insufficient"]),
        Case(recording: "unschedulable-selector", words: ["Unschedulable", "node affinity/selector"]),
        Case(recording: "secret-key-missing", words: ["CreateContainerConfigError", "secret \"none\" not found"]),
    ]

    @Test("a real node's pods: counts, condition, one event, `kubectl get`, `describe` and `get events`", arguments: cases)
    func recordings(_ one: Case) async throws {
        try await World.run(binds: false, fate: { _ in .pending }) { world in
            try await world.withOperator { _ in
                try await world.createJob()
                try await world.waitForPods(2)
                let statuses = try recorded(one.recording)
                for pod in world.node.seen { for status in statuses { try await world.node.play(pod, .recorded(status)) } }
                let job = try await world.wait { $0.condition("Ready")?.reason == "TrialsPending" }
                let ready = try #require(job.condition("Ready"))
                #expect((job.status?.trials?.running, job.status?.trials?.pending) == (0, 2))
                for words in one.words { #expect(ready.message?.contains(words) == true, "\(ready.message ?? "")") }
                let isTold = try await eventually { try await !world.eventMessages("TrialsPending").isEmpty }
                #expect(isTold)
                // Kubelets write their statuses again and again.
                for _ in 0..<3 {
                    for pod in world.node.seen { for status in statuses.suffix(3) { try await world.node.play(pod, .recorded(status)) } }
                }
                try await SystemTime().sleep(seconds: 1)
                let events = try await world.eventMessages("TrialsPending")
                #expect(events.count == 1, "\(events)")
                for words in one.words.suffix(1) { #expect(events.first?.contains(words) == true, "\(events)") }

                // The statuses that were played again pass through earlier states.
                let rows = Locked("")
                let isShown = try await eventually {
                    let text = try await world.kubectl("get", "ej", "job", "-o", "wide").out
                    rows.withLock { $0 = text }
                    return text.contains(one.words[0])
                }
                #expect(isShown && rows.withLock { $0.contains("RUNNING") && $0.contains("STATUS") }, "\(rows.withLock { $0 })")
                let described = try await world.kubectl("describe", "ej", "job").out
                #expect(described.contains("TrialsPending") && described.contains(one.words[0]), "\(described)")
                let listed = try await world.kubectl("events", "--for", "evaljob/job").out
                #expect(listed.split(separator: "\n").filter { $0.contains("TrialsPending") }.count == 1, "\(listed)")
            }
        }
    }

    @Test("scheduling gates, a cordoned node, an init container that cannot start: one reason, one event, and the end of the wait clears it")
    func more() async throws {
        func unscheduled(_ reason: String, _ message: String) -> JSONValue {
            [
                "phase": "Pending",
                "conditions": [["type": "PodScheduled", "status": "False", "reason": .string(reason), "message": .string(message)]],
            ]
        }
        let cases: [(JSONValue, String)] = [
            (unscheduled("SchedulingGated", "Scheduling is blocked due to non-empty scheduling gates"), "scheduling gates"),
            (unscheduled("Unschedulable", "0/1 nodes are available: 1 node(s) were unschedulable."), "were unschedulable"),
            (unscheduled("Unschedulable", "0/1 nodes are available: 1 node(s) had untolerated taint(s)."), "untolerated taint"),
            (
                [
                    "phase": "Pending",
                    "initContainerStatuses": [
                        [
                            "name": "repo-cache", "image": "x", "imageID": "", "ready": false, "restartCount": 0,
                            "state": ["waiting": ["reason": "CreateContainerConfigError", "message": "secret \"deploy\" not found"]],
                        ]
                    ],
                ], "secret \"deploy\" not found"
            ),
        ]
        for (status, words) in cases {
            try await World.run(tasks: ["a"], binds: false, fate: { _ in .pending }) { world in
                try await world.withOperator { _ in
                    try await world.createJob()
                    try await world.waitForPods(1)
                    try await world.node.play(world.node.seen[0], .recorded(status))
                    let job = try await world.wait { $0.condition("Ready")?.reason == "TrialsPending" }
                    #expect(job.condition("Ready")?.message?.contains(words) == true, "\(job.condition("Ready")?.message ?? "")")
                    try await world.node.play(world.node.seen[0], .success(1))
                    let ended = try await world.waitForEnd()
                    #expect(ended.condition("Ready")?.reason == "TrialsComplete")
                    // Events are written after the status.
                    _ = try await eventually { try await !world.eventMessages("TrialsPending").isEmpty }
                    let events = try await world.eventMessages("TrialsPending")
                    #expect(events.count == 1 && events.first?.contains(words) == true, "\(events)")
                }
            }
        }
    }

    @Test("a quota refuses the pods: the server's words, one event")
    func quota() async throws {
        try await World.run(tasks: ["a", "b", "c"], fate: { _ in .never }) { world in
            let used = Locked(0)
            let proxy = try Breaker(
                to: world.port,
                answers: { request in
                    guard request.method == "POST", request.path.contains("/pods?") || request.path.hasSuffix("/pods") else { return nil }
                    let name = (try? JSONValue(parsing: request.body)).flatMap { $0.at("metadata", "name")?.string } ?? ""
                    let count = used.withLock {
                        $0 += 1; return $0
                    }
                    let status: JSONValue = [
                        "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Forbidden", "code": 403,
                        "message": .string(
                            "pods \"\(name)\" is forbidden: exceeded quota: small, requested: pods=1, used: pods=\(count), limited: pods=0"),
                    ]
                    let body = status.serialized()
                    return Array("HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nContent-Length: \(body.count)\r\n\r\n".utf8) + body
                })
            defer { proxy.stop() }
            try await world.withOperator(server: proxy.url) { _ in
                try await world.createJob()
                let job = try await world.wait { $0.condition("Ready")?.reason == "TrialPodRefused" }
                #expect(job.condition("Ready")?.message?.contains("exceeded quota: small") == true)
                #expect((job.status?.trials?.running, job.status?.trials?.pending) == (0, 3))
                _ = try await eventually { try await !world.eventMessages("TrialPodRefused").isEmpty }
                // Refused again and again meanwhile, without another event.
                let before = used.withLock { $0 }
                let isRefusedAgain = await eventually { used.withLock { $0 } > before + 3 }
                #expect(isRefusedAgain)
                let events = try await world.eventMessages("TrialPodRefused")
                #expect(events.count == 1, "\(events)")
            }
        }
    }

    @Test("every slot of the target is taken by another job: the waiting job's condition says so")
    func slot() async throws {
        try await World.run(tasks: ["a"], fate: { _ in .never }) { world in
            _ = try await world.client.create(
                .evalTargets, Build.object(.evalTargets, "narrow", namespace: "default", spec: ["type": "cluster", "maxConcurrentTrials": 1]))
            try await world.withOperator { _ in
                try await world.createJob("first", with: ["targetRef": ["name": "narrow"]])
                try await world.wait("first") { $0.status?.trials?.running == 1 }
                try await world.createJob("second", with: ["targetRef": ["name": "narrow"]])
                let job = try await world.wait("second") { $0.condition("Ready")?.reason == "WaitingForSlot" }
                #expect(job.condition("Ready")?.message?.contains("\"narrow\"") == true)
                #expect((job.status?.trials?.running, job.status?.trials?.pending) == (0, 1))
                let isTold = try await eventually { try await world.eventMessages("WaitingForSlot").count == 1 }
                #expect(isTold)
            }
        }
    }

    @Test("a ConfigMap that pods wait for is made again within seconds of its deletion")
    func sharedDeleted() async throws {
        try await World.run(tasks: ["a"], fate: { _ in .pending }) { world in
            try await world.withOperator { _ in
                try await world.createJob()
                try await world.waitForPods(1)
                let maps = try await world.client.list(.configMaps, namespace: "default").items
                let shared = maps.filter { ObjectMeta(of: $0).controller?.name == "job" }.compactMap { ObjectKey(of: $0) }
                    .filter { !$0.name.contains("-plan-") }
                try #require(!shared.isEmpty)
                for key in shared { _ = try await world.client.delete(.configMaps, key) }
                let state: JSONValue = ["waiting": ["reason": "CreateContainerConfigError", "message": "configmap not found"]]
                try await world.node.play(
                    world.node.seen[0],
                    .recorded([
                        "phase": "Pending",
                        "initContainerStatuses": [
                            ["name": "repo-cache", "image": "x", "imageID": "", "ready": false, "restartCount": 0, "state": state]
                        ],
                    ]))
                let client = world.client
                let isBack = await eventually {
                    for key in shared where (try? await client.get(.configMaps, key)) == nil { return false }
                    return true
                }
                #expect(isBack)
            }
        }
    }

    @Test("`kubectl get -w`: while trials are counted, most lines are shown once")
    func watched() async throws {
        try await World.run(tasks: ["a", "b", "c", "d", "e", "f"], fate: { _ in .success(1) }) { world in
            try await world.withOperator { _ in
                let watch = try await world.watchJobs()
                defer { watch.stop() }
                try await world.createJob(with: ["parallelism": 2])
                try await world.waitForEnd()
                let isShown = await eventually { watch.output.contains("Succeeded") }
                #expect(isShown)
                // Without the age.
                let shown = watch.output.split(separator: "\n").map { $0.split(separator: " ").dropLast().joined(separator: " ") }
                let counted = shown.filter { $0.hasPrefix("job Running") && !$0.contains(" 0/6 ") }
                #expect(
                    shown.last?.hasPrefix("job Succeeded 6/6") == true && counted.count > 1 && counted.count - Set(counted).count <= 1, "\(shown)")
            }
        }
    }

    @Test("a failed init container: the job says what failed while the next try is waited for")
    func retry() async throws {
        try await World.run(tasks: ["a"], fate: { $0.retry == 0 ? .initFailed : .success(1) }) { world in
            try await world.withOperator { _ in
                // The wait outlasts the test, so that it is seen however slow the machine is.
                try await world.createJob(with: ["retry": ["maxAttempts": 3, "initialDelayMs": 600_000, "maxDelayMs": 600_000]])
                let job = try await world.wait { $0.condition("Ready")?.reason == "TrialsPending" }
                let message = job.condition("Ready")?.message ?? ""
                #expect(message.contains("the remote hung up") && message.contains("tried again"), "\(message)")
            }
        }
    }
}

extension EvalJob {
    func condition(_ type: String) -> Condition? { status?.conditions.first { $0.type == type } }
}
