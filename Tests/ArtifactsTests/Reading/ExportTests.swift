import Base
import EvalModel
import Foundation
import Git
import Testing

@testable import Artifacts

/// Export of results.
/// Serialized, because each test runs many gits and the ledger's tests have deadlines.
@Suite(.serialized) struct ExportTests {
    private func remote(_ bench: Workbench) async throws -> (remote: String, runs: [PendingRun]) {
        let remote = try await bench.emptyRemote()
        let pack = try await bench.pack(["transcript.jsonl": Array("{}\n".utf8), "logs/agent/stdout.txt": [0xFF, 0, 0x1B], "logs/empty": []])
        var retry = bench.record(0, reward: nil)
        retry.kind = "retry"
        let runs =
            try [
                PendingRun(run: bench.record(0), pack: pack), PendingRun(run: bench.record(1, agent: "=x", reward: nil)),
                PendingRun(run: retry, slot: .retry(0)),
            ]
            + [PendingRun(job: bench.job())]
        try await bench.publish(runs, to: remote)
        return (remote, runs)
    }

    @Test("as files: the same bytes in the layout of a directory, which can be read again; retries are exported with their run")
    func files() async throws {
        let bench = try Workbench()
        let (remote, runs) = try await remote(bench)
        let store = try await bench.store(remote)
        var filter = RunFilter()
        filter.kinds = [.run, .job]
        let report = try await ResultsExport(store).files(filter, to: "\(bench.path)/out")
        #expect(report.records == 3 && report.leftOut.isEmpty)
        for file in try await bench.files(remote) {
            #expect(
                FileReading.whole("\(bench.path)/out/\(file)") == (try await bench.gitBytes(remote, ["show", "\(Workbench.branch):\(file)"])),
                "\(file)")
        }
        let back = try await bench.query().open(.directory("out"))
        #expect(Set(try await back.list(filter).map(\.id)) == Set(try await store.list(filter).map(\.id)))
        #expect(try await back.transcript(of: runs[0].id) == Array("{}\n".utf8))
        #expect(try await artifactError { try await ResultsExport(store).files(filter, to: "\(bench.path)/out") }.message.contains("is not empty"))

        filter = RunFilter()
        filter.agent = "oracle"
        #expect(try await ResultsExport(store).files(filter, to: "\(bench.path)/one").records == 1)
        #expect(
            !FileEntry.exists("\(bench.path)/one/\(runs[1].id.path)")
                && FileEntry.exists("\(bench.path)/one/\(runs[0].id.path)/retries/0/metadata.json"))
    }

    @Test("as lines: complete records, newest first; as CSV: the columns of a table")
    func lines() async throws {
        let bench = try Workbench()
        let (remote, _) = try await remote(bench)
        let store = try await bench.store(remote)
        let lines = Locked([String]())
        var filter = RunFilter()
        filter.kinds = Set(RunEntry.Kind.allCases)
        let report = try await ResultsExport(store).lines(filter, as: .jsonl) { line in
            lines.withLock { $0.append(String(decoding: line, as: UTF8.self)) }
        }
        #expect(report.records == 4 && report.leftOut.isEmpty)
        let records = try lines.withLock { $0 }.map { try JSONValue(parsing: Array($0.utf8)) }
        #expect(lines.withLock { $0 }.allSatisfy { $0.hasSuffix("\n") && $0.filter(\.isNewline).count == 1 })
        #expect(records.map { $0["kind"]?.string ?? "" }.sorted() == ["job", "retry", "run", "run"])
        let run = try #require(records.first { $0["kind"]?.string == "run" && $0["agent"]?.string == "oracle" })
        #expect(try JSONValueDecoder().decode(RunRecord.self, from: run) == bench.record(0))

        let rows = Locked([String]())
        _ = try await ResultsExport(store).lines(RunFilter(), as: .csv) { line in rows.withLock { $0.append(String(decoding: line, as: UTF8.self)) } }
        let table = rows.withLock { $0 }
        #expect(table.count == 3 && table[0].hasPrefix("runId,kind,jobName") && table.allSatisfy { $0.hasSuffix("\r\n") })
        #expect(table.contains { $0.contains(",'=x,") && $0.contains("verifier_reward_missing,no reward was written") })
    }

    @Test("catalogue 50: links, and names that lead out of the folder, are left out and reported")
    func hostile() async throws {
        let bench = try Workbench()
        let (remote, runs) = try await remote(bench)
        let folder = runs[0].id.path
        // Entries that git's own checks would refuse, written by somebody with access to the repository.
        try await bench.importCommit(
            "hostile\n",
            "M 120000 inline \(folder)/link\ndata 11\n/etc/passwd\nM 100644 inline \(folder)/logs/..\\\\x\ndata 1\nx\nM 100644 inline \"\(folder)/logs/a\\001b\"\ndata 1\nx\n",
            into: remote)
        let report = try await ResultsExport(try await bench.store(remote)).files(RunFilter(), to: "\(bench.path)/out")
        #expect(report.records == 2 && report.leftOut.count == 3 && report.leftOut.contains("\(folder)/link"), "\(report.leftOut)")
        #expect(!FileEntry.exists("\(bench.path)/out/\(folder)/link") && FileEntry.exists("\(bench.path)/out/\(folder)/metadata.json"))
        #expect(Directory.names(in: bench.path)?.contains("x") == false)
    }
}
