import AssayTesting
import Base
import Foundation
import Subprocess
import Testing

/// What pages tell a reader to type for kubectl is a command that kubectl has, with options that it has.
@Suite("kubectl in the pages")
struct DocumentedKubectlTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

    /// kubectl reads all its words before it prints the help of the command that they name.
    private func complaint(about words: [String]) async throws -> String? {
        let kubectl = ProcessInfo.processInfo.environment["KUBECTL"] ?? "kubectl"
        let result = try await Command(kubectl, words + ["--help"], environment: .inherit, deadlineSeconds: 60).run()
        return result.succeeded ? nil : result.stderrText
    }

    @Test("every command line can be read by kubectl")
    func commands() async throws {
        let lines = try MarkdownPage.all(in: Self.root).flatMap(\.blocks).flatMap(ShellCommand.all).filter { $0.words.first == "kubectl" }
        #expect(lines.count > 40)
        for line in lines where line.words.count > 1 {
            if let complaint = try await complaint(about: Array(line.words.dropFirst())) { Issue.record("\(line): \(complaint)") }
        }
    }

    @Test("an option and a command that kubectl does not have are noticed")
    func mistakes() async throws {
        #expect(try await complaint(about: ["get", "evaljobs", "--wach"])?.contains("unknown flag: --wach") == true)
        #expect(try await complaint(about: ["fetch", "evaljobs"])?.contains("unknown command") == true)
    }
}
