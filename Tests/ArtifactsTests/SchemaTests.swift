import Artifacts
import Base
import EvalModel
import Git
import Testing

/// The schemas in docs/schemas, held to the records that the code writes.
@Suite struct SchemaTests {
    private func schema(_ name: String) throws -> JSONValue {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        return try JSONValue(parsing: try #require(PlainFile.read("/\(root)/docs/schemas/\(name).schema.json")))
    }

    private func file(_ name: String, of run: PendingRun) throws -> JSONValue {
        try JSONValue(parsing: try #require(run.files.first { $0.key.text == name }?.value))
    }

    /// Every field set that can be.
    private func full(_ bench: Workbench) -> RunRecord {
        var record = bench.record(0, model: "m")
        record.error = TrialError(.artifactTruncated, "cut")
        record.cost = 0.5
        record.config = .init(
            timeoutMultiplier: 2, agentTimeoutSec: 600, installTimeoutSec: 300, verifierTimeoutSec: 60, instructionPath: "/tmp/i", image: "x",
            cpus: 1.5, memoryMB: 2048, storageMB: 10240, environment: ["A"])
        for phase in TrialPhase.allCases { record.timings[phase] = PhaseSpan(startedAt: Workbench.epoch, seconds: 1) }
        record.overlays = [.init(name: "tools", revision: "abc")]
        return record
    }

    @Test("metadata.json and summary.json of a run are what their schemas say, with every field and with the fewest")
    func runs() throws {
        let bench = try Workbench()
        var least = bench.record(1, reward: nil)
        least.sourceRef = nil
        least.outputs = nil
        least.startedAt = nil
        for record in [full(bench), bench.record(0), least] {
            let run = try PendingRun(run: record)
            #expect(try problems(file("metadata.json", of: run), schema("run")) == [])
            #expect(try problems(file("summary.json", of: run), schema("summary")) == [])
        }
    }

    @Test("metadata.json of a job is what its schema says")
    func jobs() throws {
        let bench = try Workbench()
        var job = bench.job()
        #expect(try problems(file("metadata.json", of: PendingRun(job: job)), schema("job")) == [])
        job.reason = "cancelled"
        job.totals.cost = 1
        #expect(try problems(file("metadata.json", of: PendingRun(job: job)), schema("job")) == [])
    }

    @Test("every field of a schema is one that a full record has, and is described")
    func complete() throws {
        let bench = try Workbench()
        let run = try PendingRun(run: full(bench))
        var job = bench.job()
        job.reason = "x"
        job.totals.cost = 1
        for (name, value) in [
            ("run", try file("metadata.json", of: run)), ("summary", try file("summary.json", of: run)),
            ("job", try file("metadata.json", of: PendingRun(job: job))),
        ] {
            let properties = try schema(name)["properties"]?.object ?? [:]
            #expect(Set(properties.keys) == Set(value.object?.keys.map { $0 } ?? []), "\(name)")
            for (key, property) in properties { #expect(property["description"]?.string?.isEmpty == false, "\(name).\(key)") }
        }
    }

    @Test("a record that is not as the schema says is found")
    func finds() throws {
        let bench = try Workbench()
        var value = try file("metadata.json", of: PendingRun(run: bench.record(0)))
        value["runId"] = "XYZ"
        value["extra"] = 1
        value["attempt"] = "one"
        value["agent"] = nil
        value.set(["config", "environment"], to: [1])
        #expect(
            try problems(value, schema("run")) == [
                "agent is missing", "attempt is not integer", "config.environment[0] is not string", "extra is not in the schema", "runId does not match",
            ])
    }

    /// What of JSON Schema these schemas use; fields that are not named are problems, too.
    private func problems(_ value: JSONValue, _ schema: JSONValue, root: JSONValue? = nil, at path: String = "") -> [String] {
        let root = root ?? schema
        var schema = schema
        if let name = schema["$ref"]?.string?.split(separator: "/").last, let target = root.at("$defs", String(name)) { schema = target }
        var found: [String] = []
        if let type = schema["type"]?.string, !isOf(value, type) { return ["\(path) is not \(type)"] }
        if let options = schema["enum"]?.array, !options.contains(value) { found.append("\(path) is none of the values") }
        if let constant = schema["const"], constant != value { found.append("\(path) is not \(constant.text)") }
        if schema["pattern"]?.string == "^[0-9a-f]{16}$", RunID(value.string ?? "") == nil { found.append("\(path) does not match") }
        if schema["format"]?.string == "date-time", Timestamp(rfc3339: value.string ?? "") == nil { found.append("\(path) is no time") }
        if let minimum = schema["minimum"]?.double, (value.double ?? minimum) < minimum { found.append("\(path) is too small") }
        for key in schema["required"]?.array ?? [] where value[key.string ?? ""] == nil { found.append("\(key.string ?? "") is missing") }
        for (key, inner) in value.object ?? [:] {
            let name = path.isEmpty ? key : "\(path).\(key)"
            if let property = schema.at("properties", key) ?? schema["additionalProperties"] {
                found += problems(inner, property, root: root, at: name)
            } else {
                found.append("\(name) is not in the schema")
            }
        }
        if let items = schema["items"] {
            for (index, inner) in (value.array ?? []).enumerated() { found += problems(inner, items, root: root, at: "\(path)[\(index)]") }
        }
        return found.sorted()
    }

    private func isOf(_ value: JSONValue, _ type: String) -> Bool {
        switch type {
        case "object": value.object != nil
        case "array": value.array != nil
        case "string": value.string != nil
        case "boolean": value.bool != nil
        case "integer": value.int != nil
        case "number": value.double != nil
        default: false
        }
    }
}
