import Artifacts
import Base
import EvalModel
import Git
import Testing

/// Which branch is written, and the content of its commits.
@Suite struct BranchTests {
    @Test("a branch that does not exist becomes an orphan with one commit for each run")
    func orphan() async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        try await bench.commit(["README.md": "code"], to: "main", of: remote)
        let ledger = try bench.ledger(remote)
        try await ledger.check()
        let runs = try bench.runs(0..<3)
        for run in runs { try await ledger.submit(run) }
        try await ledger.flush()
        try await bench.expectOnce(runs, remote)
        try await bench.expectSound(remote)
        let id = runs[0].id.rawValue
        let files = try await bench.files(remote)
        #expect(
            files.count == 6 && files.contains("\(id.prefix(2))/\(id.dropFirst(2))/metadata.json")
                && files.contains("\(id.prefix(2))/\(id.dropFirst(2))/summary.json"))
        let state = await ledger.state
        #expect(state.pending == 0 && state.failure == nil)
        let tip = try await bench.git(remote, "rev-parse", Workbench.branch)
        #expect(state.head?.hex == tip)
        #expect(await ledger.isConfirmed(runs[2].name))
        #expect(try await ledger.record(of: runs[1].id)?.task == "task-1")
        #expect(try await ledger.record(of: try #require(RunID("0123456789abcdef"))) == nil)
        #expect(try await bench.subjects(remote, "main") == ["by hand"])
    }

    @Test("the message has a subject and trailers that git understands; the date is the run's")
    func trailers() async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        let ledger = try bench.ledger(remote)
        let record = bench.record(7, job: "nightly\nAssay-Reward: 9", model: "m-1")
        try await ledger.submit(PendingRun(run: record))
        try await ledger.flush()
        let log = try await bench.git(
            remote, "log", "-1",
            "--format=%s|%cn <%ce>|%an|%ct|%(trailers:key=Assay-Task,valueonly,separator=)|%(trailers:key=Assay-Reward,valueonly,separator=%x2C)|%(trailers:key=Assay-Model,valueonly,separator=)|%(trailers:key=Assay-Eval,valueonly,separator=)|%(trailers:key=Source-Commit,valueonly,separator=)|%(trailers:key=Assay-Outcome,valueonly,separator=)",
            Workbench.branch)
        #expect(
            log
                == "Run: \(record.runId)|assay <assay@localhost>|assay|\(record.timestamp.seconds)|task-7|1.0|m-1|basic|\(record.sourceCommit)|completed"
        )
    }

    @Test("the default branch is never created", arguments: [Workbench.branch, "main"])
    func defaultBranchOfEmptyRemote(branch: String) async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote(head: branch)
        let ledger = try bench.ledger(remote, branch: branch)
        let error = try await artifactError { try await ledger.check() }
        #expect(error.kind == .branchIsDefault && error.message.contains("default branch"))
        try await ledger.submit(try bench.runs(0..<1)[0])
        #expect(try await artifactError { try await ledger.flush() }.kind == .branchIsDefault)
        #expect(try await bench.git(remote, "for-each-ref").isEmpty)
        #expect(await ledger.state.pending == 1)
    }

    @Test("the default branch is never created, also if HEAD names a missing branch and other branches exist")
    func defaultBranchDangling() async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote(head: "trunk")
        try await bench.commit(["a": "b"], to: "other", of: remote)
        let ledger = try bench.ledger(remote, branch: "trunk")
        #expect(try await artifactError { try await ledger.check() }.kind == .branchIsDefault)
    }

    @Test("an existing branch is used, also the default branch; files of others stay", arguments: ["", ".assay/runs", "a b/\"q\"/ü"])
    func existing(prefix: String) async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        try await bench.commit(["README.md": "by people", "src/x.txt": "x"], to: "main", of: remote)
        let ledger = try bench.ledger(remote, branch: "main", path: prefix)
        try await ledger.check()
        let first = try bench.runs(0..<2)
        for run in first { try await ledger.submit(run) }
        try await ledger.flush()
        // A person commits between two pushes.
        try await bench.commit(["README.md": "by people, again"], to: "main", of: remote)
        let second = try bench.runs(2..<4)
        for run in second { try await ledger.submit(run) }
        try await ledger.flush()
        try await bench.expectOnce(first + second, remote, "main")
        try await bench.expectSound(remote, "main")
        #expect(try await bench.git(remote, "show", "main:README.md") == "by people, again")
        #expect(try await bench.git(remote, "show", "main:src/x.txt") == "x")
        let folder = prefix.isEmpty ? "" : prefix + "/"
        for run in first + second {
            let text = try await bench.git(remote, "show", "main:\(folder)\(run.id.path)/metadata.json")
            #expect(try JSONValue(parsing: text)["runId"]?.string == run.id.rawValue)
        }
    }

    @Test("a file or link where a folder of results belongs is not replaced: refused before a job begins and at the push")
    func obstacles() async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        let run = try bench.runs(0..<1)[0]
        let shard = String(run.id.rawValue.prefix(2))
        try await bench.commit(
            ["README": "by people", "a/b": "a file", "free/\(shard)": "a file", "deep/\(run.id.path)": "a file"], to: Workbench.branch, of: remote)
        let tip = try await bench.git(remote, "rev-parse", Workbench.branch)
        for prefix in ["README", "README/x", "a/b/c"] {
            let error = try await artifactError { try await bench.ledger(remote, directory: "l-\(prefix.count)", path: prefix).check() }
            #expect(error.kind == .invalid && error.message.contains("has a file \"\(prefix.hasPrefix("a") ? "a/b" : "README")\" where"), "\(error)")
        }
        for prefix in ["free", "deep"] {
            let ledger = try bench.ledger(remote, directory: "l-\(prefix)", path: prefix, time: FrozenTime(passing: 0))
            try await ledger.check()
            try await ledger.submit(run)
            let error = try await artifactError { try await ledger.flush() }
            #expect(error.kind == .invalid && error.message.contains("\"\(prefix)/\(shard)"), "\(error)")
            #expect(await ledger.state.pending == 1)
        }
        #expect(try await bench.git(remote, "rev-parse", Workbench.branch) == tip, "nothing was written")
    }

    @Test(
        "an existing branch whose name conflicts with ours (above or below it) is reported before a job begins",
        arguments: ["assay", "assay/runs/v1/x"])
    func namesInTheWay(other: String) async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        try await bench.commit(["x": "x"], to: other, of: remote)
        let error = try await artifactError { try await bench.ledger(remote).check() }
        #expect(error.kind == .invalid && error.message.contains("has a branch \"\(other)\""), "\(error)")
    }

    @Test("writing a run twice changes nothing: by the same ledger, by the next one, and by one in another directory")
    func twice() async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        let runs = try bench.runs(0..<5)
        let ledger = try bench.ledger(remote)
        for run in runs + runs { try await ledger.submit(run) }
        try await ledger.flush()
        let head = try await bench.git(remote, "rev-parse", Workbench.branch)
        for directory in ["ledger", "other"] {
            let again = try bench.ledger(remote, directory: directory)
            for run in runs { try await again.submit(run) }
            try await again.flush()
            for run in runs { #expect(await again.isConfirmed(run.name)) }
            #expect(try await bench.git(remote, "rev-parse", Workbench.branch) == head)
        }
        // Some are known, some are new.
        let more = try bench.ledger(remote, directory: "third")
        for run in try bench.runs(3..<7) { try await more.submit(run) }
        try await more.flush()
        try await bench.expectOnce(try bench.runs(0..<7), remote)
    }

    @Test("the same records make the same commits on every machine")
    func deterministic() async throws {
        let bench = try Workbench()
        var heads: Set<String> = []
        for name in ["one", "two"] {
            let remote = try await bench.emptyRemote("\(name).git")
            let ledger = try bench.ledger(remote, directory: name)
            let pack = try await bench.pack(["logs/agent/out.txt": Array("said\n".utf8), "collected.json": Array("{}".utf8)])
            for index in 0..<4 {
                try await ledger.submit(PendingRun(run: bench.record(index), pack: pack))
                if name == "one" { try await ledger.flush() }
            }
            try await ledger.flush()
            heads.insert(try await bench.git(remote, "rev-parse", Workbench.branch))
        }
        #expect(heads.count == 1)
    }

    @Test("retries are stored in the folder of their run, and the job's record under the job's id")
    func retriesAndJob() async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        let ledger = try bench.ledger(remote)
        var failed = bench.record(0, reward: nil)
        failed.kind = "retry"
        let retry = try PendingRun(run: failed, slot: .retry(0), pack: try await bench.pack(["logs/x.txt": [1]]))
        try await ledger.submit(retry)
        try await ledger.flush()
        let second = try PendingRun(run: failed, slot: .retry(1))
        let final = try PendingRun(run: bench.record(0), pack: try await bench.pack(["logs/y.txt": [2], "retries": [3]]))
        let job = try PendingRun(job: bench.job())
        for run in [second, final, job] { try await ledger.submit(run) }
        try await ledger.flush()
        let folder = final.id.path
        #expect(
            Set(try await bench.files(remote)) == [
                "\(folder)/metadata.json", "\(folder)/summary.json", "\(folder)/logs/y.txt", "\(folder)/retries/0/metadata.json",
                "\(folder)/retries/0/summary.json", "\(folder)/retries/0/logs/x.txt", "\(folder)/retries/1/metadata.json",
                "\(folder)/retries/1/summary.json", "\(job.id.path)/metadata.json",
            ])
        try await bench.expectOnce([retry, second, final, job], remote)
        // The same records again: the check reads one level deeper than the shards.
        let other = try bench.ledger(remote, directory: "other")
        for run in [retry, second, final, job] { try await other.submit(run) }
        try await other.flush()
        try await bench.expectOnce([retry, second, final, job], remote)
    }

    @Test("catalogue 30: a branch that was removed on the server is created again with the records that this ledger wrote")
    func removed() async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        let first = try bench.ledger(remote, directory: "first")
        try await first.submit(try bench.runs(10..<11)[0])
        try await first.flush()
        // Its next look at the branch would also restore its own run.
        await first.stop()
        // This ledger knows the branch's tip, but not its beginning.
        let ledger = try bench.ledger(remote)
        try await ledger.submit(try bench.runs(0..<1)[0])
        try await ledger.flush()
        try await bench.git(remote, "update-ref", "-d", "refs/heads/\(Workbench.branch)")
        try await ledger.submit(try bench.runs(1..<2)[0])
        try await ledger.flush()
        try await eventually("everything is pushed") { await ledger.state.pending == 0 }
        try await bench.expectOnce(try bench.runs(0..<2), remote)
        try await bench.expectSound(remote)
    }

    @Test("writing to a branch fetches neither its history nor its files")
    func smallFetch() async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        let first = try bench.ledger(remote, directory: "first")
        for index in 0..<40 {
            let noise = (0..<2000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ index &* 7 ^ ($0 >> 3)) }
            try await first.submit(PendingRun(run: bench.record(index), pack: try await bench.pack(["logs/noise.bin": noise])))
        }
        try await first.flush()
        let second = try bench.ledger(remote, directory: "second")
        try await second.submit(try bench.runs(100..<101)[0])
        try await second.flush()
        let counted = try await bench.git("\(bench.path)/second/repository", "rev-list", "--objects", "--all", "--missing=allow-any")
        let remoteObjects = try await bench.git(remote, "rev-list", "--objects", "--all")
        #expect(counted.split(separator: "\n").count < remoteObjects.split(separator: "\n").count / 2)
        #expect(try await bench.git("\(bench.path)/second/repository", "rev-list", "--count", "refs/assay/remote/\(Workbench.branch)") == "1")
        try await bench.expectSound(remote)
    }
}

extension Workbench {
    func job() -> JobRecord {
        var figures = Aggregate()
        figures.add(record(0).trialOutcome)
        figures.add(record(1, reward: nil).trialOutcome)
        return JobRecord(
            runId: RunID(jobUID: "uid-job"), jobName: "job", jobUid: "uid-job", namespace: "default", totalTrials: 2, cancelled: false, reason: nil,
            agents: [("oracle", figures)], sourceRepo: "org/repo", sourceCommit: String(repeating: "ab", count: 20), startedAt: Self.epoch,
            timestamp: Self.epoch.adding(seconds: 100))
    }
}
