import Artifacts
import AssayTesting
import Base
import EvalModel
import Git
import Testing

/// Compares the schemas in docs/schemas with the records that the code writes.
@Suite struct SchemaTests {
    private func schema(_ name: String) throws -> SchemaCheck { try SchemaCheck("\(name).schema.json") }

    private func file(_ name: String, of run: PendingRun) throws -> JSONValue {
        try JSONValue(parsing: try #require(run.files.first { $0.key.text == name }?.value))
    }

    /// A record with every field set.
    private func full(_ bench: Workbench) -> RunRecord {
        var record = bench.record(0, model: "m")
        record.family = .harbor
        record.warnings = ["task.toml line 3: unknown key \"x\""]
        record.error = TrialError(.artifactTruncated, "cut")
        record.cost = 0.5
        record.costs = TrialCost(model: 0.4, compute: 0.1)
        record.tokens = TokenUsage(prompt: 10, completion: 2, cached: 1)
        record.outputs = .init(redactions: 3, redacted: ["TOKEN": 3], unredacted: ["PIN"], transcript: "output")
        record.config = .init(
            timeoutMultiplier: 2, agentTimeoutSec: 600, installTimeoutSec: 300, verifierTimeoutSec: 60, instructionPath: "/tmp/i",
            longInstructionBytes: 140_000, image: "x", cpus: 1.5, memoryMB: 2048, storageMB: 10240, environment: ["A"])
        for phase in TrialPhase.allCases { record.timings[phase] = PhaseSpan(startedAt: Workbench.epoch, seconds: 1) }
        record.steps = [.init(name: "first", timings: record.timings, exitCodes: ["execute": 0])]
        record.overlays = [.init(name: "tools", revision: "abc")]
        record.services = [.init(name: "db", image: "x", imageDigest: "sha256:a", restarts: 1, exitCode: 1, reason: "Error", diedDuringTrial: true)]
        record.sourceSnapshot = .init(head: String(repeating: "cd", count: 20))
        return record
    }

    @Test("metadata.json and summary.json of a run match their schemas, with all fields and with the fewest")
    func runs() throws {
        let bench = try Workbench()
        var least = bench.record(1, reward: nil)
        least.sourceRef = nil
        least.outputs = nil
        least.startedAt = nil
        for record in [full(bench), bench.record(0), least] {
            let run = try PendingRun(run: record)
            #expect(try schema("run").problems(file("metadata.json", of: run)) == [])
            #expect(try schema("summary").problems(file("summary.json", of: run)) == [])
        }
    }

    @Test("metadata.json of a job matches its schema")
    func jobs() throws {
        let bench = try Workbench()
        var job = bench.job()
        #expect(try schema("job").problems(file("metadata.json", of: PendingRun(job: job))) == [])
        job.reason = "cancelled"
        job.totals.cost = 1
        job.totals.tokens = TokenUsage(prompt: 10, completion: 2, cached: 1)
        job.config = .init(agents: [.init(name: "a", model: "m"), .init(name: "b", model: nil)], datasets: ["d"], attempts: 1, timeoutMultiplier: 1)
        job.sourceRef = "main"
        job.sourceSnapshot = .init(head: String(repeating: "cd", count: 20))
        #expect(try schema("job").problems(file("metadata.json", of: PendingRun(job: job))) == [])
    }

    @Test("every field of a schema exists in a full record and has a description")
    func complete() throws {
        let bench = try Workbench()
        let run = try PendingRun(run: full(bench))
        var job = bench.job()
        job.reason = "x"
        job.totals.cost = 1
        job.totals.tokens = TokenUsage(prompt: 10, completion: 2, cached: 1)
        job.config = .init(agents: [.init(name: "a", model: "m"), .init(name: "b", model: nil)], datasets: ["d"], attempts: 1, timeoutMultiplier: 1)
        job.sourceRef = "main"
        job.sourceSnapshot = .init(head: String(repeating: "cd", count: 20))
        for (name, value) in [
            ("run", try file("metadata.json", of: run)), ("summary", try file("summary.json", of: run)),
            ("job", try file("metadata.json", of: PendingRun(job: job))),
        ] {
            let properties = try schema(name).text["properties"]?.object ?? [:]
            #expect(Set(properties.keys) == Set(value.object?.keys.map { $0 } ?? []), "\(name)")
            for (key, property) in properties { #expect(property["description"]?.string?.isEmpty == false, "\(name).\(key)") }
        }
    }

    @Test("a record that does not match the schema is found")
    func finds() throws {
        let bench = try Workbench()
        var value = try file("metadata.json", of: PendingRun(run: bench.record(0)))
        value["runId"] = "XYZ"
        value["extra"] = 1
        value["attempt"] = "one"
        value["agent"] = nil
        value.set(["config", "environment"], to: [1])
        #expect(
            try schema("run").problems(value) == [
                "agent is missing", "attempt is not integer", "config.environment[0] is not string", "extra is not in the schema",
                "runId does not match",
            ])
    }
}
