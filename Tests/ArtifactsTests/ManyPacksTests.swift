import Artifacts
import Base
import Git
import Testing

@Suite struct ManyPacksTests {
    @Test("120 packs that arrive together are checked by few processes; the damaged one is named, the others are on the branch once")
    func atOnce() async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        let client = try bench.fakeGit("case \" $* \" in *\" index-pack --stdin\"*) echo x >> '\(bench.path)/checks';; esac")
        var settings = try bench.settings(remote)
        settings.pushInterval = 3600
        let ledger = try GitLedger(settings: settings, client: client, log: Log("test"))
        // Trials that do nothing have equal outputs.
        var packs: [PendingRun.Pack] = []
        for index in 0..<6 { packs.append(try await bench.pack(["logs/out.txt": Array("\(index)\n".utf8), "empty": []])) }
        let runs = try (0..<120).map { try PendingRun(run: bench.record($0), pack: packs[$0 % packs.count]) }
        var damaged = runs[50]
        damaged.pack?.bytes[20] ^= 0xFF
        var results: [Int: ArtifactError] = [:]
        try await withThrowingTaskGroup(of: (Int, ArtifactError?).self) { group in
            for (index, run) in runs.enumerated() {
                let run = index == 50 ? damaged : run
                group.addTask {
                    do throws(ArtifactError) { try await ledger.submit(run) } catch { return (index, error) }
                    return (index, nil)
                }
            }
            for try await (index, error) in group { results[index] = error }
        }
        #expect(results.keys.sorted() == [50] && results[50]?.kind == .damaged, "\(results)")
        let checks = String(decoding: FileReading.whole("\(bench.path)/checks") ?? [], as: UTF8.self).split(separator: "\n").count
        #expect(checks < 30, "\(checks) processes for 120 packs")
        try await ledger.flush()
        let pushed = runs.enumerated().filter { $0.offset != 50 }.map(\.element)
        try await bench.expectOnce(pushed, remote)
        try await bench.expectSound(remote)
        #expect(try await Set(bench.files(remote)).isSuperset(of: pushed.map { "\($0.id.path)/logs/out.txt" }))
        await ledger.stop()
    }

    @Test("a record whose outputs share a pack with others is pushed after them, although the pack could be removed")
    func later() async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        var settings = try bench.settings(remote)
        settings.pushInterval = 3600
        settings.batch = 3
        let ledger = try GitLedger(settings: settings, log: Log("test"))
        var runs: [PendingRun] = []
        for index in 0..<10 { runs.append(try PendingRun(run: bench.record(index), pack: try await bench.pack(["out": Array("\(index)\n".utf8)]))) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for run in runs { group.addTask { try await ledger.submit(run) } }
            try await group.waitForAll()
        }
        try await ledger.flush()
        try await bench.expectOnce(runs, remote)
        try await bench.expectSound(remote)
        await ledger.stop()
    }

    @Test("the number of confirmed names in memory is limited: older records are found on the branch and not pushed twice")
    func forgotten() async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        var settings = try bench.settings(remote)
        settings.confirmedNames = 2
        settings.retention.records = 1
        let ledger = try GitLedger(settings: settings, log: Log("test"))
        let runs = try bench.runs(0..<5)
        for run in runs {
            try await ledger.submit(run)
            try await ledger.flush()
        }
        for run in runs { #expect(await ledger.isConfirmed(run.name)) }
        for run in runs { try await ledger.submit(run) }
        try await ledger.flush()
        try await bench.expectOnce(runs, remote)
        #expect(await !ledger.isConfirmed(bench.record(99).runId.rawValue))
        await ledger.stop()
    }
}
