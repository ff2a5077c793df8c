import Base
import EvalModel
import Foundation
import Git
import Testing

@testable import Artifacts

/// Reading results over http: from a remote with filters, without filters, and without commits.
/// Serialized, because each test runs many gits and the ledger's tests have deadlines.
@Suite(.serialized) struct RemoteReadingTests {
    @Test("a remote is read over http, with filters and without: listed, shown, verified, exported", arguments: [true, false])
    func http(filters: Bool) async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        try await bench.git(remote, "config", "uploadpack.allowFilter", "\(filters)")
        let pack = try await bench.pack(["transcript.jsonl": Array("{}\n".utf8), "logs/agent/stdout.txt": Array("out\n".utf8)])
        var retry = bench.record(1, reward: nil)
        retry.kind = "retry"
        let runs =
            try [PendingRun(run: bench.record(0), pack: pack)] + bench.runs(1..<40) + [
                try PendingRun(run: retry, slot: .retry(0)), try PendingRun(job: bench.job()),
            ]
        try await bench.publish(runs, to: remote)
        let server = try await HTTPRemote(root: bench.path)
        let store = try await bench.store(server.url("remote.git"))
        #expect(try await store.list().count == 40)

        let copy = try #require(Directory.names(in: "\(bench.path)/cache")?.first { $0.hasSuffix(".git") })
        let objects = try await bench.git("\(bench.path)/cache/\(copy)", "cat-file", "--batch-all-objects", "--batch-check=%(objecttype)")
        #expect(objects.contains("blob") == !filters, "a listing of a remote with filters fetches commits only")

        #expect(try await store.transcript(of: runs[0].id) == Array("{}\n".utf8))
        let findings = Locked([Finding]())
        let report = try await ResultsVerifier().verify(store) { finding in findings.withLock { $0.append(finding) } }
        #expect(findings.withLock { $0 } == [])
        #expect(report.runs == 40 && report.retries == 1 && report.jobs == 1)
        let exported = try await ResultsExport(store).files(RunFilter(), to: "\(bench.path)/out")
        #expect(exported.records == 40 && exported.leftOut.isEmpty)
        #expect(try String(contentsOfFile: "\(bench.path)/out/\(runs[0].id.path)/logs/agent/stdout.txt", encoding: .utf8) == "out\n")

        // A later reading through the same copy sees later commits.
        try await bench.publish(try bench.runs(50..<52), to: remote)
        #expect(try await bench.store(server.url("remote.git")).list().count == 42)
    }

    @Test("a local repository that allows no filters is copied and read in the same way", arguments: [true, false])
    func file(filters: Bool) async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        try await bench.git(remote, "config", "uploadpack.allowFilter", "\(filters)")
        try await bench.publish(try bench.runs(0..<10), to: remote)
        let address = GitClient.Remote(try GitURL(parsing: "file://\(remote)", allowing: .local))
        let store = try await bench.query().copy(of: address, GitBranch(parsing: Workbench.branch), .root)
        #expect(try await store.list().count == 10)
        #expect(try await store.details(of: bench.record(3).runId).run == bench.record(3))
        let report = try await ResultsVerifier().verify(store) { finding in Issue.record("\(finding)") }
        #expect(report == .init(runs: 10, retries: 0, jobs: 0, faults: 0, notes: 0))
    }

    @Test("the error for a remote without commits says so, over http and on this machine")
    func empty() async throws {
        let bench = try Workbench()
        let remote = try await bench.emptyRemote()
        let server = try await HTTPRemote(root: bench.path)
        for address in [server.url("remote.git"), remote] {
            let error = try await artifactError { try await bench.store(address) }
            #expect(error.kind == .notFound && error.message.contains("has no branch") && error.message.contains("no branch yet"), "\(error.message)")
        }
    }
}
