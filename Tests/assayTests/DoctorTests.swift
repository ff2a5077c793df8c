import AssayAPI
import Base
import Dependencies
import Foundation
import Planning
import Testing

@testable import assay

@Suite("`assay doctor`")
struct DoctorTests {
    private static func directory(_ names: [String]) throws -> String {
        let path = FileManager.default.temporaryDirectory.appending(path: "doctor-\(UUID().uuidString)").path
        try Directory.make(path)
        for name in names { try FileWriting.write("#!/bin/sh\necho \(name) 9.9.9\n".utf8, to: "\(path)/\(name)", mode: 0o755) }
        return path
    }

    private func names(_ report: DoctorReport) -> [String] { report.programs.map(\.status.program.name) }

    @Test("openssl is listed for a file with the Secret of a GitHub App, and is missing with its install hint")
    func openssl() async throws {
        let path = try Self.directory(["git", "ssh"])
        defer { Directory.removeTree(path) }
        let check = ProgramCheck(path: path)
        let without = await DoctorReport([("default", EvalTargetSpec())], hasGitHubApp: false, check: check)
        #expect(names(without) == ["git", "ssh"] && without.isReady)
        let with = await DoctorReport([("default", EvalTargetSpec())], hasGitHubApp: true, check: check)
        #expect(names(with) == ["git", "ssh", "openssl"] && !with.isReady)
        #expect(with.text.contains("openssl  -        missing"), "\(with.text)")
        #expect(
            with.text.contains("openssl is not installed; it is needed to sign the requests of GitHub Apps. Install it with: apt install openssl"))
        let entry = try #require(with.json["programs"]?.array?.last)
        #expect(entry["name"] == "openssl" && entry["found"] == false && entry["targets"] == ["default"])
        try FileWriting.write("#!/bin/sh\necho OpenSSL 3.0.15 3 Sep 2024\n".utf8, to: "\(path)/openssl", mode: 0o755)
        let found = await DoctorReport([("default", EvalTargetSpec())], hasGitHubApp: true, check: check)
        #expect(found.isReady && found.programs.last?.status.version == "3.0.15")
    }

    @Test("doctor lists what the table of preflight has for each type of target, once for all targets that need it")
    func table() async throws {
        let targets: [(name: String, spec: EvalTargetSpec)] = [("here", EvalTargetSpec(type: .local)), ("away", EvalTargetSpec(type: .cluster))]
        let report = await DoctorReport(targets, hasGitHubApp: true, check: ProgramCheck())
        let table = TargetPrograms.needed(by: targets[0].spec, for: Set(TargetPrograms.Use.allCases))
        #expect(Set(report.programs.map(\.status.program)) == Set(table))
        #expect(report.programs.first { $0.status.program == TargetPrograms.git }?.targets == ["here", "away"])
        #expect(report.programs.first { $0.status.program == TargetPrograms.podman }?.targets == ["here"])
        // The page names each program of the table.
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let page = try String(contentsOf: root.appending(path: "docs/dependencies.md"), encoding: .utf8)
        for program in table { #expect(page.contains("| `\(program.name)`"), "docs/dependencies.md does not name \(program.name)") }
    }
}
