import AssayAPI
import AssayTesting
import EvalModel
import Foundation
import Testing

/// docs/troubleshooting.md says what to do about each reason of a condition, each type of error and each exit status, and about nothing that does not exist.
@Suite struct TroubleshootingTests {
    private static let path = "docs/troubleshooting.md"

    /// The first cells, in code, of the tables below a heading, up to the next heading of that level.
    private func firstCells(below heading: String) throws -> [String] {
        let text = try Checkout.text(Self.path)
        let section = try #require(text.components(separatedBy: "\n## \(heading)\n").dropFirst().first).components(separatedBy: "\n## ")[0]
        return section.matches(of: /(?m)^\| `([^`]+)` \|/).map { String($0.output.1) }
    }

    private func compare(_ heading: String, _ expected: [String]) throws {
        let found = try firstCells(below: heading)
        for name in expected where !found.contains(name) { Issue.record("\(Self.path), \(heading): there is no row of `\(name)`") }
        for name in found where !expected.contains(name) { Issue.record("\(Self.path), \(heading): the code has no `\(name)`") }
        #expect(found.count == Set(found).count, "a row of \(heading) is there twice")
    }

    @Test func everyReasonOfAConditionIsThere() throws {
        try compare("Reasons of conditions and Events", Reason.allCases.map(\.rawValue))
    }

    @Test func everyTypeOfErrorIsThere() throws {
        try compare("Errors of trials", TrialErrorType.allCases.map(\.rawValue))
    }

    /// A row has the fixed words of a message, with `…` for what differs.
    @Test func everyMessageIsOneOfTheExecutable() throws {
        let sources = Checkout.root.appending(path: "Sources")
        let files = try FileManager.default.subpathsOfDirectory(atPath: sources.path).filter {
            $0.hasSuffix(".swift") && !$0.hasSuffix(".generated.swift")
        }
        let lines = try files.flatMap { try Checkout.text("Sources/\($0)").split(separator: "\n") }.filter { $0.contains("\"") }
        let messages = try firstCells(below: "Messages of the command line")
        #expect(messages.count >= 15)
        for message in messages {
            let parts = message.split(separator: "…").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
            let isThere = lines.contains { line in
                let plain = line.replacing("\\\"", with: "\"")
                return parts.allSatisfy { plain.contains($0) }
            }
            #expect(isThere, "\(Self.path): no message has the words `\(message)`")
        }
    }
}
