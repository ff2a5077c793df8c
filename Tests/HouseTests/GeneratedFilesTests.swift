import Foundation
import Testing

/// Generated files are up to date.
@Suite struct GeneratedFilesTests {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// The exit status and the text of both outputs.
    static func run(_ words: [String], in directory: URL = root) throws -> (status: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = words
        process.currentDirectoryURL = directory
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: output, as: UTF8.self))
    }

    @Test(
        "the embedded files are current, and docs/reliability.md names the tests of each fault",
        arguments: ["generate", "index-faults"])
    func upToDate(script: String) throws {
        let result = try Self.run(["scripts/\(script)", "--check"])
        #expect(result.status == 0, "\(result.output)")
    }

    /// A repository with one embedded file, one fault, and the two scripts.
    private func withRepository(_ body: (URL) throws -> Void) throws {
        let place = FileManager.default.temporaryDirectory.appending(path: "assay-house-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: place) }
        for folder in ["scripts", "docs", "Sources/A", "Tests/ATests/Deep"] {
            try FileManager.default.createDirectory(at: place.appending(path: folder), withIntermediateDirectories: true)
        }
        for script in ["generate", "index-faults"] {
            try FileManager.default.copyItem(at: Self.root.appending(path: "scripts/\(script)"), to: place.appending(path: "scripts/\(script)"))
        }
        try write("scripts/embedded-files", "docs/a.txt Sources/A/A.generated.swift A.text public\n", in: place)
        try write("docs/a.txt", "one \\(two) \"\"\"# \\#(three)\n", in: place)
        try write("docs/reliability.md", "| | x | y | tests |\n|---|---|---|---|\n| 1 | a | b | |\n| 2 | c | d | |\n", in: place)
        try write("Tests/ATests/Deep/OneTests.swift", "@Test(\"catalogues 1 and 2: both\")\n", in: place)
        try body(place)
    }

    private func write(_ path: String, _ text: String, in place: URL) throws {
        try Data(text.utf8).write(to: place.appending(path: path))
    }

    private func text(_ path: String, in place: URL) throws -> String {
        try String(contentsOf: place.appending(path: path), encoding: .utf8)
    }

    @Test func anEmbeddedFileThatChangedIsFound() throws {
        try withRepository { place in
            #expect(try Self.run(["scripts/generate"], in: place).status == 0)
            #expect(
                try text("Sources/A/A.generated.swift", in: place).contains(
                    "public static let text = ##\"\"\"\none \\(two) \"\"\"# \\#(three)\n\n\"\"\"##\n"))
            #expect(try Self.run(["scripts/generate", "--check"], in: place).status == 0)
            try write("docs/a.txt", "other\n", in: place)
            let stale = try Self.run(["scripts/generate", "--check"], in: place)
            #expect(stale.status == 1 && stale.output.contains("Sources/A/A.generated.swift is not what its sources give"))
            #expect(try Self.run(["scripts/generate"], in: place).status == 0)
            try write("Sources/A/B.generated.swift", "", in: place)
            let unlisted = try Self.run(["scripts/generate", "--check"], in: place)
            #expect(unlisted.status == 1 && unlisted.output.contains("Sources/A/B.generated.swift is not in scripts/embedded-files"))
        }
    }

    @Test func aTextOfSeveralFilesIsTheirTextsJoined() throws {
        try withRepository { place in
            try write("docs/b.txt", "two\n", in: place)
            try write(
                "scripts/embedded-files",
                "docs/b.txt Sources/A/A.generated.swift A.text public\ndocs/a.txt Sources/A/A.generated.swift +A.text public\n", in: place)
            try write("docs/a.txt", "one\n", in: place)
            #expect(try Self.run(["scripts/generate"], in: place).status == 0)
            #expect(try text("Sources/A/A.generated.swift", in: place).contains("public static let text = #\"\"\"\ntwo\none\n\n\"\"\"#\n"))
            try write("docs/b.txt", "two", in: place)
            let unended = try Self.run(["scripts/generate"], in: place)
            #expect(unended.status == 1 && unended.output.contains("docs/b.txt: does not end with a newline"))
            try write("scripts/embedded-files", "docs/a.txt Sources/A/A.generated.swift +A.text public\n", in: place)
            let first = try Self.run(["scripts/generate"], in: place)
            #expect(first.status == 1 && first.output.contains("+A.text has to follow a row of A.text"))
        }
    }

    @Test(
        "a file that cannot be written as a literal is refused with the position",
        arguments: [("a\nb\u{0}c", "line 2: the character U+0000"), ("a\r\n", "line 1: the character U+000D")])
    func unfitSource(content: String, message: String) throws {
        try withRepository { place in
            try write("docs/a.txt", content, in: place)
            let result = try Self.run(["scripts/generate"], in: place)
            #expect(result.status == 1 && result.output.contains("docs/a.txt, \(message)"))
        }
    }

    @Test func aFaultThatThePageDoesNotHaveIsFound() throws {
        try withRepository { place in
            #expect(try Self.run(["scripts/index-faults", "--check"], in: place).status == 1)
            #expect(try Self.run(["scripts/index-faults"], in: place).status == 0)
            #expect(try text("docs/reliability.md", in: place).contains("| 2 | c | d | ATests/OneTests |\n"))
            #expect(try Self.run(["scripts/index-faults", "--check"], in: place).status == 0)
            try write("Tests/ATests/TwoTests.swift", "// catalogue 3\n", in: place)
            let unknown = try Self.run(["scripts/index-faults", "--check"], in: place)
            #expect(unknown.status == 1 && unknown.output.contains("3 (ATests/TwoTests)"))
        }
    }
}
