import Base
import EvalModel
import Foundation
import Testing

/// docs/results.md has each field of the records' schemas, and no other.
@Suite struct RecordTableTests {
    /// The text below a heading, up to the next one.
    private func section(_ heading: String) throws -> String {
        let text = try Checkout.text("docs/results.md")
        return try #require(text.components(separatedBy: "\n### \(heading)\n").dropFirst().first, "no heading \(heading)").components(
            separatedBy: "\n##")[0]
    }

    /// The names in the first cells of a section's table.
    private func names(below heading: String) throws -> [String] {
        try section(heading).matches(of: /(?m)^\| ((?:`[^`]+`(?:, )?)+) \|/).flatMap { row in
            row.output.1.matches(of: /`([^`]+)`/).map { String($0.output.1) }
        }
    }

    private func properties(_ schema: String) throws -> JSONValue {
        try #require(try JSONValue(parsing: Array(try Checkout.text("docs/schemas/\(schema).schema.json").utf8))["properties"])
    }

    @Test("the tables of fields are those of the schemas", arguments: ["run", "job"])
    func tables(schema: String) throws {
        let names = try names(below: "metadata.json of a \(schema)")
        let fields = try #require(try properties(schema).object).keys
        #expect(Set(names) == Set(fields) && names.count == fields.count, "\(Set(names).symmetricDifference(fields))")
    }

    @Test("the fields of a summary, and of a run's config and outputs, are named")
    func inner() throws {
        let run = try properties("run")
        for (heading, object) in [
            ("summary.json", try properties("summary")), ("metadata.json of a run", run.at("config", "properties") ?? [:]),
            ("metadata.json of a run", run.at("outputs", "properties") ?? [:]),
        ] {
            let text = try section(heading)
            let fields = try #require(object.object)
            #expect(fields.count > 5)
            for name in fields.keys { #expect(text.contains("`\(name)`"), "docs/results.md, \(heading): \(name)") }
        }
    }

    @Test("the table of errors has each type once")
    func errors() throws {
        #expect(try names(below: "error.type").sorted() == TrialErrorType.allCases.map(\.rawValue).sorted())
    }
}
