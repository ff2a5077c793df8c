import Foundation
import Testing

@testable import assay

/// What the pages tell a reader to type can be typed: commands and options exist, and so do targets of the Makefile, scripts, files and
/// pages that are linked to.
@Suite struct DocumentedCommandsTests {
    /// The repository's own pages, by path.
    static let pages: [String] = {
        let manager = FileManager.default
        let docs = (try? manager.subpathsOfDirectory(atPath: Checkout.root.appending(path: "docs").path)) ?? []
        let root = (try? manager.contentsOfDirectory(atPath: Checkout.root.path)) ?? []
        return (docs.map { "docs/\($0)" } + root + ["test-dataset/README.md", "charts/assay/README.md"]).filter { $0.hasSuffix(".md") }.sorted()
    }()

    /// A line of a shell session: the words after `$ `, without its comment, and where it stands.
    struct Line: Sendable, CustomTestStringConvertible {
        var place: String
        var words: [String]
        var testDescription: String { "\(place): \(words.joined(separator: " "))" }
    }

    static let lines: [Line] = pages.flatMap { page -> [Line] in
        let text = (try? Checkout.text(page)) ?? ""
        return text.split(separator: "\n", omittingEmptySubsequences: false).enumerated().compactMap { number, line in
            let trimmed = line.drop { $0 == " " }
            guard trimmed.hasPrefix("$ ") else { return nil }
            var command = String(trimmed.dropFirst(2))
            if let comment = command.range(of: " #") { command = String(command[..<comment.lowerBound]) }
            if let pipe = command.range(of: " | ") { command = String(command[..<pipe.lowerBound]) }
            return Line(place: "\(page):\(number + 1)", words: command.split(separator: " ").map(String.init).filter { $0 != "&" })
        }
    }

    static func lines(of program: String) -> [Line] { lines.filter { $0.words.first == program } }

    @Test func thePagesAreFound() {
        #expect(Self.pages.contains("README.md") && Self.pages.contains("docs/getting-started.md") && Self.pages.contains("CONTRIBUTING.md"))
        #expect(Self.lines(of: "assay").count >= 8 && Self.lines(of: "make").count >= 5)
    }

    @Test(arguments: lines(of: "assay"))
    func theCommandLineParses(line: Line) throws {
        let words = Array(line.words.dropFirst())
        let command = try #require(Assay.command(of: words), "\(line.place): no such command")
        let rest = Array(words.dropFirst(command.syntax.name.split(separator: " ").count))
        #expect(throws: Never.self, "\(line.place)") { try Arguments(rest, syntax: command.syntax) }
    }

    @Test(arguments: lines(of: "make"))
    func theTargetExists(line: Line) throws {
        let makefile = try Checkout.text("Makefile")
        for target in line.words.dropFirst() where !target.contains("=") {
            #expect(makefile.contains("\n\(target):"), "\(line.place): the Makefile has no \(target)")
        }
    }

    @Test(arguments: lines.filter { $0.words.first?.hasPrefix("scripts/") == true })
    func theScriptExists(line: Line) throws {
        let script = try #require(line.words.first)
        #expect(FileManager.default.isExecutableFile(atPath: Checkout.root.appending(path: script).path), "\(line.place): there is no \(script)")
        if script == "scripts/run-tests" {
            for target in line.words.dropFirst() { #expect(Checkout.exists("Tests/\(target)"), "\(line.place): there is no Tests/\(target)") }
        }
    }

    @Test(arguments: lines(of: "kubectl"))
    func whatIsAppliedExists(line: Line) {
        for (flag, path) in zip(line.words, line.words.dropFirst()) where ["-f", "-k"].contains(flag) && path.contains("/") {
            #expect(Checkout.exists(path), "\(line.place): there is no \(path)")
        }
    }

    @Test(arguments: pages)
    func linkedPagesExist(page: String) throws {
        let folder = URL(filePath: "/\(page)").deletingLastPathComponent()
        for match in try Checkout.text(page).matches(of: /\]\(([^)#\s]+)(#[^)]*)?\)/) {
            let target = String(match.output.1)
            guard !target.contains("://"), !target.hasPrefix("mailto:") else { continue }
            let path = String(URL(filePath: target, relativeTo: folder).standardizedFileURL.path.dropFirst())
            #expect(Checkout.exists(path), "\(page) links to \(target)")
        }
    }

    /// Files that pages name in code, as `scripts/test` or `docs/results.md`.
    @Test(arguments: pages.filter { $0 != "CHANGELOG.md" })
    func filesNamedInTheTextExist(page: String) throws {
        for match in try Checkout.text(page).matches(of: /`((?:scripts|docs|Sources|examples|manifests|charts|test-dataset)\/[A-Za-z0-9_.\/-]*)`/) {
            #expect(Checkout.exists(String(match.output.1)), "\(page) names \(match.output.1)")
        }
    }
}
