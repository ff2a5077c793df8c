import Artifacts
import Base
import EvalModel
import Git
import Glibc
import Testing

/// Another user replaces or removes the branch.
@Suite struct RewriteTests {
    @Test("catalogue 30: a force push that drops confirmed runs is noticed at the next push; they are pushed again")
    func forced() async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        let ledger = try bench.ledger(remote)
        let pack = try await bench.pack(["logs/out.txt": [1, 2, 3]])
        let runs = try (0..<9).map { try PendingRun(run: bench.record($0), pack: $0 % 2 == 0 ? pack : nil) }
        for run in runs[..<3] { try await ledger.submit(run) }
        try await ledger.flush()
        let kept = try await bench.git(remote, "rev-parse", Workbench.branch)
        for run in runs[3..<8] { try await ledger.submit(run) }
        try await ledger.flush()
        #expect(await ledger.state.rewrite == nil)
        // Another user reverts the last push, and the objects are removed, too.
        try await bench.git(remote, "update-ref", "refs/heads/\(Workbench.branch)", kept)
        try await bench.commit(["README.md": "mine\n"], to: Workbench.branch, of: remote)
        try await bench.git(remote, "gc", "--prune=now", "-q")
        try await ledger.submit(runs[8])
        try await ledger.flush()
        let rewrite = try #require(await ledger.state.rewrite)
        #expect(rewrite.restored == 5 && rewrite.gone == 0)
        try await bench.expectOnce(runs, remote)
        #expect(try await bench.files(remote).contains("README.md"))
        #expect(try await bench.git(remote, "cat-file", "-s", "\(Workbench.branch):\(runs[4].id.path)/logs/out.txt") == "3")
        try await bench.expectSound(remote)
    }

    @Test("catalogue 30: a branch that is replaced by another history while nothing is pushed is noticed, and the runs are pushed again")
    func replaced() async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        var settings = try bench.settings(remote)
        settings.lookInterval = 0.05
        let told = Locked(0)
        let ledger = try GitLedger(settings: settings, log: Log("test")) { _ in told.withLock { $0 += 1 } }
        let runs = try bench.runs(0..<4)
        for run in runs { try await ledger.submit(run) }
        try await ledger.flush()
        let before = told.withLock { $0 }
        try await bench.commit(["other": "history\n"], to: "stranger", of: remote)
        try await bench.git(remote, "update-ref", "refs/heads/\(Workbench.branch)", "stranger")
        try await eventually("the runs are there again") {
            let state = await ledger.state
            return state.rewrite?.restored == 4 && state.pending == 0
        }
        #expect(told.withLock { $0 } > before)
        await ledger.stop()
        try await bench.expectOnce(runs, remote)
        #expect(try await bench.files(remote).contains("other"))
        try await bench.expectSound(remote)
    }

    @Test("catalogue 30: a branch that is removed while nothing is pushed is pushed again with its runs")
    func removedWhileIdle() async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        var settings = try bench.settings(remote)
        settings.lookInterval = 0.05
        let ledger = try GitLedger(settings: settings, log: Log("test"))
        let runs = try bench.runs(0..<3)
        for run in runs { try await ledger.submit(run) }
        try await ledger.flush()
        try await bench.git(remote, "update-ref", "-d", "refs/heads/\(Workbench.branch)")
        try await eventually("the runs are there again") {
            let state = await ledger.state
            return state.rewrite?.restored == 3 && state.pending == 0
        }
        await ledger.stop()
        try await bench.expectOnce(runs, remote)
    }

    /// With the short interval, the first ledger often fetches the branch in the background when it stops.
    @Test(
        "catalogue 30: the next process notices it, too, because confirmed records are kept for a while", arguments: [300.0, 1.0])
    func nextProcess(lookInterval: Double) async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        let runs = try bench.runs(0..<3)
        var settings = try bench.settings(remote)
        settings.lookInterval = lookInterval
        let first = try GitLedger(settings: settings, time: HastyTime(), log: Log("test"))
        for run in runs { try await first.submit(run) }
        try await first.flush()
        await first.stop()
        try await bench.git(remote, "update-ref", "-d", "refs/heads/\(Workbench.branch)")
        let next = try bench.ledger(remote)
        #expect(await next.state.pending == 0)
        try await next.check()
        try await next.flush()
        try await eventually("the runs are there again") { await next.state.pending == 0 }
        try await bench.expectOnce(runs, remote)
    }

    /// A ledger that has pushed one record and is now fetching the branch in the background. `seconds`: how long that fetch takes.
    private func fetchingLedger(_ bench: Workbench, seconds: Int) async throws -> GitLedger {
        let client = try bench.fakeGit(
            "if [ -n \"$fetch\" ] && [ -e \(bench.path)/slow ]; then touch \(bench.path)/began; sleep \(seconds); touch \(bench.path)/ended; fi")
        var settings = try bench.settings(try await bench.emptyRemote())
        settings.lookInterval = 0.05
        let ledger = try GitLedger(settings: settings, client: client, log: Log("test"))
        try await ledger.submit(try bench.runs(0..<1)[0])
        try await ledger.flush()
        try FileWriting.replace("\(bench.path)/slow", with: [])
        try await eventually("the background fetch begins") { FileEntry.exists("\(bench.path)/began") }
        return ledger
    }

    @Test("a ledger that stops waits for its background fetch: the next ledger uses the same directory")
    func stopWaitsForFetch() async throws {
        let bench = try Workbench()
        let ledger = try await fetchingLedger(bench, seconds: 1)
        await ledger.stop()
        #expect(FileEntry.exists("\(bench.path)/ended"))
    }

    @Test("a background fetch that does not end is killed after the grace period", arguments: [0.0, 0.2])
    func stopKillsFetch(grace: Double) async throws {
        let bench = try Workbench()
        let ledger = try await fetchingLedger(bench, seconds: 600)
        let began = SystemTime().monotonic()
        await ledger.stop(grace: grace)
        #expect(SystemTime().monotonic() - began < 60)
        #expect(!FileEntry.exists("\(bench.path)/ended"))
    }

    @Test("catalogue 30: the branch is reset or removed after its tip was fetched: the same commits are pushed again", arguments: [true, false])
    func backAfterALook(isRemoved: Bool) async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        let runs = try bench.runs(0..<5)
        let first = try bench.ledger(remote)
        for run in runs[..<2] { try await first.submit(run) }
        try await first.flush()
        let early = try await bench.git(remote, "rev-parse", Workbench.branch)
        for run in runs[2...] { try await first.submit(run) }
        try await first.flush()
        let tip = try await bench.git(remote, "rev-parse", Workbench.branch)
        // The tip is fetched without its history, but this repository has the history.
        try await first.check()
        if isRemoved {
            try await bench.git(remote, "update-ref", "-d", "refs/heads/\(Workbench.branch)")
        } else {
            try await bench.git(remote, "update-ref", "refs/heads/\(Workbench.branch)", early)
        }
        try await bench.git(remote, "gc", "--prune=now", "-q")
        try await first.check()
        try await first.flush()
        #expect(await first.state.pending == 0)
        try await bench.expectOnce(runs, remote)
        #expect(try await bench.git(remote, "rev-parse", Workbench.branch) == tip || !isRemoved)
        try await bench.expectSound(remote)
        await first.stop()
    }

    @Test("a fetch that a push overtakes does not count as a rewrite")
    func overtaken() async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        let (hold, seen) = ("\(bench.path)/hold", "\(bench.path)/seen")
        let git = try bench.fakeGit(
            """
            if [ "$fetch" = 1 ] && [ -e \(hold) ]; then
              git "$@"; code=$?; touch \(seen); n=0
              while [ -e \(hold) ] && [ $n -lt 400 ]; do sleep 0.05; n=$((n+1)); done
              exit $code
            fi
            """)
        let ledger = try bench.ledger(remote, client: git)
        let runs = try bench.runs(0..<2)
        try await ledger.submit(runs[0])
        try await ledger.flush()
        try FileWriting.replace(hold, with: [], durable: false)
        let looking = Task { try await ledger.check() }
        try await eventually("the branch was looked at") { FileEntry.exists(seen) }
        try await ledger.submit(runs[1])
        try await ledger.flush()
        let head = await ledger.state.head
        unlink(hold)
        try await looking.value
        let state = await ledger.state
        #expect(state.rewrite == nil && state.pending == 0 && state.head == head)
        try await bench.expectOnce(runs, remote)
    }

    @Test("the number of kept confirmed records is bounded, and others are reported as lost")
    func bounded() async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        var settings = try bench.settings(remote)
        settings.retention = ConfirmedRetention(records: 4)
        let ledger = try GitLedger(settings: settings, time: HastyTime(), log: Log("test"))
        let runs = try bench.runs(0..<11)
        for run in runs[..<10] {
            try await ledger.submit(run)
            try await ledger.flush()
        }
        #expect(Directory.names(in: "\(bench.path)/ledger/pending-confirmed")?.count == 4)
        #expect(Directory.names(in: "\(bench.path)/ledger/pending")?.isEmpty == true)
        try await bench.git(remote, "update-ref", "-d", "refs/heads/\(Workbench.branch)")
        // Before the loss is noticed, the ledger's next push restores them all.
        try await ledger.check()
        try await ledger.submit(runs[10])
        try await ledger.flush()
        try await eventually("everything is pushed") { await ledger.state.pending == 0 }
        let rewrite = try #require(await ledger.state.rewrite)
        #expect(rewrite.restored == 4 && rewrite.gone == 6)
        try await bench.expectOnce(Array(runs[6...]), remote)
        // A record that is lost here can be submitted again by whoever still has it.
        try await ledger.submit(runs[0])
        try await ledger.flush()
        try await bench.expectOnce([runs[0]] + Array(runs[6...]), remote)
    }

    @Test("ordinary pushes of others do not count as a rewrite")
    func others() async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        let (a, b) = (try bench.ledger(remote, directory: "a", path: "x/y"), try bench.ledger(remote, directory: "b", path: "x/y"))
        let failed = bench.record(0, reward: nil)
        let runs = try [PendingRun(run: failed, slot: .retry(0))] + bench.runs(0..<12)
        for (index, run) in runs.enumerated() {
            let ledger = index % 2 == 0 ? a : b
            try await ledger.submit(run)
            try await ledger.flush()
        }
        for ledger in [a, b] {
            try await ledger.check()
            #expect(await ledger.state.rewrite == nil)
        }
        try await bench.expectOnce(runs, remote)
    }
}
