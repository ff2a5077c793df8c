import Base
import EvalModel
import Foundation
import Git
import Glibc
import Testing

@testable import Artifacts

/// Pruning of old runs: the decision, in a directory, and on a branch that others write to.
/// Serialized, because each test runs many gits and the ledger's tests have deadlines.
@Suite(.serialized) struct PruneTests {
    /// Seconds after the bench's epoch at which `bench.record(index)` ends.
    private func cutoff(_ seconds: Double) -> Timestamp { Workbench.epoch.adding(seconds: seconds) }

    private func branch() throws -> GitBranch { try GitBranch(parsing: Workbench.branch) }

    private func pruner(_ bench: Workbench, _ remote: String, path prefix: String = "") async throws -> BranchPruner {
        try await BranchPruner(bench.query(), remote: remote, branch: branch(), path: GitPath(parsing: prefix))
    }

    // MARK: The decision

    @Test("a run is pruned with its retries, a job's record when no run of it stays")
    func plan() throws {
        func entry(_ kind: RunEntry.Kind, _ task: String, at seconds: Double, job: String = "j", hasID: Bool = true, retry: Int? = nil) -> RunEntry {
            let id = kind == .job ? RunID(jobUID: job) : RunID(jobUID: job, agent: "a", dataset: "d", task: task, attempt: 1, rerun: 0)
            var entry = RunEntry(kind: kind, id: id, date: Workbench.epoch.adding(seconds: seconds))
            (entry.job, entry.jobID, entry.task, entry.retry) = (
                job, hasID || kind == .job ? RunID(jobUID: job) : nil, kind == .job ? job : task, retry
            )
            return entry
        }
        let entries = [
            entry(.job, "", at: 50, job: "half"), entry(.run, "new", at: 150, job: "half"), entry(.run, "old", at: 40, job: "half"),
            entry(.job, "", at: 60, job: "gone"), entry(.run, "x", at: 30, job: "gone"),
            entry(.job, "", at: 160, job: "late"), entry(.run, "y", at: 20, job: "late"),
            // Its retry is old, but the run is not: both stay.
            entry(.retry, "new", at: 10, job: "half", retry: 0),
            // The retry is newer than the cutoff, but the run's record is not: both are pruned.
            entry(.run, "odd", at: 90, job: "gone"), entry(.retry, "odd", at: 110, job: "gone", retry: 1),
            // Retries of a run without a record follow the last retry.
            entry(.retry, "open", at: 10, job: "gone", retry: 0), entry(.retry, "open", at: 120, job: "gone", retry: 1),
            // Written by a version that had no ids of jobs.
            entry(.job, "", at: 10, job: "plain"), entry(.run, "z", at: 130, job: "plain", hasID: false),
        ]
        let plan = PrunePlan(entries, before: cutoff(100))
        func names(_ entries: [RunEntry]) -> [String] { entries.map { "\($0.kind.rawValue) \($0.task ?? "")\($0.retry.map { " \($0)" } ?? "")" } }
        #expect(names(plan.pruned) == ["run old", "run x", "run y", "run odd", "retry odd 1"])
        #expect(
            names(plan.kept) == ["job half", "run new", "job gone", "job late", "retry new 0", "retry open 0", "retry open 1", "job plain", "run z"])
        #expect(PrunePlan.count(plan.pruned) == "4 runs and 1 retry" && PrunePlan.count([]) == "nothing")
        #expect(PrunePlan(entries, before: cutoff(0)).isEmpty)
        let all = PrunePlan(entries, before: cutoff(1000))
        #expect(all.kept.isEmpty && PrunePlan.count(all.pruned) == "6 runs, 4 retries and 4 job records")
    }

    // MARK: A directory

    @Test("a directory: folders of old runs and leftovers of an interrupted pruning are removed, the rest is unchanged")
    func directory() async throws {
        let bench = try Workbench()
        let ledger = LocalLedger(directory: "\(bench.path)/results", scratch: "\(bench.path)/scratch")
        var retry = bench.record(1, reward: nil)
        retry.kind = "retry"
        for run in try bench.runs(0..<6) + [try PendingRun(run: retry, slot: .retry(0)), try PendingRun(job: bench.job())] {
            try await ledger.submit(run)
        }
        try Directory.make("\(bench.path)/results/.pruned-0123456789abcdef/x")
        let reader = DirectoryReader(directory: "\(bench.path)/results")
        let pruner = DirectoryPruner(reader)
        let plan = try await pruner.plan(before: cutoff(5))
        #expect(PrunePlan.count(plan.pruned) == "3 runs and 1 retry")
        try pruner.apply(plan)
        var filter = RunFilter()
        filter.kinds = Set(RunEntry.Kind.allCases)
        #expect(try await reader.list(filter).map(\.kind.rawValue).sorted() == ["job", "run", "run", "run"])
        for index in 0..<3 { #expect(!FileEntry.exists("\(bench.path)/results/\(bench.record(index).runId.path)")) }
        #expect(Directory.names(in: "\(bench.path)/results")?.contains { $0.hasPrefix(".pruned-") } == false)
        let findings = Locked([Finding]())
        _ = try await ResultsVerifier().verify(reader) { finding in findings.withLock { $0.append(finding) } }
        #expect(findings.withLock { $0 } == [])
        #expect(try await pruner.plan(before: cutoff(5)).isEmpty)
    }

    // MARK: A branch

    @Test("catalogue 50: a link in place of a folder is not followed, and nothing behind it is removed")
    func linkedDirectory() async throws {
        let bench = try Workbench()
        let ledger = LocalLedger(directory: "\(bench.path)/results", scratch: "\(bench.path)/scratch")
        let run = try PendingRun(run: bench.record(0))
        try await ledger.submit(run)
        let shard = String(run.id.rawValue.prefix(2))
        #expect(
            rename("\(bench.path)/results/\(shard)", "\(bench.path)/elsewhere") == 0 && symlink("../elsewhere", "\(bench.path)/results/\(shard)") == 0
        )
        let pruner = DirectoryPruner(DirectoryReader(directory: "\(bench.path)/results"))
        let plan = try await pruner.plan(before: cutoff(1000))
        if !plan.isEmpty {
            let error = #expect(throws: ArtifactError.self) { try pruner.apply(plan) }
            #expect(error?.message.contains("is not pruned") == true)
        }
        #expect(FileEntry.exists("\(bench.path)/elsewhere/\(run.id.rawValue.dropFirst(2))/metadata.json"))
    }

    @Test(
        "a branch gets a new history: its listing is unchanged for what stays, files of others stay, verification finds nothing",
        arguments: ["", "evals/runs"], [false, true])
    func branch(prefix: String, http: Bool) async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        try await bench.commit(["README.md": "people", "docs/guide.md": "more"], to: Workbench.branch, of: remote)
        let pack = try await bench.pack(["transcript.jsonl": Array("{}\n".utf8), "logs/agent/stdout.txt": Array("out\n".utf8)])
        var retries: [PendingRun] = []
        for index in [1, 4, 7] {
            var retry = bench.record(index, reward: nil)
            retry.kind = "retry"
            retries.append(try PendingRun(run: retry, slot: .retry(0), pack: pack))
        }
        // The last retry has no run's record yet.
        let runs =
            try [PendingRun(run: bench.record(0), pack: pack), PendingRun(run: bench.record(5), pack: pack)]
            + [1, 2, 3, 4, 6].map { try PendingRun(run: bench.record($0)) } + retries + [PendingRun(job: bench.job())]
        try await bench.publish(runs, to: remote, path: prefix)
        let server = http ? try await HTTPRemote(root: bench.path) : nil
        let address = server?.url("remote.git") ?? remote

        var filter = RunFilter()
        filter.kinds = Set(RunEntry.Kind.allCases)
        let before = try await bench.store(remote, path: prefix).list(filter)
        let filesBefore = Set(try await bench.files(remote))
        let tipBefore = try await bench.git(remote, "rev-parse", Workbench.branch)

        let pruner = try await pruner(bench, address, path: prefix)
        let proposal = try await pruner.proposal(before: cutoff(5))
        #expect(PrunePlan.count(proposal.plan.pruned) == "3 runs and 1 retry" && proposal.foreignCommits == 1 && proposal.tip.hex == tipBefore)
        #expect(try await bench.git(remote, "rev-parse", Workbench.branch) == tipBefore, "a proposal changes nothing")
        guard case .pruned(let tip, _) = try await pruner.apply(proposal) else { throw Unexpected() }
        #expect(try await bench.git(remote, "rev-parse", Workbench.branch) == tip.hex)

        // One entry each, in the same order, equal except for the commit's id.
        let gone = Set((0..<3).map { bench.record($0).runId })
        func plain(_ entries: [RunEntry]) -> [RunEntry] {
            entries.map {
                var entry = $0; entry.commit = nil; return entry
            }
        }
        let after = try await bench.store(remote, path: prefix).list(filter)
        #expect(plain(after) == plain(before.filter { !gone.contains($0.id) }))
        let base = prefix.isEmpty ? "" : prefix + "/"
        #expect(Set(try await bench.files(remote)) == filesBefore.filter { file in !gone.contains { file.hasPrefix(base + $0.path) } })
        #expect(try await bench.git(remote, "show", "\(Workbench.branch):README.md") == "people")
        #expect(try await bench.git(remote, "show", "\(Workbench.branch):\(base)\(runs[1].id.path)/logs/agent/stdout.txt") == "out")
        try await bench.expectSound(remote)
        let findings = Locked([Finding]())
        _ = try await ResultsVerifier().verify(try await bench.store(remote, path: prefix)) { finding in findings.withLock { $0.append(finding) } }
        #expect(findings.withLock { $0 } == [])

        // The root commit records what was removed and the previous tip of the branch.
        let root = try await bench.git(remote, "rev-list", "--max-parents=0", Workbench.branch)
        let message = try await bench.git(remote, "log", "-1", "--format=%B", root)
        #expect(
            message.hasPrefix("Prune: 3 runs and 1 retry that ended before \(cutoff(5).rfc3339)")
                && message.contains("Assay-Previous-Tip: \(tipBefore)"))
        for id in gone { #expect(message.contains(id.rawValue)) }
        #expect(try await bench.git(remote, "log", "-1", "--format=%an %ae %at %cn %ct", Workbench.branch).hasPrefix("assay assay@localhost"))

        // Again: nothing is old now, and the pruning's own commit does not count as foreign.
        let again = try await pruner.proposal(before: cutoff(5))
        #expect(again.plan.isEmpty && again.foreignCommits == 0)
        #expect(try await pruner.apply(again) == .nothingToPrune)
        let second = try await pruner.apply(try await pruner.proposal(before: cutoff(6)))
        guard case .pruned(_, let plan) = second else { throw Unexpected() }
        #expect(PrunePlan.count(plan.pruned) == "1 run")
        #expect(try await bench.store(remote, path: prefix).list().count == 3)
    }

    @Test("catalogue 30: a writer whose branch was pruned continues: what stayed is not written twice, and new records are added")
    func ledgerGoesOn() async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        // As if a day had passed since the push: before that it would treat the pruning as a loss and restore the records.
        let ledger = try bench.ledger(remote, retention: ConfirmedRetention(records: 0))
        let runs = try bench.runs(0..<8)
        for run in runs[..<6] { try await ledger.submit(run) }
        try await ledger.flush()
        let pruner = try await pruner(bench, remote)
        guard case .pruned = try await pruner.apply(try await pruner.proposal(before: cutoff(5))) else { throw Unexpected() }
        for run in runs[3...] { try await ledger.submit(run) }
        try await ledger.flush()
        // The next writer, also with another directory.
        try await bench.publish(Array(runs[3...]), to: remote)
        let subjects = try await bench.subjects(remote)
        #expect(subjects[0].hasPrefix("Prune: ") && subjects.dropFirst() == (3..<8).map { "Run: \(runs[$0].id)" }[...])
        try await bench.expectSound(remote)
    }

    @Test("commits made between planning and pruning are kept; the push requires the commit that was planned for")
    func lease() async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        try await bench.publish(try bench.runs(0..<4), to: remote)
        let pruner = try await pruner(bench, remote)
        let proposal = try await pruner.proposal(before: cutoff(4))
        try await bench.publish(try bench.runs(4..<6), to: remote)
        guard case .pruned = try await pruner.apply(proposal) else { throw Unexpected() }
        #expect(Set(try await bench.store(remote).list().map(\.id)) == Set((2..<6).map { bench.record($0).runId }))

        // The push alone: an old lease does not replace a branch that has moved.
        let store = try await GitStore(at: "\(bench.path)/elsewhere", remote: .init(try GitURL(parsing: "file://\(remote)", allowing: .local)))
        let tip = try #require(try await store.fetchTip(of: branch(), levels: 2))
        try await bench.publish(try bench.runs(6..<7), to: remote)
        let stream = FastImportStream(parent: nil, committer: try .init(name: "x", email: "x"))
        var other = stream
        other.commit(message: "other", date: Workbench.epoch, changes: [])
        let outcome = try await store.replace(tip, with: try await store.build(other), of: branch())
        guard case .conflict = outcome else { throw Unexpected() }
        #expect(try await bench.store(remote).list().count == 5)
    }

    @Test("refused: a remote that forbids it, a default branch that others use, a missing branch")
    func refused() async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        try await bench.publish(try bench.runs(0..<4), to: remote)
        try await bench.git(remote, "config", "receive.denyNonFastForwards", "true")
        let tip = try await bench.git(remote, "rev-parse", Workbench.branch)
        let pruner = try await pruner(bench, remote)
        let error = try await artifactError { try await pruner.apply(try await pruner.proposal(before: self.cutoff(4))) }
        #expect(error.kind == .refused && error.message.contains("denyNonFastForwards"), "\(error.message)")
        #expect(try await bench.git(remote, "rev-parse", Workbench.branch) == tip)

        let own = try await bench.emptyRemote("own.git", head: Workbench.branch)
        try await bench.commit(["README.md": "x"], to: Workbench.branch, of: own)
        try await bench.publish(try bench.runs(0..<4), to: own)
        let shared = try await self.pruner(bench, own)
        let refused = try await artifactError { try await shared.proposal(before: self.cutoff(4)) }
        #expect(refused.kind == .branchIsDefault && refused.message.contains("default branch"))

        let absent = try await BranchPruner(bench.query(), remote: remote, branch: try GitBranch(parsing: "other"), path: .root)
        #expect(try await artifactError { try await absent.proposal(before: self.cutoff(4)) }.kind == .notFound)
    }

    @Test("a branch without remaining records has one commit that says so, and can be written to")
    func everything() async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        try await bench.publish(try bench.runs(0..<3), to: remote)
        let pruner = try await pruner(bench, remote)
        guard case .pruned = try await pruner.apply(try await pruner.proposal(before: cutoff(1000))) else { throw Unexpected() }
        #expect(try await bench.files(remote).isEmpty)
        #expect(try await bench.store(remote).list().isEmpty)
        try await bench.publish(try bench.runs(3..<5), to: remote)
        #expect(try await bench.store(remote).list().count == 2)
        try await bench.expectSound(remote)
    }
}
