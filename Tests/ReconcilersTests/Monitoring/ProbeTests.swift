import AssayTesting
import Base
import Foundation
import Glibc
import KubeCore
import Testing

/// What the probes answer when something hangs or is away, and whether restarts as the kubelet does them help.
@Suite("Probes")
struct ProbeTests {
    private static let bound = 5.0

    /// With an operator process behind a relay, ready.
    private func withProcess(
        fate: @escaping @Sendable (FakeNode.Pod) -> Fate = { _ in .success(1) }, state: String = "process",
        prepare: (World) throws -> Void = { _ in },
        _ body: (World, Breaker, Kubelet) async throws -> Void
    ) async throws {
        try await World.run(fate: fate) { world in
            try prepare(world)
            let breaker = try Breaker(to: world.port)
            let kubelet = try Kubelet(
                server: breaker.url, state: "\(world.path)/\(state)", cache: "\(world.path)/cache", bound: Self.bound,
                // What made the old process hang is over.
                onRestart: { breaker.hold(nil) })
            kubelet.begin()
            let result: Result<Void, any Error>
            do {
                let ready = await eventually { kubelet.seen.ready.status == 200 && kubelet.seen.alive.status == 200 }
                try #require(ready, "\(kubelet.seen)")
                result = .success(try await body(world, breaker, kubelet))
            } catch {
                result = .failure(error)
            }
            await kubelet.stop()
            breaker.stop()
            try result.get()
        }
    }

    @Test("a watch that gets no answer while other requests succeed: not alive, with its name; the restarted operator goes on")
    func deadWatch() async throws {
        try await withProcess { world, breaker, kubelet in
            breaker.hold { $0.method == "GET" && $0.path.contains("/pods") }
            let restarted = await eventually(within: 120) { kubelet.seen.restarts == 1 && kubelet.seen.ready.status == 200 }
            try #require(restarted, "\(kubelet.seen)")
            #expect(kubelet.seen.reasons.allSatisfy { $0.hasPrefix("watch of pods: no progress for ") }, "\(kubelet.seen.reasons)")
            try await world.createJob()
            try await world.waitForEnd()
            try await world.expectRuns(2)
            #expect(kubelet.seen.restarts == 1)
        }
    }

    @Test("a reconcile that does not return: not alive, with its object; the restarted operator ends the job")
    func stuckWorker() async throws {
        try await withProcess { world, breaker, kubelet in
            breaker.hold { $0.method != "GET" && $0.path.contains("/evaljobs/") }
            try await world.createJob()
            let restarted = await eventually(within: 120) { kubelet.seen.restarts == 1 }
            try #require(restarted, "\(kubelet.seen)")
            #expect(kubelet.seen.reasons.allSatisfy { $0.hasPrefix("reconcile of evaljob default/job: no progress for ") }, "\(kubelet.seen.reasons)")
            try await world.waitForEnd()
            try await world.expectRuns(2)
            #expect(kubelet.seen.restarts == 1)
        }
    }

    @Test("the API server is away: alive, because a restart does not help, and not ready, with the reason; ready again when it is back")
    func serverDown() async throws {
        try await withProcess { world, breaker, kubelet in
            breaker.kill()
            // Longer than the bound of a watch: ten probes in a second.
            let unready = await eventually(within: 120) { kubelet.seen.aliveWhileUnready > Int(Self.bound * 20) }
            #expect(unready, "\(kubelet.seen)")
            let answer = kubelet.seen.ready
            #expect(answer.status == 503 && answer.text.contains("evaljobs.assay.dev: ") && answer.text.contains("pods: "), "\(answer)")
            breaker.revive()
            let ready = await eventually(within: 120) { kubelet.seen.ready.status == 200 }
            #expect(ready, "\(kubelet.seen)")
            try await world.createJob()
            try await world.waitForEnd()
            try await world.expectRuns(2)
            #expect(kubelet.seen.restarts == 0, "\(kubelet.seen)")
        }
    }

    @Test("the disk is full: alive and ready, because a restart does not help; nothing is counted, and the job ends when there is room")
    func fullDisk() async throws {
        let mounted = Locked<String?>(nil)
        defer { if let disk = mounted.withLock({ $0 }) { umount2(disk, Int32(MNT_DETACH)) } }
        func mountDisk(in world: World) throws {
            let disk = "\(world.path)/disk"
            try Directory.make(disk)
            try #require(mount("tmpfs", disk, "tmpfs", 0, "size=16m") == 0, "this test mounts a small file system, which needs root")
            mounted.withLock { $0 = disk }
        }
        try await withProcess(state: "disk/state", prepare: mountDisk) { world, _, kubelet in
            let disk = "\(world.path)/disk"
            // Before the world's directory is removed.
            defer { umount2(disk, Int32(MNT_DETACH)) }
            fill("\(disk)/filler")
            try await world.createJob()
            let before = kubelet.seen.aliveCount
            let probed = await eventually(within: 120) { kubelet.seen.aliveCount > before + Int(Self.bound * 20) }
            #expect(probed && kubelet.seen.alive.status == 200 && kubelet.seen.ready.status == 200, "\(kubelet.seen)")
            #expect(try await world.job()?.status?.isOver != true)
            unlink("\(disk)/filler")
            try await world.waitForEnd()
            try await world.expectRuns(2)
            #expect(kubelet.seen.restarts == 0, "\(kubelet.seen)")
        }
    }

    /// Writes to a file until its file system has no more room.
    private func fill(_ path: String) {
        let file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        defer { close(file) }
        let zeros = [UInt8](repeating: 0, count: 4096)
        while write(file, zeros, zeros.count) > 0 {}
    }
}
