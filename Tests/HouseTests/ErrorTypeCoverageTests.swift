import Foundation
import Testing

/// Each error type of a trial is brought about by an end-to-end test, which docs/reliability.md names.
@Suite struct ErrorTypeCoverageTests {
    private static func text(_ path: String) throws -> String {
        try String(contentsOf: GeneratedFilesTests.root.appending(path: path), encoding: .utf8)
    }

    @Test func thePageNamesATestForEachErrorType() throws {
        let types = try Self.text("Sources/EvalModel/Errors/TrialError.swift").matches(of: /case \w+ = "([a-z_]+)"/).map { String($0.1) }
        try #require(types.count > 20)
        let rows = try Self.text("docs/reliability.md").matches(of: /\| `([a-z_]+)` \| (\w+)\.(\w+) \|/)
        #expect(rows.map { String($0.1) } == types, "one row for each error type, in the order of TrialErrorType")
        let formats = try Self.text("test-dataset/formats/expected.json")
        for row in rows {
            let (type, file, function) = (String(row.1), String(row.2), String(row.3))
            let test = try Self.text("Tests/EndToEndTests/\(file).swift")
            #expect(test.contains("func \(function)("), "\(file) has no test \(function)")
            // The tasks of the formats dataset have their errors in a file.
            #expect((test + (file == "FormatsTests" ? formats : "")).contains("\"\(type)\""), "\(file) does not expect \(type)")
        }
    }
}
