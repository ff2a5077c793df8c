import AssayAPI
import Base
import EvalModel
import Testing

@Suite("Resource types")
struct TypesTests {
    static let minimal: JSONValue = [
        "apiVersion": "assay.dev/v1alpha1", "kind": "EvalJob", "metadata": ["name": "j", "namespace": "n"],
        "spec": [
            "source": ["repo": "https://git.example/b"], "datasets": [["path": "tasks"]],
            "agents": [["name": "oracle"]],
        ],
    ]

    @Test("an object without the server's defaults gets the defaults of the CRD")
    func defaults() throws {
        let job = try EvalJob(json: Self.minimal)
        #expect(job.spec.attempts == 1)
        #expect(job.spec.parallelism == 4)
        #expect(job.spec.timeoutMultiplier == 1)
        #expect(job.spec.retry.policy == RetryPolicy(maxAttempts: 3, initialDelayMs: 1000, maxDelayMs: 30000, multiplier: 2))
        #expect(job.spec.instructionPath == "/tmp/instruction.md")
        #expect(job.spec.environment.preserveEnv == .never)
        #expect(job.spec.environment.network.mode == nil)
        #expect(job.spec.verifier.environmentMode == .shared)
        #expect(job.spec.artifacts.backend == .local)
        #expect(job.spec.overlays == nil)
        #expect(!job.spec.suspend && !job.spec.cancel)
        let target = try EvalTarget(json: ["metadata": ["name": "t"], "spec": [:]])
        #expect(target.spec.type == .cluster && target.spec.sync == .oneshot && target.spec.maxConcurrentTrials == 0)
        let overlay = try OverlaySource(json: ["metadata": ["name": "o"], "spec": ["repo": "a/b", "toolsSubdir": ""]])
        #expect(overlay.spec.toolsSubdir == "" && overlay.spec.skillsSubdir == ".agents/skills" && overlay.spec.interval == "60s")
    }

    @Test("an empty list of overlays means none, an absent one means all")
    func overlays() throws {
        var json = Self.minimal
        json.set(["spec", "overlays"], to: [])
        #expect(try EvalJob(json: json).spec.overlays == [])
    }

    @Test("unknown fields are ignored, wrong types are reported with their path")
    func lenient() throws {
        var json = Self.minimal
        json.set(["spec", "novelty"], to: ["x": 1])
        json.set(["spec", "attempts"], to: nil)
        #expect(throws: Never.self) { try EvalJob(json: json) }
        json.set(["spec", "agents"], to: [["name": 7]])
        let error = #expect(throws: JSONDecodingError.self) { try EvalJob(json: json) }
        #expect(error?.path == "spec.agents[0].name")
    }

    @Test("an encoded object decodes to the same object")
    func roundTrip() throws {
        var job = try EvalJob(json: Self.minimal)
        job.spec.agents[0].env = [.init(name: "K", secret: .init(name: "s", key: "k"))]
        job.spec.environment.podTemplate = PodTemplate(resources: .init(limits: ["cpu": "2"]))
        job.status = EvalJobStatus(
            phase: .running,
            trials: TrialsStatus(total: 3, completed: 2, progress: "2/3", completedIndexes: TrialIndexSet([0, 1])))
        let json = try job.json()
        #expect(json["kind"]?.string == "EvalJob" && json["apiVersion"]?.string == "assay.dev/v1alpha1")
        #expect(json.at("status", "trials", "completedIndexes")?.string == "0-1")
        #expect(try EvalJob(json: json) == job)
    }

    @Test("the per-agent figures are restored, so that the next trial can be added")
    func aggregates() {
        var aggregate = Aggregate()
        aggregate.add(TrialOutcome(reward: Reward(1)))
        aggregate.add(TrialOutcome(reward: Reward(0.25)))
        aggregate.add(TrialOutcome(error: TrialError(.agentExecutionTimeout, "")))
        aggregate.add(TrialOutcome(error: TrialError(.environmentNodeLost, "")))
        aggregate.add(TrialOutcome(error: TrialError(.cancelled, "")))
        let status = AgentStatus(name: "a", aggregate)
        #expect(status.failed == 2 && status.infrastructure == 1)
        #expect(status.metrics?.passRate == 0.3333)
        #expect(status.aggregate == aggregate)
    }

    @Test("aliases of target types", arguments: [("gha-runner", EvalTargetSpec.Kind.ci), ("azure-vm", .vm), ("cluster", .cluster)])
    func aliases(_ text: String, _ kind: EvalTargetSpec.Kind) throws {
        #expect(try EvalTarget(json: ["metadata": ["name": "t"], "spec": ["type": .string(text)]]).spec.type == kind)
    }

    @Test("quantities may be numbers")
    func quantities() throws {
        var json = Self.minimal
        json.set(["spec", "environment", "podTemplate", "resources", "limits"], to: ["cpu": 2, "memory": "1Gi", "x": 0.5])
        let limits = try EvalJob(json: json).spec.environment.podTemplate?.resources?.limits
        #expect(limits == ["cpu": "2", "memory": "1Gi", "x": "0.5"])
    }

    @Test("durations", arguments: [("60s", 60.0), ("1h30m", 5400), ("500ms", 0.5), ("1.5s", 1.5), ("0", 0)])
    func durations(_ text: String, _ seconds: Double) {
        #expect(DurationText.seconds(text) == seconds)
    }

    @Test("invalid durations", arguments: ["", "60", "s", "-1s", "1d", "1s2", "1 s"])
    func notDurations(_ text: String) {
        #expect(DurationText.seconds(text) == nil)
    }
}
