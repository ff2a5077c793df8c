import Foundation
import Testing

@testable import assay

/// The help texts, whole. When one changes on purpose: ASSAY_WRITE_SNAPSHOTS=1 swift test --filter HelpTests, and look at the difference.
@Suite struct HelpTests {
    static let texts: [(name: String, text: String)] =
        [("assay", Assay.overview(Assay.subcommands) + "\n")] + Assay.subcommands.map { ($0.syntax.name, $0.syntax.help) }

    @Test(arguments: texts.map(\.name))
    func isAsRecorded(name: String) throws {
        let text = try #require(Self.texts.first { $0.name == name }?.text)
        let file = Checkout.root.appending(path: "Tests/assayTests/Help/\(name.replacingOccurrences(of: " ", with: "-")).txt")
        if ProcessInfo.processInfo.environment["ASSAY_WRITE_SNAPSHOTS"] == "1" { try Data(text.utf8).write(to: file) }
        #expect(try String(contentsOf: file, encoding: .utf8) == text)
    }

    @Test func everyRecordedTextHasItsCommand() throws {
        let files = try FileManager.default.contentsOfDirectory(atPath: Checkout.root.appending(path: "Tests/assayTests/Help").path)
        #expect(Set(files) == Set(Self.texts.map { $0.name.replacingOccurrences(of: " ", with: "-") + ".txt" }))
    }

    @Test(arguments: texts.map(\.name))
    func fitsATerminal(name: String) throws {
        let text = try #require(Self.texts.first { $0.name == name }?.text)
        for line in text.split(separator: "\n") { #expect(line.count <= 100, "\(line)") }
    }

    @Test func whatIsNotForPeopleIsLeftOutOfTheList() {
        let overview = Assay.overview(Assay.subcommands)
        for command in Assay.subcommands {
            #expect(overview.contains("\n  \(command.syntax.name)  ") == !command.hidden, "\(command.syntax.name)")
        }
    }

    @Test(
        arguments: [
            (["run", "x"], "run"), (["results", "list"], "results list"), (["results"], nil), (["result"], nil), ([], nil),
        ] as [([String], String?)])
    func theLongestNameIsTheCommand(words: [String], name: String?) {
        #expect(Assay.command(of: words)?.syntax.name == name)
    }

    @Test func theVersionIsThatOfTheFile() throws {
        #expect(try Checkout.text("VERSION") == Assay.version + "\n")
        #expect(Assay.version.split(separator: ".").count == 3)
    }
}
