import Artifacts
import Base
import EvalModel
import Foundation
import Git
import Glibc
import Testing

/// `backend: local`: the branch's layout in a directory.
@Suite struct LocalLedgerTests {
    @Test("the layout is that of the branch, links are left out, and writing twice changes nothing")
    func layout() async throws {
        let bench = try Workbench()
        let directory = "\(bench.path)/results"
        let ledger = LocalLedger(directory: directory, scratch: "\(bench.path)/scratch")
        let pack = try await bench.pack([
            "logs/agent/stdout.txt": Array("hi\n".utf8), "transcript.jsonl": Array("{}\n".utf8), "collected.json": [123, 125],
        ])
        var failed = bench.record(0, reward: nil)
        failed.kind = "retry"
        let retry = try PendingRun(run: failed, slot: .retry(0))
        let run = try PendingRun(run: bench.record(0), pack: pack)
        let job = try PendingRun(job: bench.job())
        for run in [retry, run, job] { try await ledger.submit(run) }
        let wanted: Set = [
            "\(run.id.path)/metadata.json", "\(run.id.path)/summary.json", "\(run.id.path)/logs/agent/stdout.txt", "\(run.id.path)/transcript.jsonl",
            "\(run.id.path)/collected.json", "\(run.id.path)/retries/0/metadata.json", "\(run.id.path)/retries/0/summary.json",
            "\(job.id.path)/metadata.json",
        ]
        #expect(files(directory) == wanted)
        #expect(await ledger.record(of: run.id) == bench.record(0))
        var other = bench.record(0, reward: 0)
        other.agent = "somebody else"
        try await ledger.submit(PendingRun(run: other))
        #expect(await ledger.record(of: run.id) == bench.record(0))
        #expect((Directory.names(in: "\(bench.path)/scratch") ?? []).isEmpty)
    }

    @Test("an incomplete record of an earlier process is completed")
    func interrupted() async throws {
        let bench = try Workbench()
        let directory = "\(bench.path)/results"
        let run = try PendingRun(run: bench.record(0), pack: try await bench.pack(["logs/a.txt": Array("whole".utf8)]))
        try Directory.make("\(directory)/\(run.id.path)/logs")
        try FileWriting.replace("\(directory)/\(run.id.path)/logs/a.txt", with: Array("who".utf8))
        let ledger = LocalLedger(directory: directory, scratch: "\(bench.path)/scratch")
        #expect(await ledger.record(of: run.id) == nil)
        try await ledger.submit(run)
        #expect(FileReading.whole("\(directory)/\(run.id.path)/logs/a.txt") == Array("whole".utf8))
        #expect(await ledger.record(of: run.id) != nil)
    }

    @Test("two operators record the same runs at the same time: each record is whole, and of one of them")
    func twoWriters() async throws {
        let bench = try Workbench()
        let directory = "\(bench.path)/results"
        let names = (0..<40).map { "logs/\($0).txt" }
        var packs: [String: PendingRun.Pack] = [:]
        for name in ["old", "new"] {
            packs[name] = try await bench.pack(
                Dictionary(uniqueKeysWithValues: names.map { ($0, Array(String(repeating: name, count: 10_000).utf8)) }))
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (name, pack) in packs {
                let ledger = LocalLedger(directory: directory, scratch: "\(bench.path)/scratch-\(name)")
                for index in 0..<6 {
                    var record = bench.record(index)
                    record.agent = name
                    let run = try PendingRun(run: record, pack: pack)
                    group.addTask { try await ledger.submit(run) }
                }
            }
            try await group.waitForAll()
        }
        let reader = LocalLedger(directory: directory, scratch: "\(bench.path)/scratch")
        for index in 0..<6 {
            let id = try PendingRun(run: bench.record(index)).id
            let agent = try #require(await reader.record(of: id)?.agent)
            for name in names {
                #expect(FileReading.text("\(directory)/\(id.path)/\(name)") == String(repeating: agent, count: 10_000), "\(index) \(name)")
            }
        }
    }

    @Test("catalogue 40: a directory that cannot be written gives a storage error, and the run is not recorded")
    func unwritable() async throws {
        let bench = try Workbench()
        try FileWriting.replace("\(bench.path)/results", with: [1])
        let ledger = LocalLedger(directory: "\(bench.path)/results", scratch: "\(bench.path)/scratch")
        let run = try PendingRun(run: bench.record(0))
        #expect(try await artifactError { try await ledger.submit(run) }.kind == .storage)
        #expect(await ledger.record(of: run.id) == nil)
    }

    private func files(_ directory: String) -> Set<String> {
        var found: Set<String> = []
        for case let path as String in FileManager.default.enumerator(atPath: directory) ?? .init()
        where !FileEntry.isDirectory("\(directory)/\(path)") {
            found.insert(path)
        }
        return found
    }
}
