import Base
import EvalModel
import Foundation
import Git
import Testing

@testable import Artifacts

/// Valid results, and results that somebody changed.
/// Serialized, because each test runs many gits and the ledger's tests have deadlines.
@Suite(.serialized) struct VerifyTests {
    private func findings(_ store: any RecordStore, fsck: Bool = true) async throws -> (report: ResultsVerifier.Report, findings: [Finding]) {
        let found = Locked([Finding]())
        var verifier = ResultsVerifier()
        verifier.checksObjects = fsck
        let report = try await verifier.verify(store) { finding in found.withLock { $0.append(finding) } }
        return (report, found.withLock { $0 })
    }

    /// Three runs, a retry of the second, and the job's record, on a branch.
    private func branch(_ bench: Workbench, path prefix: String = "") async throws -> (remote: String, runs: [PendingRun]) {
        let remote = try await bench.emptyRemote()
        var retry = bench.record(1, reward: nil)
        retry.kind = "retry"
        let runs = try bench.runs(0..<3) + [try PendingRun(run: retry, slot: .retry(0)), try PendingRun(job: bench.job())]
        try await bench.publish(runs, to: remote, path: prefix)
        return (remote, runs)
    }

    @Test("nothing is found in an unchanged branch or directory", arguments: ["", ".assay/runs"])
    func sound(prefix: String) async throws {
        let bench = try Workbench()
        let (remote, runs) = try await branch(bench, path: prefix)
        try await bench.commit(["README.md": "people", "docs/ab/note": "x"], to: Workbench.branch, of: remote)
        let (report, found) = try await findings(try await bench.store(remote, path: prefix))
        #expect(found == [] && report == .init(runs: 3, retries: 1, jobs: 1, faults: 0, notes: 0))
        let ledger = LocalLedger(directory: "\(bench.path)/results", scratch: "\(bench.path)/scratch")
        for run in runs { try await ledger.submit(run) }
        let directory = try await findings(try await bench.query().open(.directory("results")))
        #expect(directory.findings == [] && directory.report == report)
    }

