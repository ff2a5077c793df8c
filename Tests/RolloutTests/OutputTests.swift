import Artifacts
import Base
import EvalFormats
import EvalModel
import Foundation
import Testing

@testable import Rollout

@Suite("Rollout's outputs")
struct OutputTests {
    let bench: Workbench
    var results: String { "\(bench.path)/results" }
    var register: OutputRegister { OutputRegister(directory: "\(bench.path)/outputs") }

    static let uid = "0c4f1c7e-1111-2222-3333-444455556666"
    static let start = Timestamp(seconds: 1_800_000_000)

    init() throws { bench = try Workbench() }

    private func record(
        _ agent: String, _ dataset: String, _ task: String, attempt: Int = 1, index: Int, outcome: TrialOutcome, commit: String = "c1",
        job: String = uid
    ) throws -> RunRecord {
        let trial = TrialCoordinate(index: index, agent: agent, agentIndex: 0, dataset: dataset, task: task, taskIndex: 0, attempt: attempt)
        return RunRecord(
            runId: trial.runID(jobUID: job), jobName: "j", jobUid: job, namespace: "default", agent: agent, model: nil, trial: trial, retries: 0,
            outcome: outcome, config: .init(instructionPath: "/tmp/instruction.md"), sourceRepo: "r", sourceCommit: commit, evalFile: task,
            startedAt: Self.start, timestamp: Self.start.adding(seconds: 20))
    }

    /// The record as `backend: local` has it.
    private func store(_ record: RunRecord, logs: [String: String] = [:]) throws {
        let folder = "results/\(record.runId.path)"
        for (name, text) in logs { try bench.write("\(folder)/logs/\(name)", text) }
        try bench.write("\(folder)/metadata.json", try JSONValueEncoder().encode(record).text)
    }

    private func outputs(heads: [String: String] = [:], directory: String = "jobs/run") -> JobOutputs {
        JobOutputs(
            OutputEntry(
                name: "my run", object: "my-run", directory: "\(bench.path)/\(directory)", digest: "d", agents: ["Claude Code", "oracle"],
                heads: heads),
            register: register, results: results)
    }

    private func json(_ path: String) throws -> JSONValue { try JSONValue(parsing: try FileReading.bytes("\(bench.path)/\(path)")) }

    /// A value as a reader of the file gets it: 20.0 is written as a whole number.
    private static func written(_ value: JSONValue) throws -> JSONValue { try JSONValue(parsing: value.serialized()) }

    private static func timings() -> PhaseTimings {
        var timings = PhaseTimings()
        timings.setup = PhaseSpan(startedAt: start.adding(seconds: 2), seconds: 1)
        timings.install = PhaseSpan(startedAt: start.adding(seconds: 3), seconds: 4)
        timings.execute = PhaseSpan(startedAt: start.adding(seconds: 7), seconds: 5)
        timings.verify = PhaseSpan(startedAt: start.adding(seconds: 12), seconds: 6)
        return timings
    }

    /// A trial's logs may have up to 1 GiB.
    @Test func aLargeLogIsCopiedInPieces() throws {
        func peak() throws -> Int {
            let status = try #require(FileReading.text("/proc/self/status"))
            let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") })
            return try #require(line.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap { Int($0) }) / 1024
        }
        let outputs = outputs()
        try outputs.begin(uid: Self.uid, total: 1, startedAt: Self.start, configuration: [:])
        let record = try record("oracle", "bench", "hello", index: 0, outcome: TrialOutcome(reward: Reward(named: ["reward": 1])))
        try store(record, logs: ["agent/large.txt": ""])
        let log = "\(results)/\(record.runId.path)/logs/agent/large.txt"
        let block = Data(repeating: UInt8(ascii: "x"), count: 1 << 20)
        let file = try FileHandle(forWritingTo: URL(filePath: log))
        for _ in 0..<96 { try file.write(contentsOf: block) }
        try file.close()
        // proc(5), clear_refs: VmHWM counts from here.
        try FileWriting.write(Array("5".utf8), to: "/proc/self/clear_refs")
        let before = try peak()
        try outputs.writeNew()
        let copy = "\(bench.path)/jobs/run/oracle/bench/hello__1/logs/agent/large.txt"
        let most = try peak()
        #expect(most - before < 60, "\(before) MB before, \(most) MB at most")
        #expect(FileManager.default.contentsEqual(atPath: copy, andPath: log))
    }

