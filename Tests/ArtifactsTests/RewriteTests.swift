import Artifacts
import Base
import EvalModel
import Git
import Glibc
import Testing

/// Somebody replaces or removes the branch under the ledger.
@Suite struct RewriteTests {
    @Test("catalogue 30: a push by force that drops confirmed runs is noticed with the next push; they are pushed again")
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
        // A stranger takes the last push back, and the objects are gone, too.
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

    @Test("catalogue 30: a branch that is replaced by another history while nothing is pushed is looked at, and the runs come back")
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

    @Test("catalogue 30: a branch that is removed while nothing is pushed comes back with its runs")
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

    @Test("catalogue 30: noticed by the next process, too: what was confirmed is kept for a while")
    func nextProcess() async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        let runs = try bench.runs(0..<3)
        let first = try bench.ledger(remote)
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

    @Test("catalogue 30: the branch goes back, or away, after its tip was looked at: the same commits are pushed again", arguments: [true, false])
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
        // The tip is fetched without its history, which is here all the same.
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

    @Test("a look at the branch that a push overtakes finds nothing rewritten")
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

    @Test("what is kept of confirmed records is bounded, and what is not kept is told as gone")
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
        // While nobody has looked the ledger's next push brings them all back.
        try await ledger.check()
        try await ledger.submit(runs[10])
        try await ledger.flush()
        try await eventually("everything is pushed") { await ledger.state.pending == 0 }
        let rewrite = try #require(await ledger.state.rewrite)
        #expect(rewrite.restored == 4 && rewrite.gone == 6)
        try await bench.expectOnce(Array(runs[6...]), remote)
        // What is gone here may be submitted again by whoever still has it.
        try await ledger.submit(runs[0])
        try await ledger.flush()
        try await bench.expectOnce([runs[0]] + Array(runs[6...]), remote)
    }

    @Test("others who push to the branch, never by force, take nothing for a rewrite")
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
