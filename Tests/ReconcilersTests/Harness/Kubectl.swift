import Foundation
import Subprocess
import Testing

/// kubectl as users have it: `KUBECTL`, or the one on PATH.
extension World {
    private static var program: String { ProcessInfo.processInfo.environment["KUBECTL"] ?? "kubectl" }
    private var options: [String] { ["--server", "http://127.0.0.1:\(port)", "--cache-dir", "\(path)/kubectl-cache"] }
    private var environment: Command.Environment { .inheriting(adding: ["HOME": path, "KUBECONFIG": "\(path)/none"]) }

    @discardableResult
    func kubectl(_ arguments: String..., seconds: Double = 60) async throws -> (ok: Bool, out: String, err: String) {
        try await kubectl(arguments, seconds: seconds)
    }

    func kubectl(_ arguments: [String], seconds: Double = 60) async throws -> (ok: Bool, out: String, err: String) {
        let result = try await Command(Self.program, options + arguments, environment: environment, deadlineSeconds: seconds).run()
        return (result.succeeded, result.stdoutText, result.stderrText)
    }

    /// Commands of a shell in which `kubectl` speaks to this server.
    func shell(_ script: String, seconds: Double = 90) async throws -> (ok: Bool, out: String, err: String) {
        let start = "set -e\nkubectl() { command \(Self.program) \(options.joined(separator: " ")) \"$@\"; }\n"
        let result = try await Command("bash", ["-c", start + script], environment: environment, deadlineSeconds: seconds).run()
        return (result.succeeded, result.stdoutText, result.stderrText)
    }

    /// `kubectl delete namespace`, which waits until the namespace is gone.
    func deleteNamespace(_ name: String, within seconds: Int = 30, location: SourceLocation = #_sourceLocation) async throws {
        let gone = try await kubectl("delete", "namespace", name, "--timeout=\(seconds)s", seconds: Double(seconds) + 30)
        let left = try await kubectl("get", "namespace", name, "-o", "jsonpath={.status.conditions[?(@.status==\"True\")].message}")
        #expect(gone.ok, "\(gone.err) \(left.out)", sourceLocation: location)
    }
}
