import Artifacts
import Base
import EvalModel
import Foundation
import Git
import Glibc
import Subprocess
import Testing

/// Failures of the remote, the connection and this machine.
@Suite struct FaultTests {
    private static let submitted = 5

    @Test("catalogue 27: the server accepted the push and the acknowledgement was lost: no duplicate and no second push")
    func lostAcknowledgement() async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        let client = try bench.fakeGit(
            """
            if [ -n "$push" ]; then
              echo x >> \(bench.path)/pushes
              git "$@" > /dev/null 2>&1
              echo 'fatal: the remote end hung up unexpectedly' >&2; exit 128
            fi
            """)
        let ledger = try bench.ledger(remote, client: client)
        let runs = try bench.runs(0..<Self.submitted)
        for run in runs { try await ledger.submit(run) }
        try await ledger.flush()
        #expect(await ledger.state.pending == 0)
        #expect(FileReading.whole("\(bench.path)/pushes")?.count ?? 0 <= 2 * Self.submitted)
        try await bench.expectOnce(runs, remote)
    }

    @Test("catalogue 27: the acknowledgement was lost and the remote became unreachable: nothing is pushed twice")
    func lostAcknowledgementAndRemote() async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        let client = try bench.fakeGit(
            """
            if [ -n "$push$look" ]; then
              [ -n "$push" ] && git "$@" > /dev/null 2>&1
              echo 'fatal: unable to access: Could not resolve host: git.example.com' >&2; exit 128
            fi
            """)
        let runs = try bench.runs(0..<Self.submitted)
        // The time stands still, so only flush pushes.
        let ledger = try bench.ledger(remote, client: client, time: FrozenTime(passing: 0))
        try await bench.commit(["a": "b"], to: Workbench.branch, of: remote)
        for run in runs { try await ledger.submit(run) }
        let error = try await artifactError { try await ledger.flush() }
        #expect(error.kind == .unreachable)
        #expect(await ledger.state.failure == error)
        await ledger.stop(grace: 0)
        // In the meantime another writer commits on top.
        let other = try bench.ledger(remote, directory: "other")
        let more = try bench.runs(50..<52)
        for run in more { try await other.submit(run) }
        try await other.flush()
        let next = try bench.ledger(remote)
        #expect(await next.state.pending == Self.submitted)
        try await next.flush()
        try await bench.expectOnce(runs + more, remote)
        try await bench.expectSound(remote)
    }

    @Test("catalogue 28: killed in the middle of a push: the next ledger in the directory continues, the server is sound")
    func killed() async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        try bench.hook("pre-receive", of: remote, "touch \(bench.path)/receiving; sleep 60")
        let runs = try bench.runs(0..<Self.submitted)
        let ledger = try bench.ledger(remote)
        for run in runs { try await ledger.submit(run) }
        try await eventually("the push") { FileEntry.exists("\(bench.path)/receiving") }
        await ledger.stop(grace: 0)
        #expect(await ledger.state.pending == Self.submitted)
        bench.removeHook("pre-receive", of: remote)
        let next = try bench.ledger(remote)
        #expect(await next.state.pending == Self.submitted)
        await next.resume()
        try await eventually("what was left is pushed") { await next.state.pending == 0 }
        try await bench.expectOnce(runs, remote)
        try await bench.expectSound(remote)
    }

    @Test("catalogue 29: a stale lock on the server's ref is reported after a bounded number of pushes, and the results wait")
    func staleLock() async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        try await bench.commit(["a": "b"], to: Workbench.branch, of: remote)
        let lock = "\(remote)/refs/heads/\(Workbench.branch).lock"
        try FileWriting.replace(lock, with: [])
        let client = try bench.fakeGit("[ -n \"$push\" ] && printf x >> \(bench.path)/pushes")
        let ledger = try bench.ledger(remote, client: client)
        let runs = try bench.runs(0..<2)
        try await ledger.submit(runs[0])
        let error = try await artifactError { try await ledger.flush() }
        #expect(error.kind == .unreachable && error.message.contains("\(Workbench.branch).lock"))
        await ledger.stop()
        #expect((FileReading.whole("\(bench.path)/pushes")?.count ?? 0) <= 30)
        unlink(lock)
        try await ledger.submit(runs[1])
        try await ledger.flush()
        try await bench.expectOnce(runs, remote)
    }

    @Test("catalogue 31: a rejection by a hook ends the attempt after one push; the next follows after a minute, the results are kept")
    func rejected() async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        try bench.hook("pre-receive", of: remote, "printf x >> \(bench.path)/pushes; echo 'quota is used up, ask ops' >&2; exit 1")
        let time = FrozenTime(passing: 5)
        let ledger = try bench.ledger(remote, time: time)
        let runs = try bench.runs(0..<Self.submitted)
        for run in runs { try await ledger.submit(run) }
        try await eventually("the pump waits") { !time.sleeps.isEmpty }
        let before = FileReading.whole("\(bench.path)/pushes")?.count
        #expect(before == 1)
        #expect(time.sleeps.allSatisfy { (30...60).contains($0) })
        let failure = try #require(await ledger.state.failure)
        #expect(failure.kind == .refused && failure.message.contains("quota is used up, ask ops"))
        #expect(await ledger.state.pending == Self.submitted)
        await ledger.stop()
        bench.removeHook("pre-receive", of: remote)
        let next = try bench.ledger(remote)
        try await next.flush()
        try await bench.expectOnce(runs, remote)
    }

    @Test("catalogue 31: a record that the remote refuses does not block the others")
    func oneRejected() async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        let bad = try PendingRun(run: bench.record(3), pack: try await bench.pack(["logs/poison.txt": Array("secret".utf8)]))
        try bench.hook(
            "pre-receive", of: remote,
            "while read old new ref; do git ls-tree -r --name-only $new | grep -q poison && { echo 'no secrets' >&2; exit 1; }; done; exit 0")
        let ledger = try bench.ledger(remote)
        let good = try bench.runs(0..<3) + bench.runs(4..<12)
        for run in good + [bad] { try await ledger.submit(run) }
        try await eventually("the others are pushed") { await ledger.state.pending == 1 }
        await ledger.stop()
        #expect(await !ledger.isConfirmed(bad.name))
        try await bench.expectOnce(good, remote)
    }

    @Test("an unreachable remote blocks nothing: the results are kept, and a new ledger pushes them later")
    func away() async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        let runs = try bench.runs(0..<Self.submitted)
        let dead = GitClient.Remote(try GitURL(parsing: "http://127.0.0.1:1/results.git", allowing: .loopbackHTTP))
        var settings = try bench.settings(remote)
        settings.remote = dead
        let ledger = try GitLedger(settings: settings, time: HastyTime())
        #expect(try await artifactError { try await ledger.check() }.kind == .unreachable)
        for run in runs { try await ledger.submit(run) }
        #expect(try await artifactError { try await ledger.flush() }.kind == .unreachable)
        #expect(try await ledger.record(of: runs[0].id)?.runId == runs[0].id)
        await ledger.stop(grace: 0)

        settings.remote = try bench.settings(remote).remote
        rename(remote, remote + ".away")
        let second = try GitLedger(settings: settings, time: HastyTime())
        #expect(await second.state.pending == Self.submitted)
        _ = try await artifactError { try await second.flush() }
        rename(remote + ".away", remote)
        try await second.flush()
        try await bench.expectOnce(runs, remote)
    }

    @Test("catalogue 34: gc of the remote and of the ledger's own repository while it pushes: no object is missing")
    func collected() async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        let ledger = try bench.ledger(remote)
        let repository = "\(bench.path)/ledger/repository"
        var all: [PendingRun] = []
        for round in 0..<4 {
            let indexes = (round * 5)..<(round * 5 + 5)
            for index in indexes {
                let run = try PendingRun(run: bench.record(index), pack: try await bench.pack(["logs/out.txt": Array("run \(index)".utf8)]))
                try await ledger.submit(run)
                all.append(run)
            }
            let collecting = Task {
                // gc may fail because of the race; the ledger must not. Here unreferenced objects are removed at once. On a server that could break a
                // branch under any writer (git-gc(1), "Notes").
                for (directory, options) in [(remote, ["--prune=2.weeks.ago"]), (repository, ["--prune=now"])] {
                    _ = try? await Command(
                        "git", ["-C", directory, "gc", "-q"] + options, environment: .inheriting(adding: ["GIT_CONFIG_GLOBAL": "/dev/null"])
                    ).run()
                }
            }
            try await ledger.flush()
            await collecting.value
        }
        // Another user deletes the branch and its objects between two pushes.
        let last = try PendingRun(run: bench.record(99), pack: try await bench.pack(["logs/out.txt": [9]]))
        try await ledger.submit(last)
        Directory.removeTree("\(repository)/objects")
        try await ledger.flush()
        try await bench.expectOnce(all + [last], remote)
        try await bench.expectSound(remote)
        for run in all { #expect(try await bench.git(remote, "show", "\(Workbench.branch):\(run.id.path)/logs/out.txt").hasPrefix("run ")) }
    }

    /// A ledger that pushes once by itself and later only on request, because its waits never end.
    private func quiet(_ bench: Workbench, _ remote: String) throws -> GitLedger {
        var settings = try bench.settings(remote)
        settings.pushInterval = 10
        return try GitLedger(settings: settings, time: FrozenTime(passing: 5), log: Log("test"))
    }

    @Test("catalogue 34: a remote that lost the branch's tip: the results wait, the error says where to look, nothing is forced")
    func remoteLostItsTip() async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        let ledger = try quiet(bench, remote)
        let runs = try bench.runs(0..<6)
        for run in runs.prefix(3) { try await ledger.submit(run) }
        try await ledger.flush()
        Directory.removeTree("\(bench.path)/ledger/repository")
        rename("\(remote)/objects", "\(remote)/objects.away")
        try Directory.make("\(remote)/objects/pack")
        for run in runs.dropFirst(3) { try await ledger.submit(run) }
        let error = try await artifactError { try await ledger.flush() }
        #expect(error.kind == .unreachable)
        #expect(error.message.contains("its repository is damaged (run git fsck there"), "\(error)")
        #expect(await ledger.state.pending == 3)

        Directory.removeTree("\(remote)/objects")
        rename("\(remote)/objects.away", "\(remote)/objects")
        try await ledger.flush()
        try await bench.expectOnce(runs, remote)
        try await bench.expectSound(remote)
    }

    @Test("catalogue 34: several calls at once find the ledger's repository damaged: it is recreated once for all of them")
    func damagedUnderSeveralCalls() async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        let ledger = try quiet(bench, remote)
        let repository = "\(bench.path)/ledger/repository"
        var all = try bench.runs(0..<1)
        try await ledger.submit(all[0])
        try await ledger.flush()
        for round in 0..<6 {
            let runs = try bench.runs((round * 4 + 1)..<(round * 4 + 5))
            for run in runs { try await ledger.submit(run) }
            all += runs
            Directory.removeTree(repository + ["/objects", "/HEAD", ""][round % 3])
            try await withThrowingTaskGroup { group in
                group.addTask { try await ledger.flush() }
                for run in runs.prefix(2) {
                    group.addTask { try await ledger.check() }
                    group.addTask {
                        let found = try await ledger.record(of: run.id)
                        #expect(found?.runId == run.id)
                    }
                }
                try await group.waitForAll()
            }
        }
        try await bench.expectOnce(all, remote)
        try await bench.expectSound(remote)
    }

    @Test("catalogue 40: this machine's disk is full: accepted records are kept, and others get an error")
    func diskFull() async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        let disk = "\(bench.path)/small"
        try Directory.make(disk)
        // A small file system if mounting is permitted; otherwise a full directory, in which no file can be created.
        let mounted = mount("tmpfs", disk, "tmpfs", 0, "size=2m") == 0
        defer { if mounted { umount2(disk, Int32(MNT_DETACH)) } }
        var settings = try bench.settings(remote)
        settings.directory = "\(disk)/ledger"
        settings.pushInterval = 3600
        let ledger = try GitLedger(settings: settings, time: FrozenTime(passing: 0))
        var acknowledged: [PendingRun] = []
        var refusal: ArtifactError?
        for index in 0..<100 where refusal == nil {
            if !mounted, index == 5 {
                chmod("\(settings.directory)/pending", 0o500)
                if geteuid() == 0 { Directory.removeTree("\(settings.directory)/pending") }
            }
            let noise = (0..<100_000).map { _ in UInt8.random(in: 0...255) }
            let run = try PendingRun(run: bench.record(index), pack: try await bench.pack(["logs/noise.bin": noise]))
            do throws(ArtifactError) {
                try await ledger.submit(run)
                acknowledged.append(run)
            } catch {
                refusal = error
            }
        }
        #expect(refusal?.kind == .storage, "\(refusal?.message ?? "never full")")
        #expect(!acknowledged.isEmpty)
        await ledger.stop(grace: 0)
        guard mounted else { return }
        // The records are moved to a larger disk, as a person would do it.
        try Directory.make("\(bench.path)/large/pending")
        for name in Directory.names(in: "\(settings.directory)/pending") ?? [] {
            try FileWriting.replace(
                "\(bench.path)/large/pending/\(name)", with: try #require(FileReading.whole("\(settings.directory)/pending/\(name)")))
        }
        let next = try bench.ledger(remote, directory: "large")
        try await next.flush()
        try await bench.expectOnce(acknowledged, remote)
        try await bench.expectSound(remote)
    }

    @Test("an incomplete or damaged record is put aside and never counts as pushed; submitted again it is pushed")
    func damagedRecord() async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        let time = FrozenTime(passing: 0)
        let runs = try bench.runs(0..<6)
        let first = try bench.ledger(remote, time: time)
        // Nothing is pushed before the damage is done, because the pump sleeps.
        try bench.hook("pre-receive", of: remote, "exit 1")
        for run in runs { try await first.submit(run) }
        await first.stop(grace: 0)
        bench.removeHook("pre-receive", of: remote)
        let store = "\(bench.path)/ledger/pending"
        func file(_ index: Int) -> String { "\(store)/\(runs[index].name).run" }
        let whole = try #require(FileReading.whole(file(0)))
        try FileWriting.replace(file(0), with: whole.dropLast(10))
        try FileWriting.replace(file(1), with: [])
        try FileWriting.replace(file(2), with: Array("assay-run 2 rubbish\n".utf8) + whole.dropFirst(20))
        // Its head is valid; the digest shows the damage.
        let other = try #require(FileReading.whole(file(3)))
        try FileWriting.replace(file(3), with: other.map { $0 == UInt8(ascii: "t") ? UInt8(ascii: "T") : $0 })
        try FileWriting.replace("\(store)/\(runs[4].name).run.tmp-1-1", with: whole.prefix(20))
        let next = try bench.ledger(remote)
        try await next.flush()
        try await bench.expectOnce(Array(runs[4...]), remote)
        for index in 0..<4 {
            #expect(await !next.isConfirmed(runs[index].name))
            #expect(FileEntry.exists(file(index) + ".damaged"))
            try await next.submit(runs[index])
        }
        try await next.flush()
        try await bench.expectOnce(runs, remote)
    }

    @Test("waiting records are pushed in the order of their arrival, also by the next process")
    func oldestFirst() async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        let runs = try [5, 0, 3, 1, 4, 2].map { try bench.runs($0..<($0 + 1))[0] }
        let first = try bench.ledger(remote, time: FrozenTime(passing: 0))
        for run in runs { try await first.submit(run) }
        await first.stop(grace: 0)
        var settings = try bench.settings(remote)
        settings.batch = 1
        let next = try GitLedger(settings: settings, time: FrozenTime(passing: 0), log: Log("test"))
        try await next.flush()
        #expect(try await bench.subjects(remote) == runs.map { $0.message.split(separator: "\n").first.map(String.init) ?? "" })
    }

    @Test("waiting retries survive a restart")
    func pendingRetries() async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        try bench.hook("pre-receive", of: remote, "exit 1")
        let pack = try await bench.pack(["logs/a.txt": [1, 2, 3]])
        let waiting = try [
            PendingRun(run: bench.record(0, reward: nil), slot: .retry(0), pack: pack), PendingRun(run: bench.record(0), pack: pack),
        ]
        let first = try bench.ledger(remote)
        for run in waiting { try await first.submit(run) }
        await first.stop(grace: 0)
        bench.removeHook("pre-receive", of: remote)
        let next = try bench.ledger(remote)
        #expect(await next.state.pending == 2)
        try await next.flush()
        try await bench.expectOnce(waiting, remote)
        #expect(try await bench.git(remote, "cat-file", "-s", "\(Workbench.branch):\(waiting[0].id.path)/retries/0/logs/a.txt") == "3")
    }
}