    @Test func everyFieldOfATrial() throws {
        let outputs = outputs()
        try outputs.begin(uid: Self.uid, total: 4, startedAt: Self.start, configuration: ["name": "my run"])
        try store(
            try record(
                "Claude Code", "bench", "hello", index: 0,
                outcome: TrialOutcome(reward: Reward(named: ["reward": 1]), timings: Self.timings(), cost: 0.25)),
            logs: [
                "setup/stdout.txt": "installed", "command/stderr.txt": "oops", "agent/a/b.txt": "log", "verifier/reward.txt": "1\n",
                "verifier/stdout.txt": "ok",
            ])
        try store(
            try record(
                "oracle", "bench", "hello", attempt: 2, index: 3,
                outcome: TrialOutcome(error: TrialError(.agentExecutionTimeout, "it took too long"), timings: PhaseTimings())))
        try store(try record("oracle", "bench", "hello", index: 3, outcome: TrialOutcome(reward: Reward(named: ["reward": 1])), job: "another job"))
        try outputs.writeNew()

        #expect(try json("jobs/run/config.json") == ["name": "my run"])
        let folder = "jobs/run/Claude Code/bench/hello__1"
        #expect(
            try json("\(folder)/result.json")
                == Self.written([
                    "task_name": "hello", "dataset_name": "bench", "agent_name": "Claude Code", "attempt": 1, "task_git_commit_id": "c1",
                    "reward": 1.0,
                    "cost": 0.25, "error": nil,
                    "durations": [
                        "total_sec": 20.0, "environment_setup_sec": 3.0, "agent_setup_sec": 4.0, "agent_execution_sec": 5.0, "verifier_sec": 6.0,
                    ],
                    "timestamps": [
                        "started_at": "2027-01-15T08:00:00.000Z", "environment_setup_started_at": "2027-01-15T08:00:00.000Z",
                        "environment_setup_ended_at": "2027-01-15T08:00:03.000Z", "agent_setup_started_at": "2027-01-15T08:00:03.000Z",
                        "agent_setup_ended_at": "2027-01-15T08:00:07.000Z", "agent_execution_started_at": "2027-01-15T08:00:07.000Z",
                        "agent_execution_ended_at": "2027-01-15T08:00:12.000Z", "verifier_started_at": "2027-01-15T08:00:12.000Z",
                        "verifier_ended_at": "2027-01-15T08:00:18.000Z", "ended_at": "2027-01-15T08:00:20.000Z",
                    ],
                ]))
        for (name, text) in [
            "setup/stdout.txt": "installed", "command/stderr.txt": "oops", "logs/agent/a/b.txt": "log", "logs/verifier/reward.txt": "1\n",
            "logs/verifier/stdout.txt": "ok",
        ] { #expect(FileReading.text("\(bench.path)/\(folder)/\(name)") == text, "\(name)") }
        #expect(!FileEntry.exists("\(bench.path)/\(folder)/error.txt"))

        let failed = try json("jobs/run/oracle/bench/hello__2/result.json")
        #expect(
            failed["reward"] == .null && failed.at("durations", "verifier_sec") == .null && failed.at("timestamps", "verifier_started_at") == .null)
        #expect(failed["error"] == ["type": "agent_execution_timeout", "message": "it took too long"])
        #expect(FileReading.text("\(bench.path)/jobs/run/oracle/bench/hello__2/error.txt") == "it took too long\n")
        #expect(!FileEntry.exists("\(bench.path)/jobs/run/result.json"), "the job goes on")
        #expect(!FileEntry.exists("\(bench.path)/jobs/run/oracle/bench/hello__1"), "that is of another job")
    }

    @Test func everyFieldOfAJob() throws {
        let outputs = outputs()
        try outputs.begin(uid: Self.uid, total: 8, startedAt: Self.start, configuration: [:])
        let completed = { (reward: Double) in TrialOutcome(reward: Reward(named: ["reward": reward]), cost: 0.5) }
        try store(try record("Claude Code", "b", "t", index: 0, outcome: completed(1)))
        try store(try record("Claude Code", "b", "u", index: 1, outcome: completed(0.5)))
        try store(try record("Claude Code", "b", "v", index: 2, outcome: TrialOutcome(error: TrialError(.verifierFailed, "x"))))
        // The verdict stands although some outputs are lost.
        var torn = completed(1)
        torn.error = TrialError(.artifactTruncated, "x")
        try store(try record("oracle", "b", "t", index: 4, outcome: torn))
        // Verification was disabled: neither completed nor failed.
        try store(try record("oracle", "b", "u", index: 5, outcome: TrialOutcome()))
        try store(try record("oracle", "b", "v", index: 6, outcome: TrialOutcome(error: TrialError(.cancelled, "x"))))
        try outputs.finish(isOver: false, cancelled: true, endedAt: Self.start.adding(seconds: 60))
        #expect(
            try json("jobs/run/result.json")
                == Self.written([
                    "job_name": "my run", "cancelled": true, "total_trials": 8, "completed_trials": 3, "failed_trials": 1, "skipped_trials": 3,
                    "pass_rate": .double(2.0 / 3), "mean_reward": .double(2.5 / 3), "total_cost": 1.5, "total_duration_sec": 60.0,
                    "started_at": "2027-01-15T08:00:00.000Z", "ended_at": "2027-01-15T08:01:00.000Z",
                    "agents": [
                        "Claude Code": [
                            "total_trials": 4, "completed_trials": 2, "failed_trials": 1, "pass_rate": 0.5, "mean_reward": 0.75, "total_cost": 1.0,
                        ],
                        "oracle": [
                            "total_trials": 4, "completed_trials": 1, "failed_trials": 0, "pass_rate": 1.0, "mean_reward": 1.0, "total_cost": 0.5,
                        ],
                    ],
                    "results": [
                        ["task_name": "t", "dataset_name": "b", "agent_name": "Claude Code", "attempt": 1, "reward": 1.0],
                        ["task_name": "u", "dataset_name": "b", "agent_name": "Claude Code", "attempt": 1, "reward": 0.5],
                        ["task_name": "v", "dataset_name": "b", "agent_name": "Claude Code", "attempt": 1, "reward": nil],
                        ["task_name": "t", "dataset_name": "b", "agent_name": "oracle", "attempt": 1, "reward": 1.0],
                        ["task_name": "u", "dataset_name": "b", "agent_name": "oracle", "attempt": 1, "reward": nil],
                    ],
                ]))
        #expect(register.entry(of: "my-run")?.isComplete == false)
    }

    @Test(arguments: [("c1", "c1"), ("snapshot", "head-of-the-folder"), ("plain", nil)] as [(String, String?)])
    func theCommitIsThatOfTheTasksOwnRepository(recorded: String, shown: String?) throws {
        let outputs = outputs(heads: ["snapshot": "head-of-the-folder", "plain": ""])
        try outputs.begin(uid: Self.uid, total: 1, startedAt: Self.start, configuration: [:])
        try store(try record("oracle", "b", "t", index: 0, outcome: TrialOutcome(), commit: recorded))
        try outputs.writeNew()
        #expect(try json("jobs/run/oracle/b/t__1/result.json")["task_git_commit_id"] == shown.map { .string($0) } ?? .null)
    }

    /// A command that was killed: its results are complete, its outputs are not.
    @Test func whatAKilledCommandLeftIsCompletedByAnother() throws {
        let killed = outputs()
        try killed.begin(uid: Self.uid, total: 2, startedAt: Self.start, configuration: [:])
        try store(try record("oracle", "b", "t", index: 0, outcome: TrialOutcome(reward: Reward(named: ["reward": 1]))))
        #expect(try JobOutputs.completeInterrupted(register, results: results) == ["\(bench.path)/jobs/run"])
        let partial = try json("jobs/run/result.json")
        #expect(partial["cancelled"] == true && partial["skipped_trials"] == 1 && partial["completed_trials"] == 1)
        #expect(FileEntry.exists("\(bench.path)/jobs/run/oracle/b/t__1/result.json"))
        #expect(try JobOutputs.completeInterrupted(register, results: results) == [], "there is nothing new")

        try store(try record("oracle", "b", "u", index: 1, outcome: TrialOutcome(reward: Reward(named: ["reward": 0]))))
        #expect(try JobOutputs.completeInterrupted(register, results: results).count == 1)
        let whole = try json("jobs/run/result.json")
        #expect(whole["cancelled"] == false && whole["skipped_trials"] == 0 && whole["pass_rate"] == 0.5)
        #expect(register.entry(of: "my-run")?.isComplete == true)
        #expect(try JobOutputs.completeInterrupted(register, results: results) == [])
    }

    @Test(
        "names stay within the job's directory",
        arguments: [
            ("a", "d", "t", "a/d/t__1"), ("a/b", "d", "t", "a/b/d/t__1"), ("..", "../..", "t", "_/_/_/t__1"),
            (".", "", "x/../../y", "_/_/x/_/_/y__1"),
        ])
    func safe(agent: String, dataset: String, task: String, folder: String) throws {
        #expect(JobOutputs.folder(of: try record(agent, dataset, task, index: 0, outcome: TrialOutcome())) == folder)
    }
}
