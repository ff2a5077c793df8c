import Artifacts
import AssayTesting
import Base
import EvalModel
import Foundation
import Git
import Glibc
import Testing

/// Remotes with limits that the pushed results exceed.
@Suite struct LimitsTests {
    private func noisy(_ bench: Workbench, _ index: Int, bytes: Int) async throws -> PendingRun {
        let noise = (0..<bytes).map { _ in UInt8.random(in: 0...255) }
        return try PendingRun(run: bench.record(index), pack: try await bench.pack(["logs/noise.bin": noise]))
    }

    @Test(
        "catalogue 32: a push larger than receive.maxInputSize goes in smaller ones; a record that is too large alone is told, and holds nobody back")
    func maxInputSize() async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        try await bench.git(remote, "config", "receive.maxInputSize", "60000")
        let time = FrozenTime(passing: 5)
        let ledger = try bench.ledger(remote, time: time)
        var runs: [PendingRun] = []
        for index in 0..<12 { runs.append(try await noisy(bench, index, bytes: 15_000)) }
        let large = [try await noisy(bench, 100, bytes: 90_000), try await noisy(bench, 101, bytes: 90_000)]
        for run in [large[0]] + runs + [large[1]] { try await ledger.submit(run) }
        try await eventually("the others are pushed") { await ledger.state.pending == 2 }
        try await eventually("the large ones were tried alone") { await ledger.state.failure?.message.contains("raise") == true }
        let failure = try #require(await ledger.state.failure)
        #expect(failure.kind == .tooLarge && failure.message.contains("raise the remote's limit"), "\(failure)")
        #expect(large.contains { failure.message.contains($0.id.rawValue) })
        try await bench.expectOnce(runs, remote)
        await ledger.stop()
        try await bench.git(remote, "config", "--unset", "receive.maxInputSize")
        let next = try bench.ledger(remote)
        try await next.flush()
        try await bench.expectOnce(runs + large, remote)
        try await bench.expectSound(remote)
    }

    @Test("catalogue 32: the limit of a web server has the same effect")
    func bodySize() async throws {
        let bench = try Workbench()
        let server = try await GitWebServer(directory: "\(bench.path)/web", root: bench.path, users: ["me": "right"])
        let remote = try await bench.emptyRemote()
        let url = try GitURL(parsing: server.url("small/remote.git"))
        let secret = ["username": Array("me".utf8), "password": Array("right".utf8), "caFile": server.authority]
        var settings = try bench.settings("/unused")
        settings.remote = .init(url, credentials: try .secret(secret, for: url, directory: "\(bench.path)/credentials"))
        let ledger = try GitLedger(settings: settings, time: FrozenTime(passing: 0), log: Log("test"))
        var runs: [PendingRun] = []
        for index in 0..<8 { runs.append(try await noisy(bench, index, bytes: 4000)) }
        let large = try await noisy(bench, 100, bytes: 40_000)
        for run in runs + [large] { try await ledger.submit(run) }
        let error = try await artifactError { try await ledger.flush() }
        #expect(error.kind == .tooLarge && error.message.contains(large.id.rawValue), "\(error)")
        #expect(await ledger.state.pending == 1)
        try await bench.expectOnce(runs, remote)
    }

    @Test("catalogue 33: the server's disk is full: the results are kept here and pushed when there is space")
    func serverDiskFull() async throws {
        let bench = try Workbench()
        let disk = "\(bench.path)/disk"
        try Directory.make(disk)
        try #require(mount("tmpfs", disk, "tmpfs", 0, "size=1m") == 0, "this test mounts a small file system, which needs root")
        defer { umount2(disk, Int32(MNT_DETACH)) }
        let remote = try await bench.emptyRemote("disk/remote.git")
        let ledger = try bench.ledger(remote, time: FrozenTime(passing: 0))
        let small = try await noisy(bench, 0, bytes: 1000)
        try await ledger.submit(small)
        try await ledger.flush()
        var runs: [PendingRun] = []
        for index in 1..<30 { runs.append(try await noisy(bench, index, bytes: 100_000)) }
        for run in runs { try await ledger.submit(run) }
        let error = try await artifactError { try await ledger.flush() }
        #expect(error.kind == .unreachable && error.message.contains("No space left on device"), "\(error)")
        #expect(await ledger.state.pending == runs.count)
        try await bench.expectOnce([small], remote)
        #expect(mount("tmpfs", disk, "tmpfs", UInt(MS_REMOUNT), "size=50m") == 0)
        try await ledger.flush()
        let state = await ledger.state
        #expect(state.pending == 0 && state.failure == nil)
        #expect(try await state.head?.hex == bench.git(remote, "rev-parse", Workbench.branch))
        try await bench.expectOnce([small] + runs, remote)
        try await bench.expectSound(remote)
    }

    @Test("catalogue 38: the lease is lost in the middle of a push: the same runs by the next leader are on the branch once")
    func stolenLease() async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        try await bench.commit(["a": "b"], to: Workbench.branch, of: remote)
        // The first push to arrive is held on the server until the second one has finished.
        try bench.hook(
            "pre-receive", of: remote,
            "mkdir \(bench.path)/held 2>/dev/null || exit 0; while [ ! -e \(bench.path)/go ]; do sleep 0.02; done")
        let runs = try bench.runs(0..<6)
        let old = try bench.ledger(remote, directory: "old-leader")
        for run in runs[..<4] { try await old.submit(run) }
        let pushing = Task { try await old.flush() }
        try await eventually("the push of the old leader is under way") { FileEntry.exists("\(bench.path)/held") }
        let new = try bench.ledger(remote, directory: "new-leader")
        for run in runs { try await new.submit(run) }
        try await new.flush()
        try FileWriting.replace("\(bench.path)/go", with: [])
        try await pushing.value
        #expect(await old.state.pending == 0)
        try await bench.expectOnce(runs, remote)
        try await bench.expectSound(remote)
    }
}
