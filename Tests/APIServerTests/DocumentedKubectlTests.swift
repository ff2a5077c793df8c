import Base
import Foundation
import Subprocess
import Testing

@testable import AssayTesting

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

    private static func lines() throws -> [ShellCommand] {
        try MarkdownPage.all(in: root).flatMap(\.blocks).flatMap(ShellCommand.all).filter { $0.words.first == "kubectl" }
    }

    @Test("every command line can be read by kubectl")
    func commands() async throws {
        let lines = try Self.lines()
        #expect(lines.count > 40)
        for line in lines where line.words.count > 1 {
            if let complaint = try await complaint(about: Array(line.words.dropFirst())) { Issue.record("\(line): \(complaint)") }
        }
    }

    /// Options whose value is the next word.
    private static let withValue: Set<String> = [
        "-f", "-k", "-l", "-n", "-o", "-p", "--field-manager", "--kubeconfig", "--namespace", "--output", "--selector", "--tail",
    ]
    private static let verbs: Set<String> = ["annotate", "delete", "describe", "edit", "get", "label", "logs", "patch", "wait"]

    /// The types of resources that a command names, as `evaljobs` and `evaltargets` in `get evaljobs,evaltargets`; none for a command that names files.
    private static func types(in line: ShellCommand) -> [String] {
        var positional: [String] = []
        var rest = line.words.dropFirst()
        while let word = rest.popFirst() {
            if withValue.contains(word) { rest = rest.dropFirst() } else if !word.hasPrefix("-") { positional.append(word) }
        }
        guard positional.count > 1, verbs.contains(positional[0]), !line.words.contains("-f") else { return [] }
        // With a slash each word has its type; without one the second has the types of all.
        let named = positional.dropFirst().filter { $0.contains("/") && !$0.contains("=") && !$0.contains("assay.dev/") }
        if !named.isEmpty { return named.map { String($0.prefix { $0 != "/" }) } }
        return positional[0] == "logs" ? [] : positional[1].split(separator: ",").map(String.init)
    }

    /// The names that a cluster with Assay's definitions has for types: plural, singular and short.
    private func served(by server: ServerUnderTest) async throws -> Set<String> {
        var paths = ["/api/v1"]
        for group in try await server.get("/apis").json["groups"]?.array ?? [] {
            if let version = group.at("preferredVersion", "groupVersion")?.string { paths.append("/apis/\(version)") }
        }
        var names: Set<String> = []
        for path in paths {
            for resource in try await server.get(path).json["resources"]?.array ?? [] {
                names.formUnion(
                    [resource["name"]?.string, resource["singularName"]?.string, resource["kind"]?.string?.lowercased()].compactMap { $0 })
                names.formUnion((resource["shortNames"]?.array ?? []).compactMap(\.string))
            }
        }
        for kind in ["evaljobs", "evaltargets", "overlaysources"] {
            let text = try String(contentsOfFile: "\(Self.root)/manifests/crds/\(kind).yaml", encoding: .utf8)
            for match in text.matches(of: /(?:plural|singular): (\w+)/) { names.insert(String(match.output.1)) }
            for match in text.matches(of: /shortNames:(?: \[|\s+- )(\w+)/) { names.insert(String(match.output.1)) }
        }
        return names
    }

    @Test("the types of resources that command lines name are served")
    func types() async throws {
        try await withServer { server in
            let names = try await served(by: server)
            var found = 0
            for line in try Self.lines() {
                for type in Self.types(in: line) where !type.hasPrefix("$") {
                    found += 1
                    #expect(names.contains(type), "\(line): there is no type \(type)")
                }
            }
            #expect(found > 25)
        }
        #expect(
            Self.types(in: ShellCommand(place: "", words: ["kubectl", "-n", "a", "get", "evaljobs,pods", "-o", "wide"])) == ["evaljobs", "pods"])
        #expect(Self.types(in: ShellCommand(place: "", words: ["kubectl", "wait", "--for=delete", "namespace/a"])) == ["namespace"])
    }

    @Test("an option and a command that kubectl does not have are noticed")
    func mistakes() async throws {
        #expect(try await complaint(about: ["get", "evaljobs", "--wach"])?.contains("unknown flag: --wach") == true)
        #expect(try await complaint(about: ["fetch", "evaljobs"])?.contains("unknown command") == true)
    }
}
