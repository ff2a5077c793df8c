import AssayTesting
import Foundation
import Subprocess
import Testing
import YAML

@testable import assay

/// What the pages tell a reader to type can be typed: commands and options exist, and so do targets of the Makefile, scripts, files and the
/// chart's values.
@Suite struct DocumentedCommandsTests {
    @Test func thePagesAreFound() {
        for page in [
            "README.md", "CONTRIBUTING.md", "docs/README.md", "docs/getting-started.md", "docs/resources/evaljob.md", "charts/assay/README.md",
        ] {
            #expect(Pages.paths.contains(page), "\(page)")
        }
        #expect(Pages.commands(of: "assay").count >= 30 && Pages.commands(of: "make").count >= 5 && Pages.commands(of: "helm").count >= 8)
    }

    @Test("each assay command in a session or a workflow is one that the executable takes")
    func commandLines() {
        for line in Pages.commands(of: "assay") {
            let words = Array(line.words.dropFirst())
            if words == ["--help"] || words == ["--version"] { continue }
            guard let command = Assay.command(of: words) else {
                Issue.record("\(line): there is no such command")
                continue
            }
            let rest = Array(words.dropFirst(command.syntax.name.split(separator: " ").count))
            #expect(throws: Never.self, "\(line)") { try Arguments(rest, syntax: command.syntax) }
        }
    }

