import AssayTesting
import Base
import Foundation
import Glibc
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

    /// `kubectl get evaljobs --watch`, once the server has answered its request.
    func watchJobs() async throws -> KubectlWatch {
        let watch = try KubectlWatch(
            Command(Self.program, options + ["get", "evaljobs", "--watch", "--no-headers", "--v=6"], environment: environment))
        let isOpen = await eventually { watch.isOpen }
        #expect(isOpen, "kubectl opens no watch")
        return watch
    }

    /// Commands of a shell in which `kubectl` speaks to this server.
    func shell(_ script: String, seconds: Double = 90) async throws -> (ok: Bool, out: String, err: String) {
        let start = "set -e\nkubectl() { command \(Self.program) \(options.joined(separator: " ")) \"$@\"; }\n"
        let result = try await Command("bash", ["-c", start + script], environment: environment, deadlineSeconds: seconds).run()
        return (result.succeeded, result.stdoutText, result.stderrText)
    }

    /// `kubectl delete namespace`, which waits until the namespace is gone.
    func deleteNamespace(_ name: String, within seconds: Int = 240, location: SourceLocation = #_sourceLocation) async throws {
        let gone = try await kubectl("delete", "namespace", name, "--timeout=\(seconds)s", seconds: Double(seconds) + 30)
        let left = try await kubectl("get", "namespace", name, "-o", "jsonpath={.status.conditions[?(@.status==\"True\")].message}")
        #expect(gone.ok, "\(gone.err) \(left.out)", sourceLocation: location)
    }
}

/// A kubectl that watches until it is stopped.
final class KubectlWatch: Sendable {
    private let process: RunningCommand
    private let lines: Locked<[UInt8]>
    private let requests: Locked<[UInt8]>

    init(_ command: Command) throws {
        let (lines, requests) = (Locked<[UInt8]>([]), Locked<[UInt8]>([]))
        process = try RunningCommand.start(
            command, onStdout: { bytes in lines.withLock { $0 += bytes } }, onStderr: { bytes in requests.withLock { $0 += bytes } })
        self.lines = lines
        self.requests = requests
    }

    var output: String { lines.withLock { String(decoding: $0, as: UTF8.self) } }

    /// Its log of requests names a request when its answer has begun.
    var isOpen: Bool { requests.withLock { String(decoding: $0, as: UTF8.self) }.contains("watch=true") }

    func stop() { process.signal(SIGTERM) }
}
