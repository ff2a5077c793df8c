import Artifacts
import AssayAPI
import Base
import EvalModel
import Foundation
import Git
import KubeClient
import KubeCore
import Planning
import SourceSync
import Testing
import TrialPods
import TrialRuntime

@testable import Reconcilers

/// The record of a task without steps stays field by field what it was before the trial became a document: the files in
/// `expected` were written by the code before it.
@Suite("Recorded fields")
struct RecordedFieldsTests {
    struct Sample: Sendable, CustomTestStringConvertible {
        var file: String
        var job: EvalJob
        var target: EvalTargetSpec
        var task: EvalTask
        var report: TrialReport?
        var testDescription: String { file }
    }

    static let commit = GitObjectID(String(repeating: "a", count: 40))

    static func job(_ change: (inout EvalJobSpec) -> Void = { _ in }) -> EvalJob {
        var spec = EvalJobSpec(source: SourceSpec(repo: "https://git.example/org/bench", ref: "main"))
        spec.agents = [
            AgentSpec(
                name: "solver", model: "m-1", install: "true", execute: "solve",
                env: [
                    EnvironmentVariable(name: "MODE", value: "fast"),
                    EnvironmentVariable(name: "KEY", secret: SecretKeyReference(name: "s", key: "k")),
                ])
        ]
        change(&spec)
        return EvalJob(metadata: ObjectMeta(name: "hello", namespace: "evals", uid: "0c4f1c7e-1111-2222-3333-444455556666"), spec: spec)
    }

    static let passed: TrialReport = {
        var report = TrialReport(
            reward: 1, rewards: ["reward": 1, "speed": 0.5], lastPhase: .verify, exitCodes: ["install": 0, "execute": 0, "verify": 0])
        var at: Int64 = 1_800_000_000_000
        for phase in [TrialPhase.setup, .install, .execute, .verify, .collect] {
            report[phase] = .init(start: at, end: at + 1500)
            at += 2000
        }
        report.usage = AgentUsage(tokens: TokenUsage(prompt: 100, completion: 10, cached: 5), costUSD: 0.25)
        report.redactions = 2
        report.redacted = ["KEY": 2]
        report.transcript = "output"
        return report
    }()

    static let samples: [Sample] = [
        Sample(
            file: "passed",
            job: job {
                $0.environment.overrideCPUs = 2
                $0.timeoutMultiplier = 1.5
            },
            target: EvalTargetSpec(image: TargetImageSpec(default: "debian:12"), cost: CostSpec(cpuHour: 0.04, memoryGiBHour: 0.005)),
            task: EvalTask(
                name: "t1", schema: .rollout, schemaVersion: "1.0", environment: TaskEnvironment(cpus: 1, memoryMB: 1024, env: ["A": "1"]),
                timeouts: TaskTimeouts(agentSec: 100, installSec: 10, verifierSec: 20)),
            report: passed),
        Sample(
            file: "failed", job: job(), target: EvalTargetSpec(),
            task: EvalTask(name: "t1", schema: .harbor, schemaVersion: "1.0", environment: TaskEnvironment(dockerImage: "task:1")),
            report: {
                var report = passed
                report.reward = nil
                report.rewards = [:]
                report.error = TrialError(.agentExecutionFailed, "execute exited with 3")
                report.phases["verify"] = nil
                report.exitCodes = ["install": 0, "execute": 3]
                report.lastPhase = .execute
                return report
            }()),
        Sample(file: "no-pod", job: job(), target: EvalTargetSpec(), task: EvalTask(name: "t1", schema: .rollout, schemaVersion: "1.0")),
    ]

    static func record(_ sample: Sample) async throws -> PendingRun {
        let trial = TrialCoordinate(index: 0, agent: "solver", agentIndex: 0, dataset: "d", task: "t1", taskIndex: 0, attempt: 1)
        let source = PinnedSource(
            url: try GitURL(parsing: "https://git.example/org/bench"), commit: try #require(commit), ref: "refs/heads/main")
        let task = PreparedTask(
            reference: TaskReference(name: "t1", path: "d/t1"), task: sample.task, refusal: nil, hasSolution: false, taskRepo: nil, rewardRule: nil,
            warnings: [])
        let prepared = PreparedJob(
            source: source, tasks: [task], matrix: try TrialMatrix(agents: ["solver"], tasks: [.init(dataset: "d", task: "t1")], attempts: 1))
        let context = TrialCollection.Context(
            job: try #require(sample.job.identity), spec: sample.job.spec, prepared: prepared, target: sample.target, images: JobImages())
        let log = Log("test", destination: Log.Destination.none)
        let collection = TrialCollection(client: KubeClient(config: .direct(server: "http://127.0.0.1:1"), log: log), log: log)
        guard let report = sample.report else {
            return try collection.pendingRun(
                without: TrialError(.taskInvalid, "the task has no image"), trial: trial, context: context, now: Timestamp(seconds: 1_800_000_100)
            ).run
        }
        let pod = try #require(
            TrialPod([
                "metadata": [
                    "name": "hello-0", "namespace": "evals", "uid": "u", "creationTimestamp": "2027-01-15T08:00:00Z",
                    "labels": .object(
                        TrialPodNames.labels(job: "hello", jobUID: sample.job.metadata.uid ?? "", coordinate: trial, retry: 1).mapValues {
                            .string($0)
                        }),
                ],
                "status": ["startTime": "2027-01-15T08:00:01Z"],
            ]))
        return try await collection.pendingRun(
            of: pod, end: PodFate.End(report: report, error: report.error), error: report.error, slot: .final, trial: trial, context: context
        ).run
    }

    @Test("the record is what it was", arguments: samples)
    func fields(_ sample: Sample) async throws {
        let run = try await Self.record(sample)
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "expected/\(sample.file).json")
        let metadata = try JSONValue(parsing: try #require(run.files[GitPath(parsing: "metadata.json")]))
        let summary = try JSONValue(parsing: try #require(run.files[GitPath(parsing: "summary.json")]))
        let now: JSONValue = ["metadata": metadata, "summary": summary, "message": .string(run.message)]
        let was = try JSONValue(parsing: try String(contentsOf: file, encoding: .utf8))
        #expect(now == was, "\(String(decoding: now.serialized(pretty: true), as: UTF8.self))")
    }
}