    /// Only a session is known to be one that is typed, so what is typed stands in one.
    @Test("no block without a language has commands")
    func blocksHaveLanguages() {
        for block in Pages.blocks where block.language.isEmpty {
            for line in block.text.split(separator: "\n") {
                let first = line.drop { $0 == " " || $0 == "$" }.prefix { $0 != " " }
                #expect(
                    !["assay", "kubectl", "helm", "make", "podman"].contains(first), "\(block): \(line) belongs in a block of the language console")
            }
        }
    }

    @Test("commands that sentences name exist, with their options")
    func namedInSentences() {
        for code in Pages.code where code.text.hasPrefix("assay ") {
            for line in ShellCommand.all(in: code.text, page: code.place, line: 0) where line.words[0] == "assay" {
                for mistake in Self.mistakes(in: line.words.dropFirst().filter { $0 != "…" }) { Issue.record("\(code.place): \(mistake)") }
            }
        }
    }

    /// What in the words of a command, of which some may be left out, does not exist.
    private static func mistakes(in words: [String]) -> [String] {
        let name = words.prefix { !$0.hasPrefix("-") }
        guard let first = name.first, first != "COMMAND" else { return [] }
        guard let syntax = Assay.command(of: words)?.syntax else {
            let isFamily = name.count == 1 && Assay.subcommands.contains { $0.syntax.name.hasPrefix("\(first) ") }
            return isFamily ? [] : ["there is no command assay \(name.joined(separator: " "))"]
        }
        let known = Set(syntax.options.map { "--\($0.name)" } + ["--help"])
        let options = words.filter { $0.hasPrefix("--") }.map { String($0.prefix { $0 != "=" }) }
        return options.filter { !known.contains($0) }.map { "assay \(syntax.name) has no option \($0)" }
    }

    @Test("mistakes in sentences are noticed")
    func mistakes() {
        #expect(Self.mistakes(in: ["run", "job.yaml", "--min-pass=1", "--anew"]) == ["assay run has no option --min-pass"])
        #expect(Self.mistakes(in: ["results", "lists"]) == ["there is no command assay results lists"])
        #expect(Self.mistakes(in: ["results"]) == [] && Self.mistakes(in: ["COMMAND", "--help"]) == [])
    }

    @Test("options that sentences name are those of some command")
    func optionsInSentences() {
        let known = Set(Assay.subcommands.flatMap { $0.syntax.options.map { "--\($0.name)" } })
        for code in Pages.code {
            guard let option = code.text.firstMatch(of: /^--[a-z][a-z-]*/).map({ String($0.output) }) else { continue }
            #expect(known.contains(option) || Self.foreign[option] != nil, "\(code.place): no command of assay has the option \(option)")
        }
    }

    /// Options of other programs that sentences name.
    private static let foreign = [
        "--build-arg": "buildah", "--depth": "git", "--end-of-options": "git", "--force-with-lease": "git", "--set": "helm", "--shared": "git",
        "--strict": "git", "--symref": "git", "--timeout": "kubectl", "--upload-pack": "git",
    ]

    @Test("docs/dashboard.md has each option of its command, and docs/tracing.md each variable that is read")
    func tables() throws {
        let dashboard = try Checkout.text("docs/dashboard.md")
        for option in DashboardCommand.syntax.options {
            #expect(dashboard.contains("`--\(option.name)"), "docs/dashboard.md has no --\(option.name)")
        }
        let tracing = try Checkout.text("docs/tracing.md")
        let variables = Set(try Checkout.text("Sources/Tracing/TraceSettings.swift").matches(of: /"(OTEL_[A-Z_]+)"/).map { String($0.output.1) })
        #expect(variables.count > 8)
        for variable in variables {
            // A name with another end than that of the row before may be cut.
            let end = variable.hasPrefix("OTEL_EXPORTER_OTLP_") ? String(variable.dropFirst("OTEL_EXPORTER_OTLP".count)) : variable
            #expect(tracing.contains("`\(variable)`") || tracing.contains("`\(end)`"), "docs/tracing.md has no \(variable)")
        }
    }

    @Test("targets of make exist")
    func targets() throws {
        let makefile = try Checkout.text("Makefile")
        for line in Pages.commands(of: "make") {
            for target in line.words.dropFirst() where !target.contains("=") {
                #expect(makefile.contains("\n\(target):"), "\(line): the Makefile has no \(target)")
            }
        }
    }

    @Test("scripts, and the tests that they are told to run, exist")
    func scripts() throws {
        for line in Pages.commands where line.words[0].hasPrefix("scripts/") {
            #expect(
                FileManager.default.isExecutableFile(atPath: Checkout.root.appending(path: line.words[0]).path), "\(line): there is no such script")
            guard line.words[0] == "scripts/run-tests" else { continue }
            for target in line.words.dropFirst() { #expect(Checkout.exists("Tests/\(target)"), "\(line): there is no Tests/\(target)") }
        }
    }

    @Test("what kubectl applies exists")
    func applied() {
        for line in Pages.commands(of: "kubectl") {
            for (flag, path) in zip(line.words, line.words.dropFirst()) where ["-f", "-k"].contains(flag) && path.contains("/") {
                #expect(Checkout.exists(path), "\(line): there is no \(path)")
            }
        }
    }

    @Test("charts that helm is given exist, and values that it sets")
    func chart() throws {
        let values = try YAML.parseSingle(try Checkout.text("charts/assay/values.yaml"))
        for line in Pages.commands(of: "helm") {
            for word in line.words where word.hasPrefix("charts/") { #expect(Checkout.exists(word), "\(line): there is no \(word)") }
            for (flag, settings) in zip(line.words, line.words.dropFirst()) where flag == "--set" {
                for setting in settings.split(separator: ",") {
                    let path = setting.prefix { $0 != "=" && $0 != "[" }.split(separator: ".").map(String.init)
                    let holder = path.dropLast().reduce(Optional(values)) { $0?[$1] }
                    #expect(path.last.map { holder?.object?[$0] != nil } == true, "\(line): the chart has no value \(path.joined(separator: "."))")
                }
            }
        }
    }

    @Test("bash can read every session and script")
    func syntax() async throws {
        for block in Pages.blocks {
            guard let script = ShellCommand.script(of: block) else { continue }
            let result = try await Command("bash", ["-n"], environment: .inherit, standardInput: .bytes(Array(script.utf8)), deadlineSeconds: 30)
                .run()
            #expect(result.succeeded, "\(block): \(result.stderrText)")
        }
    }
}
