import Foundation
import Testing

/// Each error type of a trial is brought about by an end-to-end test.
@Suite struct ErrorTypeCoverageTests {
    /// Types that no trial has yet, with the reason.
    private static let neverMade = [
        "environment_teardown_failed": "reserved: a trial is recorded before its pod is removed"
    ]

    @Test func everyErrorTypeIsInAnEndToEndTest() throws {
        let root = GeneratedFilesTests.root
        let source = try String(contentsOf: root.appending(path: "Sources/EvalModel/Errors/TrialError.swift"), encoding: .utf8)
        let types = source.matches(of: /case \w+ = "([a-z_]+)"/).map { String($0.1) }
        try #require(types.count > 20)
        let tests = root.appending(path: "Tests/EndToEndTests")
        var text = try String(contentsOf: root.appending(path: "test-dataset/formats/expected.json"), encoding: .utf8)
        for name in try FileManager.default.contentsOfDirectory(atPath: tests.path) where name.hasSuffix(".swift") {
            text += try String(contentsOf: tests.appending(path: name), encoding: .utf8)
        }
        for type in types where Self.neverMade[type] == nil {
            #expect(text.contains("\"\(type)\""), "no end-to-end test expects the error type \(type)")
        }
    }
}
