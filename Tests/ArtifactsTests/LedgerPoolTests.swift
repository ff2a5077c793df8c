import Artifacts
import Base
import Foundation
import Git
import Testing

@Suite("The pool of ledgers")
struct LedgerPoolTests {
    /// A clock that the test sets.
    private final class SetTime: TimeSource {
        let moment = Locked(0.0)
        func now() -> Timestamp { Timestamp(seconds: 0) }
        func monotonic() -> Double { moment.withLock { $0 } }
        func sleep(seconds: Double) async throws { try await SystemTime().sleep(seconds: min(seconds, 0.05)) }
    }

    @Test("a ledger without a job is closed after a day, a used one never; then a new one is opened")
    func closedWhenUnused() async throws {
        let path = "\(NSTemporaryDirectory())/assay-pool-\(UUID().uuidString)"
        try Directory.make(path)
        defer { Directory.removeTree(path) }
        let time = SetTime()
        let pool = LedgerPool(
            directory: path, committer: try .init(name: "assay", email: "assay@localhost"), pushInterval: 10, time: time, onChange: { _ in })
        let remote = GitClient.Remote(try GitURL(parsing: "file://\(path)/nowhere.git", allowing: .local))
        func open(_ branch: String) async throws -> LedgerPool.Lease {
            try await pool.lease(remote, branch: try GitBranch(parsing: branch), path: .root, secret: nil)
        }
        let kept = try await open("kept")
        var passing: LedgerPool.Lease? = try await open("passing")
        let first = passing.map { ObjectIdentifier($0.ledger) }
        #expect(try await ObjectIdentifier(open("passing").ledger) == first, "the same one for all")
        passing = nil
        _ = try await open("kept")
        time.moment.withLock { $0 = 80000 }
        _ = try await open("kept")
        #expect(await pool.count == 2, "not yet")
        time.moment.withLock { $0 = 90000 }
        _ = try await open("kept")
        #expect(await pool.count == 1)
        _ = try await open("passing")
        #expect(await pool.count == 2)
        #expect(try await ObjectIdentifier(open("kept").ledger) == ObjectIdentifier(kept.ledger))
        withExtendedLifetime(kept) {}
        await pool.stop()
    }
}
