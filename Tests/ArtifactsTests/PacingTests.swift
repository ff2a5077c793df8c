import Artifacts
import AssayTesting
import Base
import Git
import Testing

/// When pushes happen: at regular intervals, and early at the end of a job, as often as hosts permit.
@Suite struct PacingTests {
    @Test("the first push is immediate, the next one regular; the end of a job pushes early, at most three times in six intervals")
    func turns() async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        var settings = try bench.settings(remote)
        settings.pushInterval = 3600
        let ledger = try GitLedger(settings: settings, log: Log("test"))
        let runs = try bench.runs(0..<6)

        try await ledger.submit(runs[0])
        try await eventually("the first is pushed") { await ledger.isConfirmed(runs[0].name) }
        for run in runs[1...3] {
            try await ledger.submit(run)
            #expect(await !ledger.isConfirmed(run.name))
            try await ledger.flush(job: run.job)
            #expect(await ledger.isConfirmed(run.name))
        }
        for run in runs[4...5] { try await ledger.submit(run) }
        try await ledger.flush(job: runs[4].job)
        #expect(await ledger.state.pending == 2, "these wait for the regular push")
        try await ledger.flush()
        #expect(await ledger.state.pending == 0)
        await ledger.stop()
    }

    @Test(
        "after a refused push a job's results are tried again early, at most once in ten seconds, and what waits beside them follows at the next turn"
    )
    func earlyAfterARefusal() async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        try bench.hook("pre-receive", of: remote, "echo x >> refused; exit 1")
        func refusals() -> Int { FileReading.text("\(remote)/refused")?.split(separator: "\n").count ?? 0 }
        let time = ManualTime()
        let settings = try bench.settings(remote)
        let ledger = try GitLedger(settings: settings, time: time, log: Log("test"))
        let (deleted, other) = (try bench.runs(0..<1, job: "deleted")[0], try bench.runs(0..<1, job: "other")[0])
        for run in [deleted, other] { try await ledger.submit(run) }
        try await eventually("the first push is refused") { await ledger.state.failure != nil }
        // A repaired remote is found by the next early push. The regular one would come after a minute.
        let first = refusals()
        try await ledger.flush(job: deleted.job)
        #expect(refusals() == first, "not within ten seconds of the refusal")
        time.advance(seconds: GitLedger.secondsAfterFailure)
        _ = try await artifactError { try await ledger.flush(job: deleted.job) }
        #expect(refusals() > first)
        bench.removeHook("pre-receive", of: remote)
        time.advance(seconds: GitLedger.secondsAfterFailure)
        try await ledger.flush(job: deleted.job)
        #expect(await ledger.isConfirmed(deleted.name))
        // They were in the same push, or come at the next regular turn: not after the minute that the refusal asked for.
        time.advance(seconds: settings.pushInterval)
        try await eventually("the other job's results follow") { await ledger.isConfirmed(other.name) }
        await ledger.stop()
    }

    @Test("a push reports its jobs; a failed one reports the jobs that wait, and the next success that they no longer do")
    func changes() async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        var settings = try bench.settings(remote)
        settings.pushInterval = 3600
        let told = Locked([Set<String>]())
        let ledger = try GitLedger(settings: settings, log: Log("test")) { jobs in told.withLock { $0.append(jobs) } }
        func next() -> [Set<String>] {
            told.withLock { told in
                defer { told = [] }
                return told
            }
        }

        try await ledger.submit(try bench.runs(0..<1, job: "first")[0])
        try await eventually("it is pushed") { await ledger.state.pending == 0 }
        try await eventually("that is told") { told.withLock { !$0.isEmpty } }
        #expect(next() == [["uid-first"]])

        for run in try bench.runs(0..<3, job: "second") + bench.runs(0..<2, job: "third") { try await ledger.submit(run) }
        try bench.hook("pre-receive", of: remote, "exit 1")
        _ = try await artifactError { try await ledger.flush() }
        #expect(next() == [["uid-second", "uid-third"]])
        bench.removeHook("pre-receive", of: remote)
        try await ledger.flush()
        let after = next()
        #expect(after.allSatisfy { $0.isSubset(of: ["uid-second", "uid-third"]) }, "the first job is not woken: \(after)")
        #expect(after.reduce(into: []) { $0.formUnion($1) } == ["uid-second", "uid-third"])
        await ledger.stop()
    }
}
