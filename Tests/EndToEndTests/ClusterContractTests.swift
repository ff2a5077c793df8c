import Base
import Foundation
import Subprocess
import Testing

extension EndToEnd {
    /// The recorded contract with a real kube-apiserver, checked against the executable, with a token.
    @Suite struct ClusterContractTests {
        @Test("contract.py: at most one of 145 steps differs from kube-apiserver 1.36, in wording")
        func contract() async throws {
            let bench = try Workbench("contract")
            let cluster = try await ClusterProcesses.start(in: bench, node: "none")
            let folder = "\(Workbench.root)/Tests/APIServerTests/Fixtures/contract"
            let run = try await Command(
                "python3",
                [
                    "\(folder)/contract.py", "--server", cluster.server, "--token", cluster.token,
                    "--expect", "\(folder)/kube-apiserver-1.36.json",
                ], deadlineSeconds: 180
            ).run()
            let lines = run.stdoutText.split(separator: "\n").map(String.init)
            #expect(lines.filter { $0.hasPrefix("DIFFERS") } == [], "\(run.stdoutText)\(run.stderrText)")
            // The real server's message contains a diff of Go structs.
            #expect(
                lines.filter { $0.hasPrefix("wording") }.map { $0.dropFirst(7).trimmingCharacters(in: .whitespaces) } == ["pod spec is immutable"])
            #expect(lines.last == "144 of 145 steps alike, 1 differ in wording only, 0 differ", "\(lines.last ?? "")")
            await cluster.stop()
            await bench.remove()
        }
    }
}
