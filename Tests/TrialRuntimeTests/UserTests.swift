import Base
import EvalModel
import Foundation
import Glibc
import Subprocess
import Testing

@testable import TrialRuntime

@Suite("Users of the phases")
struct UserTests {
    private func helper() throws -> String {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("as-user-\(UUID().uuidString)").path
        try FileWriting.replace(path, with: Runner.userHelper, mode: 0o755, durable: false)
        return path
    }

    @Test("the helper is a static program for this processor, and refuses what is no user")
    func refusals() async throws {
        let path = try helper()
        defer { unlink(path) }
        #expect(Runner.userHelper.prefix(4).elementsEqual([0x7F] + Array("ELF".utf8)) && Runner.userHelper.count < 4096)
        for words in ["", "1 1 1", "x 1 1 /bin/true", "1 1; 1 /bin/true", "1 1 1;2 /bin/true", "-1 1 1 /bin/true", "99999999999 1 1 /bin/true"] {
            #expect(try await Command(path, words.split(separator: " ").map(String.init)).run().exit == .code(126), "\(words)")
        }
    }

    @Test("the helper becomes user and groups and keeps environment and working directory; without the right to, it says so")
    func becomes() async throws {
        let path = try helper()
        defer { unlink(path) }
        let words = ["4321", "4322", "4322,7", "/bin/sh", "-c", "id -u; id -g; id -G; echo $A; pwd"]
        let result = try await Command(path, words, environment: .exact(["A": "b c", "PATH": "/usr/bin:/bin"]), workingDirectory: "/usr").run()
        guard geteuid() == 0 else { return #expect(result.exit == .code(126)) }
        #expect(result.stdoutText == "4321\n4322\n4322 7\nb c\n/usr\n", "\(result.stdoutText)\(result.stderrText)")
        #expect(try await Command(path, ["1", "1", "1", "/nonexistent"]).run().exit == .code(127))
    }
}