    @Test("a branch with several folders of results: each is listed, shown, verified and pruned separately")
    func shared() async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        let places = ["": 0, "teams/a ü": 3, "teams/b": 6]
        for (place, first) in places { try await bench.publish(try bench.runs(first..<(first + 3), job: "job-\(first)"), to: remote, path: place) }
        for (place, first) in places {
            let store = try await bench.store(remote, path: place)
            #expect(Set(try await store.list().compactMap(\.job)) == ["job-\(first)"])
            let (report, found) = try await findings(store)
            #expect(found == [] && report.runs == 3)
            let others = places.keys.filter { $0 != place }.sorted()
            #expect(try await (store as? BranchReader)?.foldersElsewhere() == others)
        }
        let run = try bench.runs(3..<4, job: "job-3")[0]
        let error = try await artifactError { _ = try await bench.store(remote).details(of: run.id) }
        #expect(error.message.contains("below the folder \"teams/a ü\": name it with --path"), "\(error)")
        // All runs of one folder are old. The other runs keep their commits, whatever their age.
        let pruner = try await BranchPruner(
            bench.query(), remote: remote, branch: GitBranch(parsing: Workbench.branch), path: GitPath(parsing: "teams/a ü"))
        _ = try await pruner.apply(pruner.proposal(before: Workbench.epoch.adding(seconds: 1000)))
        #expect(try await bench.store(remote, path: "teams/a ü").list().isEmpty)
        for place in ["", "teams/b"] {
            let (report, found) = try await findings(try await bench.store(remote, path: place))
            #expect(found == [] && report.runs == 3, "\(found)")
        }
    }

    /// A change to one document, and the expected finding.
    struct Change: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var file = "metadata.json"
        var edit: @Sendable (inout JSONValue) -> Void
        var expected: Finding.Kind
        var words: String
    }

    static let changes: [Change] = [
        Change(
            testDescription: "another reward",
            edit: {
                $0["reward"] = 0.5; $0["passed"] = false
            }, expected: .disagreement, words: "its commit tells of the reward 1.0"),
        Change(testDescription: "another task", edit: { $0["task"] = "other" }, expected: .id, words: "make the id"),
        Change(testDescription: "another id", edit: { $0["runId"] = "0123456789abcdef" }, expected: .id, words: "its folder is that of"),
        Change(testDescription: "a later version", edit: { $0["schemaVersion"] = 2 }, expected: .version, words: "schemaVersion is 2"),
        Change(
            testDescription: "a version that is no number", edit: { $0["schemaVersion"] = "1" }, expected: .version, words: "schemaVersion is \"1\""),
        Change(testDescription: "no version", edit: { $0["schemaVersion"] = nil }, expected: .schema, words: "schemaVersion is missing"),
        Change(testDescription: "a field of another type", edit: { $0["attempt"] = "one" }, expected: .schema, words: "attempt is not integer"),
        Change(testDescription: "a field that is missing", edit: { $0["evalFile"] = nil }, expected: .schema, words: "evalFile is missing"),
        Change(testDescription: "another kind", edit: { $0["kind"] = "thing" }, expected: .schema, words: "none of run, retry and job"),
        Change(
            testDescription: "an outcome that the error does not say", edit: { $0["error"] = ["type": "cancelled", "message": ""] },
            expected: .disagreement, words: "it is skipped"),
        Change(testDescription: "a pass that is none", edit: { $0["passed"] = false }, expected: .disagreement, words: "passed is false"),
        Change(
            testDescription: "a summary of another run", file: "summary.json", edit: { $0["agent"] = "x" }, expected: .disagreement,
            words: "its agent is \"x\""),
        Change(
            testDescription: "a summary without a field", file: "summary.json", edit: { $0["seconds"] = nil }, expected: .schema,
            words: "seconds is missing"),
    ]

    @Test("a changed document is found, with the problem", arguments: changes)
    func changed(_ change: Change) throws {
        let bench = try Workbench()
        let run = try PendingRun(run: bench.record(0))
        var files: [String: [UInt8]] = [:]
        for (path, bytes) in run.files { files[path.text] = bytes }
        var check = RecordCheck(
            run: run.id, retry: nil, folder: "x", metadata: try #require(files["metadata.json"]), summary: files["summary.json"],
            committed: .init(kind: .run, reward: 1, outcome: "completed"))
        #expect(check.findings() == [])
        var value = try JSONValue(parsing: try #require(files[change.file]))
        change.edit(&value)
        if change.file == "metadata.json" { check.metadata = value.serialized() } else { check.summary = value.serialized() }
        let found = check.findings()
        #expect(found.contains { $0.kind == change.expected && $0.place == "x/\(change.file)" && $0.message.contains(change.words) }, "\(found)")
    }

    @Test("records in the wrong place: a job's record as a run's, a run's as a retry's")
    func kinds() throws {
        let bench = try Workbench()
        let job = try PendingRun(job: bench.job()), run = try PendingRun(run: bench.record(0))
        let bytes = (job: try #require(job.metadata), run: try #require(run.metadata))
        func kinds(_ run: RunID, _ retry: Int?, _ metadata: [UInt8]) -> [String] {
            RecordCheck(run: run, retry: retry, folder: "x", metadata: metadata, summary: nil, committed: nil).findings().map {
                "\($0.kind.rawValue) \($0.message)"
            }
        }
        #expect(kinds(job.id, nil, bytes.job) == [])
        #expect(kinds(run.id, nil, bytes.job).count { $0.hasPrefix("id ") } == 2)
        #expect(kinds(run.id, 0, bytes.run).contains { $0.contains("in this place is a retry") })
        #expect(kinds(run.id, nil, bytes.run).contains { $0.hasPrefix("incomplete ") })
    }

    @Test("a changed document on a branch is found")
    func changedOnBranch() async throws {
        let bench = try Workbench()
        let (remote, runs) = try await branch(bench)
        let file = "\(runs[0].id.path)/metadata.json"
        var value = try JSONValue(parsing: try await bench.gitBytes(remote, ["show", "\(Workbench.branch):\(file)"]))
        value["reward"] = 0.5
        try await bench.commit([file: value.text], to: Workbench.branch, of: remote)
        let (report, found) = try await findings(try await bench.store(remote), fsck: false)
        #expect(
            found.contains { $0.kind == .disagreement && $0.place == file && $0.message.contains("its commit tells of the reward 1.0") }, "\(found)")
        #expect(report.faults == found.count)
    }

    @Test("an unknown field is not a fault, because new fields may be added within a schemaVersion")
    func newField() async throws {
        let bench = try Workbench()
        let (remote, runs) = try await branch(bench)
        let file = "\(runs[0].id.path)/metadata.json"
        var value = try JSONValue(parsing: try await bench.gitBytes(remote, ["show", "\(Workbench.branch):\(file)"]))
        value["fieldOfAnotherVersion"] = ["of": 1]
        try await bench.commit([file: value.text], to: Workbench.branch, of: remote)
        #expect(try await findings(try await bench.store(remote)).findings == [])
    }

    @Test("missing, moved, hand-made and doubly committed records, and merges")
    func history() async throws {
        let bench = try Workbench()
        let (remote, runs) = try await branch(bench)
        let stranger = try PendingRun(run: bench.record(9))
        let metadata = String(decoding: try #require(stranger.metadata), as: UTF8.self)
        func inline(_ path: String, _ text: String) -> String { "M 100644 inline \(path)\ndata \(text.utf8.count)\n\(text)\n" }
        try await bench.importCommit("tidy up\n", "D \(runs[0].id.path)\n", into: remote)
        try await bench.importCommit("by hand\n", inline("\(stranger.id.path)/metadata.json", metadata), into: remote)
        try await bench.importCommit(runs[1].message, inline("notes", "x"), into: remote)
        let (_, found) = try await findings(try await bench.store(remote))
        #expect(
            found.contains {
                $0.kind == .missing && $0.place == "\(runs[0].id.path)/metadata.json" && $0.message.contains("restore it from that commit")
            })
        #expect(found.contains { $0.kind == .uncommitted && $0.place == "\(stranger.id.path)/metadata.json" })
        #expect(found.contains { $0.kind == .incomplete && $0.place == "\(stranger.id.path)/summary.json" })
        #expect(found.contains { $0.kind == .duplicate && $0.message.contains(runs[1].id.path) })
        #expect(Set(found.map(\.kind)) == [.missing, .uncommitted, .incomplete, .duplicate], "\(found)")

        // A merge is a fault if only Assay writes to the branch, and a note if others do, too.
        let tip = try await bench.git(remote, "rev-parse", Workbench.branch)
        let merge =
            "commit refs/heads/\(Workbench.branch)\ncommitter X <x@example.com> 1800000000 +0000\ndata 6\nmerge\n\nfrom \(tip)\nmerge \(tip)~1\n\n"
        try await bench.git(remote, "fast-import", "--quiet", input: Array(merge.utf8))
        let merged = try await findings(try await bench.store(remote))
        #expect(merged.findings.filter { $0.kind == .history }.map(\.isFault) == [false] && merged.report.notes == 1)
    }

    @Test("git's own check: a damaged and a missing object")
    func objects() async throws {
        let bench = try Workbench()
        let (remote, runs) = try await branch(bench)
        // A small push stores loose objects.
        let blob = try await bench.git(remote, "rev-parse", "\(Workbench.branch):\(runs[0].id.path)/summary.json")
        let object = "\(remote)/objects/\(blob.prefix(2))/\(blob.dropFirst(2))"
        chmod(object, 0o644)
        try FileWriting.replace(object, with: Array("rubbish".utf8))
        let error = try await artifactError { try await self.findings(try await bench.store(remote)) }
        #expect(error.message.contains(String(blob.prefix(12))), "what cannot be read ends the check with an error: \(error.message)")
        unlink(object)
        let gone = try await artifactError { try await self.findings(try await bench.store(remote)) }
        #expect(gone.message.contains(String(blob.prefix(12))))
        // Only fsck finds a commit that lost a part of its header.
        let odd =
            "tree \(try await bench.git(remote, "rev-parse", "\(Workbench.branch)^{tree}"))\nauthor X 1 +0000\ncommitter X <x@example.com> 1 +0000\n\nodd\n"
        try await bench.git(remote, "hash-object", "-t", "commit", "-w", "--literally", "--stdin", input: Array(odd.utf8))
        let fsck = try await GitClient().fsck(remote)
        #expect(
            fsck.contains { $0.contains(blob) }
                && fsck.contains { $0.contains("missingEmail") || $0.contains("badEmail") || $0.contains("missing email") }, "\(fsck)")
    }

    @Test("a directory: a folder without a record, a link instead of a file, a file that is not JSON")
    func directory() async throws {
        let bench = try Workbench()
        let ledger = LocalLedger(directory: "\(bench.path)/results", scratch: "\(bench.path)/scratch")
        let runs = try bench.runs(0..<4)
        for run in runs { try await ledger.submit(run) }
        unlink("\(bench.path)/results/\(runs[0].id.path)/metadata.json")
        unlink("\(bench.path)/results/\(runs[1].id.path)/summary.json")
        symlink("/etc/passwd", "\(bench.path)/results/\(runs[1].id.path)/summary.json")
        try FileWriting.replace("\(bench.path)/results/\(runs[2].id.path)/metadata.json", with: Array("{".utf8))
        let (report, found) = try await findings(try await bench.query().open(.directory("results")))
        #expect(found.contains { $0.kind == .incomplete && $0.place == runs[0].id.path })
        #expect(found.contains { $0.kind == .incomplete && $0.place == "\(runs[1].id.path)/summary.json" && $0.message.contains("link") })
        #expect(found.contains { $0.kind == .schema && $0.place == "\(runs[2].id.path)/metadata.json" && $0.message.contains("no JSON") })
        #expect(report.faults == found.count && !found.contains { $0.place.hasPrefix(runs[3].id.path) })
    }
}
