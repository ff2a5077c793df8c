import Base
import Foundation
import Subprocess
import Testing

@Suite("The recorded contract with kube-apiserver 1.36")
struct ContractTests {
    /// The one step that differs: for a change to a pod's spec, the real server's message contains a diff of Go structs.
    private let differentlyWorded = ["pod spec is immutable"]

    @Test("145 steps: 144 are equal, and one differs only in its wording", arguments: [false, true])
    func contract(isDurable: Bool) async throws {
        let fixtures = try #require(Bundle.module.resourcePath) + "/Fixtures/contract"
        try await withDirectory { directory in
            try await withServer(directory: isDurable ? directory + "/data" : nil) { server in
                let run = try await Command(
                    "python3",
                    [
                        "\(fixtures)/contract.py", "--server", server.url, "--expect", "\(fixtures)/kube-apiserver-1.36.json",
                    ], deadlineSeconds: 180
                ).run()
                let lines = run.stdoutText.split(separator: "\n")
                let differing = lines.filter { $0.hasPrefix("DIFFERS") }
                let worded = lines.filter { $0.hasPrefix("wording") }.map { $0.dropFirst(7).drop { $0 == " " } }
                #expect(differing == [], "\(run.stdoutText)\(run.stderrText)")
                #expect(worded.map(String.init) == differentlyWorded, "\(run.stdoutText)")
                #expect(lines.last == "144 of 145 steps alike, 1 differ in wording only, 0 differ")
            }
        }
    }
}
