import AssayTesting
import Base
import Foundation
import Glibc
import KubeCore
import Subprocess
import Testing

/// Two operators as processes, of which one works and one waits for the Lease.
@Suite("Operators that stand by")
struct StandbyTests {
    /// An operator process, and what its probes have said since it was ready.
    private final class Replica: Sendable {
        private let command: RunningCommand
        let port: Int
        private let probes = Locked(0)
        private let failures = Locked<[String]>([])
        private let loop = Locked<Task<Void, Never>?>(nil)

        init(_ world: World, _ name: String, server: String) throws {
            port = try freePorts(1)[0]
            let words = [server, "\(world.path)/\(name)", "\(world.path)/\(name)-cache", "\(port)", "60", "default"]
            command = try RunningCommand.start(Command(Kubelet.executable, words, deadlineSeconds: 900), onStderr: { _ in })
        }

        func ask(_ path: String) async -> Kubelet.Answer { await Kubelet.ask(path, port: port) }

        var leads: Bool { get async { await ask("/metrics").text.contains("\nassay_leader 1") } }

        /// Notes every liveness probe that fails from now on.
        func beginProbing() {
            let task = Task {
                while !Task.isCancelled {
                    let answer = await ask("/healthz")
                    guard !Task.isCancelled else { return }
                    probes.withLock { $0 += 1 }
                    if answer.status != 200 { failures.withLock { $0.append("\(answer)") } }
                    try? await SystemTime().sleep(seconds: 0.1)
                }
            }
            loop.withLock { $0 = task }
        }

        /// Liveness probes so far, and those that failed.
        func endProbing() async -> (count: Int, failures: [String]) {
            let task = loop.withLock { $0 }
            task?.cancel()
            await task?.value
            return (probes.withLock { $0 }, failures.withLock { $0 })
        }

        func end(_ signal: Int32) async -> Exit {
            command.signal(signal)
            return await command.wait()
        }
    }

    @Test("one that stands by is ready only with its caches, and works when the leader is killed or stops; each trial counts once")
    func changes() async throws {
        try await World.run(tasks: ["a", "b"], fate: { _ in .never }) { world in
            let replicas = Locked<[Replica]>([])
            let result: Result<Void, any Error>
            do { result = .success(try await changes(world, replicas)) } catch { result = .failure(error) }
            for replica in replicas.withLock({ $0 }) { _ = await replica.end(SIGKILL) }
            try result.get()
        }
    }

    private func changes(_ world: World, _ replicas: Locked<[Replica]>) async throws {
        func start(_ name: String, server: String) throws -> Replica {
            let replica = try Replica(world, name, server: server)
            replicas.withLock { $0.append(replica) }
            return replica
        }
        let direct = "http://127.0.0.1:\(world.port)"
        let first = try start("first", server: direct)
        let firstLeads = await eventually(within: 120) { await first.leads }
        try #require(firstLeads)
        let firstReady = await eventually(within: 120) { await first.ask("/readyz").status == 200 }
        #expect(firstReady)

        // The second is refused one resource: it waits for the Lease, is alive, and is not ready.
        let isRefused = Locked(true)
        let breaker = try Breaker(
            to: world.port,
            answers: { request in
                guard isRefused.withLock({ $0 }), request.method == "GET", request.path.contains("/overlaysources") else { return nil }
                let body = #"{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"ServiceUnavailable","message":"later","code":503}"#
                return Array(
                    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)".utf8)
            })
        defer { breaker.stop() }
        let second = try start("second", server: breaker.url)
        // Everything else is known then.
        let unready = await eventually(within: 120) {
            let answer = await second.ask("/readyz")
            return answer.status == 503 && answer.text.contains("overlaysources.assay.dev: ") && !answer.text.contains("pods: ")
        }
        let said = await second.ask("/readyz")
        #expect(unready, "\(said)")
        for _ in 0..<20 {
            let (alive, ready) = (await second.ask("/healthz"), await second.ask("/readyz"))
            #expect(alive.status == 200 && ready.status == 503, "\(alive) \(ready)")
        }
        isRefused.withLock { $0 = false }
        let ready = await eventually(within: 120) { await second.ask("/readyz").status == 200 }
        #expect(ready)
        #expect(await !second.leads)
        second.beginProbing()

        // The leader is killed while trials run.
        try await world.createJob("killed")
        try await world.wait("killed") { $0.status?.trials?.running == 2 }
        #expect(await first.end(SIGKILL) == .signal(SIGKILL))
        let secondLeads = await eventually(within: 120) { await second.leads }
        try #require(secondLeads)
        for pod in world.node.seen { try await world.node.play(pod, .success(1)) }
        try await world.waitForEnd("killed")
        #expect(world.node.seen.count == 2, "no trial ran twice")

        // The leader stops while trials run, and another one stands by.
        let third = try start("third", server: direct)
        let thirdReady = await eventually(within: 120) { await third.ask("/readyz").status == 200 }
        #expect(thirdReady)
        third.beginProbing()
        try await world.createJob("stopped")
        try await world.wait("stopped") { $0.status?.trials?.running == 2 }
        #expect(await !third.leads)
        let probed = await second.endProbing()
        #expect(probed.count > 10 && probed.failures == [], "\(probed)")
        #expect(await second.end(SIGTERM) == .code(0))
        let thirdLeads = await eventually(within: 120) { await third.leads }
        try #require(thirdLeads)
        for pod in world.node.seen where pod.key.name.contains("stopped") { try await world.node.play(pod, .success(1)) }
        try await world.waitForEnd("stopped")
        let isReady = await eventually(within: 120) { await third.ask("/readyz").status == 200 }
        #expect(isReady)
        let last = await third.endProbing()
        #expect(last.count > 10 && last.failures == [], "\(last)")
        try await world.expectRuns(4, jobs: 2)
        #expect(await third.end(SIGTERM) == .code(0))
    }
}
