import AssayTesting
import Base
import Foundation
import Glibc
import HTTPTransport
import Subprocess

/// Runs the operator as a process, probes it and restarts it, as a kubelet does with the container of a Deployment: three failed liveness probes in a row
/// are a SIGTERM, after the grace period a SIGKILL, and a new process; readiness changes nothing but what it says.
final class Kubelet: Sendable {
    struct Answer: Sendable {
        /// 0 without an answer.
        var status = 0
        var text = ""
    }

    /// What the probes have seen so far.
    struct Seen: Sendable {
        var alive = Answer()
        var ready = Answer()
        /// Liveness probes with 200 since the last restart.
        var aliveCount = 0
        /// Liveness probes with 200 since readiness failed last; 0 while it is ready.
        var aliveWhileUnready = 0
        var restarts = 0
        /// What the liveness probes said that led to restarts.
        var reasons: [String] = []
    }

    private static let executable =
        URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent().appending(path: "operator-process").path
    private static let failureThreshold = 3
    private static let gracePeriod = 5.0

    private let words: [String]
    private let port: Int
    private let state = Locked(Seen())
    private let running: Locked<RunningCommand>
    private let onRestart: @Sendable () -> Void
    private let loop = Locked<Task<Void, Never>?>(nil)

    /// - Parameters:
    ///   - bound: seconds after which a watch without an answer, and a reconcile, are stalled.
    ///   - onRestart: called between the end of a process and the start of the next one.
    init(server: String, state directory: String, cache: String, bound: Double, onRestart: @escaping @Sendable () -> Void = {}) throws {
        port = try freePorts(1)[0]
        words = [server, directory, cache, "\(port)", "\(bound)"]
        self.onRestart = onRestart
        running = Locked(try Self.start(words))
    }

    private static func start(_ words: [String]) throws -> RunningCommand {
        try RunningCommand.start(Command(executable, words, deadlineSeconds: 600), onStderr: { _ in })
    }

    var seen: Seen { state.withLock { $0 } }

    func begin() { loop.withLock { $0 = Task { await self.probe() } } }

    func stop() async {
        let task = loop.withLock { $0 }
        task?.cancel()
        await task?.value
        let command = running.withLock { $0 }
        command.signal(SIGKILL)
        _ = await command.wait()
    }

    private func probe() async {
        var failures = 0
        while !Task.isCancelled {
            let (alive, ready) = (await ask("/healthz"), await ask("/readyz"))
            state.withLock { seen in
                seen.alive = alive
                seen.ready = ready
                if alive.status == 200 { seen.aliveCount += 1 }
                seen.aliveWhileUnready = ready.status == 200 ? 0 : seen.aliveWhileUnready + (alive.status == 200 ? 1 : 0)
            }
            // Before the first answer the kubelet's initial delay applies.
            failures = alive.status == 200 || (alive.status == 0 && seen.aliveCount == 0) ? 0 : failures + 1
            if failures >= Self.failureThreshold {
                failures = 0
                await restart(alive.text)
            }
            try? await SystemTime().sleep(seconds: 0.1)
        }
    }

    private func restart(_ reason: String) async {
        let old = running.withLock { $0 }
        old.signal(SIGTERM)
        let kill = Task {
            try await SystemTime().sleep(seconds: Self.gracePeriod)
            old.signal(SIGKILL)
        }
        _ = await old.wait()
        kill.cancel()
        state.withLock { seen in
            seen.restarts += 1
            seen.reasons.append(reason)
            seen.aliveCount = 0
            seen.aliveWhileUnready = 0
        }
        onRestart()
        if let next = try? Self.start(words) { running.withLock { $0 = next } }
    }

    private func ask(_ path: String) async -> Answer {
        do {
            let response = try await HTTPTransport.shared.send(
                HTTPRequest(url: "http://127.0.0.1:\(port)\(path)", timeouts: HTTPTimeouts(total: 5), proxy: .none))
            return Answer(status: response.status, text: String(decoding: try await response.body.collect(upTo: 1 << 20), as: UTF8.self))
        } catch {
            return Answer()
        }
    }
}
