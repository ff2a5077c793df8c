import Base
import Foundation
import Testing

@testable import Dependencies

@Suite("deps.json and what is on this machine")
struct DependencyListTests {
    @Test("the list of this version is valid, pins versions, and has no checksum that is not one")
    func embedded() throws {
        let list = try DependencyList.embedded()
        let entry = try list.entry("git-sync")
        #expect(entry.version != "latest")
        #expect(try DependencyList(parsing: list.serialized(), file: "x") == list)
        let error = #expect(throws: DependencyError.self) { try list.entry("rsync") }
        #expect(error?.description.contains("git-sync") == true)
    }

    @Test(
        "mistakes are named with their place",
        arguments: [
            ("[]", "must be an object of programs"), ("{", "line 1"),
            ("{\"a\": {\"version\": \"latest\", \"url\": \"https://x\", \"sha256\": {}}}", "a.version: "),
            ("{\"a\": {\"version\": \"v1\", \"url\": \"http://x/y\", \"sha256\": {}}}", "a.url: must be an https"),
            ("{\"a\": {\"version\": \"v1\", \"url\": \"https://x\"}}", "a.sha256: must be an object"),
            (
                "{\"a\": {\"version\": \"v1\", \"url\": \"https://x\", \"sha256\": {\"windows-amd64\": \"\"}}}",
                "there is no platform \"windows-amd64\""
            ),
            ("{\"a\": {\"version\": \"v1\", \"url\": \"https://x\", \"sha256\": {\"linux-amd64\": \"\"}}}", "64 hexadecimal digits"),
            ("{\"../a\": {\"version\": \"v1\", \"url\": \"https://x\", \"sha256\": {}}}", "a name has letters"),
        ])
    func mistakes(text: String, message: String) {
        let error = #expect(throws: DependencyError.self) { try DependencyList(parsing: Array(text.utf8), file: "deps.json") }
        #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
    }

    @Test("versions are found in what programs print")
    func versions() {
        #expect(ProgramStatus.version(in: "git version 2.39.5\n") == "2.39.5")
        #expect(ProgramStatus.version(in: "OpenSSH_9.2p1 Debian-2+deb12u3, OpenSSL 3.0.15 3 Sep 2024") == "9.2p1")
        #expect(ProgramStatus.version(in: "v4.4.0\n") == "4.4.0")
        #expect(ProgramStatus.version(in: "no number") == nil)
    }

    @Test("a program that is missing or too old is a problem, with what to do")
    func problems() {
        let git = RequiredProgram("git", purpose: "to read benchmarks", minimum: [2, 39])
        func problem(_ path: String?, _ version: String?) -> String? { ProgramStatus(program: git, path: path, version: version).problem }
        #expect(problem("/usr/bin/git", "2.39.0") == nil)
        #expect(problem("/usr/bin/git", "10.1") == nil)
        #expect(problem("/usr/bin/git", nil) == nil)
        #expect(problem("/usr/bin/git", "2.9.5")?.contains("2.39 or newer is needed to read benchmarks") == true)
        #expect(problem(nil, nil)?.contains("apt install git") == true)
        let sync = RequiredProgram("git-sync", purpose: "for x", isInstallable: true)
        #expect(ProgramStatus(program: sync, path: nil, version: nil).problem?.contains("assay install git-sync") == true)
    }

    @Test("what is installed comes first on PATH")
    func path() async throws {
        let home = FileManager.default.temporaryDirectory.appending(path: "path-\(UUID().uuidString)").path
        defer { Directory.removeTree(home) }
        let programs = UserPrograms(home: home)
        #expect(programs.path(before: "/usr/bin:\(programs.bin):/bin") == "\(programs.bin):/usr/bin:/bin")
        try Directory.make(programs.bin)
        try FileWriting.write("#!/bin/sh\necho tool 7.8.9\n".utf8, to: "\(programs.bin)/tool", mode: 0o755)
        let status = await ProgramStatus.look(for: RequiredProgram("tool", purpose: "for a test"), path: programs.path(before: "/usr/bin:/bin"))
        #expect(status.path == "\(programs.bin)/tool")
        #expect(status.version == "7.8.9")
    }
}
