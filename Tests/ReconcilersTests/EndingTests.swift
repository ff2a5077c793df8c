import AssayAPI
import AssayTesting
import Base
import EvalModel
import KubeCore
import Testing

@testable import Reconcilers

@Suite("How a job ends")
struct EndingTests {
    @Test(
        "a job fails when nothing was measured, with the error that most trials had",
        arguments: [
            (1, 2, 2, ["environment_evicted": 2], nil),
            (0, 3, 2, ["environment_evicted": 2, "agent_execution_failed": 1], nil),
            (0, 3, 3, ["environment_evicted": 2, "task_invalid": 1], "environment_evicted"),
            (0, 2, 2, ["task_invalid": 1, "environment_evicted": 1], "environment_evicted"),
            (0, 2, 2, ["task_invalid": 2], "task_invalid"), (0, 0, 0, [:], nil),
        ] as [(Int, Int, Int, [String: Int], String?)])
    func decision(_ completed: Int, _ failed: Int, _ infrastructure: Int, _ errors: [String: Int], _ error: String?) {
        let trials = TrialsStatus(
            total: completed + failed, completed: completed, failed: failed, infrastructure: infrastructure, errors: errors.isEmpty ? nil : errors)
        let expected: JobEnding = error.flatMap(TrialErrorType.init(rawValue:)).map { .nothingMeasured($0) } ?? .complete
        #expect(JobEnding.ofTrials(trials) == expected)
    }

    @Test("every trial is evicted: Failed with that reason, Finished for kubectl wait, exact counts")
    func nothingMeasured() async throws {
        try await World.run(tasks: ["a", "b", "broken"], fate: { _ in .evicted }) { world in
            try await world.withOperator { _ in
                try await world.createJob(with: ["retry": ["maxAttempts": 2, "initialDelayMs": 0, "maxDelayMs": 0]])
                let waited = try await world.kubectl("wait", "--for=condition=Finished", "ej/job", "--timeout=240s", seconds: 300)
                #expect(waited.ok, "\(waited.err)")
                let job = try #require(try await world.job())
                #expect(job.status?.phase == .failed)
                let failed = try #require(job.condition("Failed"))
                #expect(failed.isTrue && failed.reason == "EnvironmentEvicted")
                #expect(failed.message?.contains("environment_evicted: 2, task_invalid: 1") == true, "\(failed.message ?? "")")
                #expect(job.condition("Complete") == nil && job.condition("Ready")?.reason == "EnvironmentEvicted")
                #expect(job.status?.trials?.errors == ["environment_evicted": 2, "task_invalid": 1])
                // The reason is a word that the API takes.
                let other = try await world.kubectl("wait", "--for=jsonpath={.status.phase}=Failed", "ej/job", "--timeout=60s", seconds: 90)
                #expect(other.ok, "\(other.err)")
                let record = try #require(try await world.records().first { $0["kind"] == "job" })
                #expect(record["reason"] == "EnvironmentEvicted" && record["cancelled"] != true)
                let told = try await eventually { try await world.events().contains("EnvironmentEvicted") }
                #expect(told)
            }
        }
    }

    @Test("one trial is measured: Complete, and the message says what was not")
    func partly() async throws {
        try await World.run(tasks: ["a", "b"], fate: { $0.index == 0 ? .failure(.agentExecutionFailed) : .evicted }) { world in
            try await world.withOperator { _ in
                try await world.createJob()
                let job = try await world.waitForEnd()
                #expect(job.status?.phase == .succeeded && job.condition("Finished")?.isTrue == true)
                #expect(
                    job.condition("Complete")?.message
                        == "0 completed, 2 failed, 0 skipped; 1 trial could not be measured (agent_execution_failed: 1, environment_evicted: 1)")
            }
        }
    }

    @Test("cancelled, and past its deadline: the conditions have messages, and artifacts.runs counts only recorded runs")
    func early() async throws {
        for (change, reason) in [(["cancel": true], "Cancelled"), (["activeDeadlineSeconds": 1], "DeadlineExceeded")] as [(JSONValue, String)] {
            try await World.run(tasks: ["a", "b", "c"], fate: { $0.index == 0 ? .success(1) : .never }) { world in
                try await world.withOperator { _ in
                    try await world.createJob(with: ["parallelism": 1])
                    try await world.wait { $0.status?.trials?.completed == 1 && $0.status?.trials?.running == 1 }
                    try await world.change(to: change)
                    let job = try await world.waitForEnd()
                    for type in ["Ready", "Failed", "Finished"] {
                        let condition = try #require(job.condition(type))
                        #expect(condition.reason == reason && condition.message?.contains("1 completed, 0 failed, 2 skipped") == true, "\(condition)")
                    }
                    // One was recorded as cancelled, and one never ran.
                    #expect(job.status?.artifacts?.runs == 2, "\(job.status?.artifacts?.runs ?? -1)")
                    try await world.expectRuns(2)
                }
            }
        }
    }

    @Test("ArtifactsReady says Pushed only after the first push")
    func artifactsReady() async throws {
        try await World.run(tasks: ["a"], fate: { _ in .never }) { world in
            try await world.withOperator { _ in
                try await world.createJob()
                let before = try await world.wait { $0.status?.trials?.running == 1 && $0.condition("ArtifactsReady") != nil }
                #expect(before.condition("ArtifactsReady")?.isTrue == true && before.condition("ArtifactsReady")?.reason == "RemoteReady")
                try await world.node.play(world.node.seen[0], .success(1))
                let after = try await world.waitForEnd()
                #expect(after.condition("ArtifactsReady")?.reason == "Pushed" && after.status?.artifacts?.runs == 1)
            }
        }
    }
}
