import Base
import EvalModel
import Git
import Testing

@testable import Artifacts

/// The schemas in the executable, and the checks of documents.
@Suite struct RecordSchemaTests {
    @Test("the schemas in the executable are those in docs/schemas (make generate)", arguments: RecordSchema.Document.allCases)
    func embedded(document: RecordSchema.Document) throws {
        let text =
            switch document {
            case .run: RecordSchemaText.run
            case .summary: RecordSchemaText.summary
            case .job: RecordSchemaText.job
            }
        let root = #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
        let file = try #require(FileReading.whole("/\(root)/docs/schemas/\(document.rawValue).schema.json"))
        #expect(Array(text.utf8) == file)
    }

    @Test("the schemas use only keywords that are checked", arguments: RecordSchema.Document.allCases)
    func understood(document: RecordSchema.Document) throws {
        let root = #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
        let schema = try JSONValue(parsing: try #require(FileReading.whole("/\(root)/docs/schemas/\(document.rawValue).schema.json")))
        let known: Set = [
            "$schema", "$id", "$defs", "$ref", "title", "description", "type", "required", "properties", "additionalProperties", "items", "enum",
            "const", "pattern",
            "format", "minimum",
        ]
        func walk(_ schema: JSONValue) {
            for (key, value) in schema.object ?? [:] {
                #expect(known.contains(key), "\(key) is not checked by RecordSchema")
                if key == "pattern" { #expect(value == "^[0-9a-f]{16}$") }
                if key == "format" { #expect(value == "date-time") }
                if key == "$ref" { #expect(value.string?.hasPrefix("#/$defs/") == true) }
                if key == "properties" || key == "$defs" { value.object?.values.forEach(walk) }
                if key == "items" || key == "additionalProperties", value.object != nil { walk(value) }
            }
        }
        walk(schema)
    }

    @Test("valid records pass, problems are found, and unknown fields only on request")
    func finds() throws {
        let bench = try Workbench()
        func file(_ name: String, _ run: PendingRun) throws -> JSONValue {
            try JSONValue(parsing: try #require(run.files.first { $0.key.text == name }?.value))
        }
        let run = try PendingRun(run: bench.record(0)), failed = try PendingRun(run: bench.record(1, reward: nil))
        for record in [run, failed] {
            #expect(RecordSchema.of(.run).problems(try file("metadata.json", record), unknownFields: true) == [])
            #expect(RecordSchema.of(.summary).problems(try file("summary.json", record), unknownFields: true) == [])
        }
        #expect(RecordSchema.of(.job).problems(try file("metadata.json", PendingRun(job: bench.job())), unknownFields: true) == [])

        var value = try file("metadata.json", run)
        value["runId"] = "XYZ"
        value["extra"] = 1
        value["attempt"] = "one"
        value["rerun"] = -1
        value["agent"] = nil
        value["outcome"] = "splendid"
        value["timestamp"] = "yesterday"
        value.set(["config", "environment"], to: [1])
        let expected = [
            "agent is missing", "attempt is not integer", "config.environment[0] is not string",
            "outcome is none of \"completed\", \"failed\", \"infrastructure\", \"skipped\"",
            "rerun is too small", "runId does not match", "timestamp is no time",
        ]
        #expect(RecordSchema.of(.run).problems(value) == expected)
        #expect(RecordSchema.of(.run).problems(value, unknownFields: true) == (expected + ["extra is not in the schema"]).sorted())
        #expect(RecordSchema.of(.run).problems([1]) == ["the document is not object"])
    }
}
