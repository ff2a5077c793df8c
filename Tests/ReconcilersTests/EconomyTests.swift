import AssayAPI
import AssayTesting
import Base
import EvalModel
import Git
import KubeCore
import Testing

@testable import KubeRuntime
@testable import Reconcilers

@Suite("Jobs with problems do not delay others")
struct EconomyTests {
    @Test("catalogue 63: sources that drip beside three healthy jobs delay them by less than a second")
    func drippingSources() async throws {
        let drip = try ScriptedServer { _ in .stream([.hang]) }
        defer { drip.stop() }
        try await World.run(tasks: ["a"]) { world in
            try await world.withOperator(policy: [.local, .loopbackHTTP]) { _ in
                func healthy(_ prefix: String) async throws -> Double {
                    let begin = SystemTime().monotonic()
                    for number in 0..<3 { try await world.createJob("\(prefix)-\(number)") }
                    for number in 0..<3 { _ = try await world.waitForEnd("\(prefix)-\(number)") }
                    return SystemTime().monotonic() - begin
                }
                let alone = try await healthy("alone")
                // More than there are workers.
                for number in 0..<6 {
                    try await world.createJob("drip-\(number)", with: ["source": ["repo": .string("\(drip.url)/r-\(number).git")]])
                }
                let reached = await drip.waitForRequests(4)
                #expect(reached)
                // The machine may be busy with other tests: the best of five.
                var beside = Double.infinity
                for number in 0..<5 where beside >= alone + 1 { beside = min(beside, try await healthy("beside-\(number)")) }
                let waiting = try #require(try await world.job("drip-0"))
                #expect(waiting.status?.phase == .preparing && waiting.status?.startTime == nil)
                // One that is cancelled does not wait for its clone.
                try await world.change("drip-0", to: ["cancel": true])
                try await world.wait("drip-0") { $0.status?.isOver == true && $0.status?.phase == .cancelled }
                guard beside >= alone + 1 else { return }
                // Either they delay others, or the machine has become busier since the first measurement: without them it shows.
                for number in 1..<6 { try await world.change("drip-\(number)", to: ["cancel": true]) }
                for number in 1..<6 { try await world.wait("drip-\(number)") { $0.status?.isOver == true } }
                let after = try await healthy("after")
                #expect(beside < after + 1, "\(alone) s before, \(beside) s beside them, \(after) s after")
            }
        }
    }

    @Test("catalogue 66: logs cannot be read for three seconds while 200 pods end: no output is lost")
    func kubeletErrors() async throws {
        try await World.run(tasks: ["a", "b"], fate: { _ in .pending }) { world in
            try await world.withOperator { _ in
                try await world.createJob(with: ["attempts": 100, "parallelism": 200])
                try await world.waitForPods(200)
                world.node.logsFailUntil.withLock { $0 = SystemTime().monotonic() + 3 }
                // They end one after the other, each of which wakes the job.
                for pod in world.node.seen { try await world.node.play(pod, .success(1)) }
                let job = try await world.waitForEnd(within: 300)
                #expect(job.status?.trials?.completed == 200)
                let lost = try await world.records().filter { $0["kind"] == "run" && $0["error"] != nil }
                #expect(lost.isEmpty, "\(lost.count) of 200: \(lost.first?.text ?? "")")
                try await world.expectRuns(200)
            }
        }
    }

    @Test("the metrics that a job asks for are in its status and its record, also for each agent")
    func metrics() async throws {
        try await World.run(tasks: ["a", "b"], fate: { .success($0.index == 0 ? 1 : 0.5) }) { world in
            try await world.withOperator { _ in
                try await world.createJob(with: ["metrics": [["type": "min"], ["type": "sum"]]])
                let job = try await world.waitForEnd()
                #expect(job.status?.metrics?.values == ["min": 0.5, "sum": 1.5])
                #expect(job.status?.agents?.first?.metrics?.values == ["min": 0.5, "sum": 1.5])
                let record = try #require(try await world.records().first { $0["kind"] == "job" })
                #expect(record.at("totals", "metrics") == ["min": 0.5, "sum": 1.5])
                #expect(record.at("agents", "scripted", "metrics") == ["min": 0.5, "sum": 1.5])
            }
        }
    }

