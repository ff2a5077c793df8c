import Artifacts
import Base
import Git
import Testing

/// When pushes go: at their turns, and out of turn for the end of a job, as often as hosts bear.
@Suite struct PacingTests {
    @Test("the first push goes at once, the next waits for its turn; the end of a job does not, three times in six turns")
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
            try await ledger.hasten(job: run.job)
            #expect(await ledger.isConfirmed(run.name))
        }
        for run in runs[4...5] { try await ledger.submit(run) }
        try await ledger.hasten(job: runs[4].job)
        #expect(await ledger.state.pending == 2, "those wait for their turn")
        try await ledger.flush()
        #expect(await ledger.state.pending == 0)
        await ledger.stop()
    }
}
