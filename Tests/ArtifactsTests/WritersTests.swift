import Artifacts
import Base
import EvalModel
import Git
import Testing

/// Several writers at the same time, and many records.
@Suite struct WritersTests {
    @Test("eight writers with twenty runs each on one branch: every run once, a linear and sound history")
    func manyWriters() async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        let all = try (0..<8).map { try bench.runs(0..<20, job: "job-\($0)") }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (writer, runs) in all.enumerated() {
                group.addTask {
                    let ledger = try bench.ledger(remote, directory: "ledger-\(writer)")
                    for (index, run) in runs.enumerated() {
                        try await ledger.submit(run)
                        if index % 7 == 6 { try await ledger.flush() }
                    }
                    try await ledger.flush()
                    #expect(await ledger.state.pending == 0)
                }
            }
            try await group.waitForAll()
        }
        try await bench.expectOnce(all.flatMap { $0 }, remote)
        try await bench.expectSound(remote)
    }

    @Test("the same runs by four writers at the same time are recorded once")
    func sameRuns() async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        let runs = try bench.runs(0..<15)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<4 {
                group.addTask {
                    let ledger = try bench.ledger(remote, directory: "ledger-\(writer)")
                    for run in runs.shuffled() { try await ledger.submit(run) }
                    try await ledger.flush()
                }
            }
            try await group.waitForAll()
        }
        try await bench.expectOnce(runs, remote)
        try await bench.expectSound(remote)
    }

    @Test("many tasks submit to one ledger at once, with packs")
    func manyTasks() async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        let ledger = try bench.ledger(remote)
        let pack = try await bench.pack(["logs/a.txt": [1]])
        let runs = try (0..<40).map { try PendingRun(run: bench.record($0), pack: pack) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for run in runs { group.addTask { try await ledger.submit(run) } }
            try await group.waitForAll()
        }
        try await ledger.flush()
        try await bench.expectOnce(runs, remote)
    }

    @Test("two hundred runs with outputs in one batch")
    func batch() async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        var settings = try bench.settings(remote)
        settings.pushInterval = 10
        let ledger = try GitLedger(settings: settings)
        let packs = try await [
            bench.pack(["logs/agent/stdout.txt": Array(repeating: 65, count: 5000), "collected.json": [123, 125]]),
            bench.pack(["logs/agent/stdout.txt": Array(repeating: 66, count: 5000), "transcript.jsonl": [123, 125, 10]]),
        ]
        let runs = try (0..<200).map { try PendingRun(run: bench.record($0), pack: packs[$0 % 2]) }
        let time = SystemTime()
        let start = time.monotonic()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for run in runs { group.addTask { try await ledger.submit(run) } }
            try await group.waitForAll()
        }
        let kept = time.monotonic()
        try await ledger.flush()
        let end = time.monotonic()
        print("200 runs with outputs: kept and checked in \(Int((kept - start) * 1000)) ms, pushed in \(Int((end - kept) * 1000)) ms")
        try await bench.expectOnce(runs, remote)
        #expect(end - kept < 60)
    }
}