    @Test("a target of type local is refused on a cluster, and the message says what to use")
    func localTarget() async throws {
        try await World.run(tasks: ["a"]) { world in
            try await world.client.create(.evalTargets, Build.object(.evalTargets, "here", spec: ["type": "local"]), namespace: "default")
            try await world.withOperator { _ in
                try await world.createJob(with: ["targetRef": ["name": "here"]])
                let job = try await world.wait { $0.status?.conditions.contains { $0.reason == "TargetNotReady" } == true }
                let message = job.status?.conditions.first { $0.type == "TargetReady" }?.message ?? ""
                #expect(message.contains("\"here\": spec.type") && message.contains("use cluster"), "\(message)")
                #expect(world.node.seen.isEmpty)
            }
        }
    }

    @Test(
        "a change of a job's spec or annotations wakes it, a change of its status does not; a target's status wakes no job, a push only the jobs of its records"
    )
    func wakeRules() throws {
        func entry(_ generation: Int, running: Int = 0, annotation: String? = nil, isDeleting: Bool = false, target: String? = nil) -> StoreEntry<
            EvalJob
        > {
            let metadata = ObjectMeta(
                name: "job", namespace: "default", uid: "u", generation: generation, annotations: annotation.map { ["assay.dev/interrupted": $0] })
            let spec = EvalJobSpec(source: SourceSpec(repo: "r"), targetRef: target.map { LocalReference(name: $0) })
            let status = EvalJobStatus(trials: TrialsStatus(running: running))
            return StoreEntry(
                key: metadata.key, uid: "u", version: "1", isDeleting: isDeleting, object: EvalJob(metadata: metadata, spec: spec, status: status))
        }
        let rules = WakeRules()
        func cause(_ old: StoreEntry<EvalJob>, _ new: StoreEntry<EvalJob>, awaits: Bool = false) -> WakeCause? {
            rules.job(.updated(old: old, new: new)) { awaits }
        }
        #expect(cause(entry(1), entry(1, running: 1)) == nil)
        #expect(cause(entry(1), entry(1, running: 1), awaits: true) == .event)
        #expect(cause(entry(1), entry(2)) == .specChanged)
        #expect(cause(entry(1), entry(1, annotation: "true")) == .specChanged)
        #expect(cause(entry(1), entry(1, isDeleting: true)) == .specChanged)
        #expect(rules.job(.added(entry(1))) { false } == .specChanged)
        let usual = ObjectKey(namespace: "default", name: "default")
        #expect(rules.targets(.updated(old: entry(1), new: entry(2))) == [])
        #expect(rules.targets(.updated(old: entry(1), new: entry(1, running: 2))) == [usual])
        #expect(rules.targets(.updated(old: entry(1), new: entry(2, target: "lab"))) == [usual, ObjectKey(namespace: "default", name: "lab")])

        func job(_ uid: String) -> StoreEntry<EvalJob> {
            let metadata = ObjectMeta(name: "job-\(uid)", namespace: "default", uid: uid)
            return StoreEntry(
                key: metadata.key, uid: uid, version: "1", isDeleting: false,
                object: EvalJob(metadata: metadata, spec: EvalJobSpec(source: SourceSpec(repo: "r"))))
        }
        let jobs = ["a", "b", "c"].map { job($0) }
        #expect(rules.pushed(["b", "gone"], among: jobs) == [ObjectKey(namespace: "default", name: "job-b")])
        #expect(rules.pushed([], among: jobs).isEmpty)

        func target(_ generation: Int, active: Int) -> StoreEntry<EvalTarget> {
            let metadata = ObjectMeta(name: "t", namespace: "default", uid: "u", generation: generation)
            var status = EvalTargetStatus()
            status.activeTrials = active
            return StoreEntry(
                key: metadata.key, uid: "u", version: "1", isDeleting: false,
                object: EvalTarget(metadata: metadata, spec: EvalTargetSpec(), status: status))
        }
        #expect(!rules.changesSpec(.updated(old: target(1, active: 0), new: target(1, active: 5))))
        #expect(rules.changesSpec(.updated(old: target(1, active: 0), new: target(2, active: 0))))
    }

    @Test("a plan is cut between characters, and put together again")
    func pieces() {
        let text = String(repeating: "aä€😀", count: 1000)
        for size in [4, 5, 7, 100, 4096] {
            let pieces = PlanStore.pieces(of: Array(text.utf8), atMost: size)
            #expect(pieces.joined() == text && pieces.allSatisfy { $0.utf8.count <= size })
        }
        #expect(PlanStore.pieces(of: [], atMost: 10).isEmpty)
    }
}
