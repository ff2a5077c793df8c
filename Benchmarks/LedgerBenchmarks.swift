import Artifacts
import Base
import EvalModel
import Foundation
import Git
import Subprocess

/// The ledger against what a user would write instead, on the same content and disk.
struct LedgerBenchmarks {
    let scratch: String
    /// Of each record: metadata and summary as they are, and a transcript of words that compress like text does.
    static let recordBytes = 11_000
    static let branch = "assay/runs/v1"

    private struct Failure: Error, CustomStringConvertible { let description: String }

    // MARK: Content

    private static let words: [String] = {
        var numbers = SystemRandomNumberGenerator()
        return (0..<3000).map { _ in String(UInt32.random(in: 0..<(1 << 28), using: &numbers), radix: 16) }
    }()

    private static func transcript(_ bytes: Int) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(bytes + 16)
        while text.count < bytes {
            text += words[Int.random(in: 0..<words.count)].utf8
            text.append(0x20)
        }
        return text
    }

    /// - Parameter job: different jobs give different runs of the same content.
    private static func run(_ n: Int, job: String, pack: PendingRun.Pack? = nil) throws -> PendingRun {
        let trial = TrialCoordinate(index: n, agent: "claude", agentIndex: 0, dataset: "terminal-basics", task: "task-\(n)", taskIndex: n, attempt: 1)
        let end = Timestamp(seconds: 1_700_000_000 + Int64(n))
        var run = try PendingRun(
            run: RunRecord(
                runId: trial.runID(jobUID: job), jobName: job, jobUid: job, namespace: "default", agent: "claude", model: "claude-sonnet-4-6",
                trial: trial, retries: 0, outcome: TrialOutcome(reward: Reward(1), error: nil), config: .init(instructionPath: "/tmp/instruction.md"),
                sourceRepo: "org/repo", sourceCommit: String(repeating: "ab", count: 20), evalFile: "tasks/\(n)", startedAt: end, timestamp: end),
            pack: pack)
        let own = run.files.values.reduce(0) { $0 + $1.count }
        if pack == nil { run.files[try GitPath(parsing: "transcript.jsonl")] = transcript(recordBytes - own) }
        return run
    }

    // MARK: Programs

    private func git(_ words: [String], in directory: String? = nil, input: Command.Input = .none) async throws -> [UInt8] {
        let identity = ["-c", "user.name=assay", "-c", "user.email=assay@localhost", "-c", "gc.auto=0"]
        let result = try await Command("git", identity + words, workingDirectory: directory ?? scratch, standardInput: input, outputLimit: 1 << 30)
            .run()
        guard result.succeeded else { throw Failure(description: "git \(words.prefix(3)): \(result.stderrText)") }
        return result.stdout
    }

    private func bare(_ name: String) async throws -> String {
        let path = "\(scratch)/\(name).git"
        _ = try await git(["init", "--quiet", "--bare", path])
        return path
    }

    private func ledger(to remote: String, _ name: String) throws -> GitLedger {
        try GitLedger(
            settings: .init(
                remote: .init(try GitURL(parsing: "file://\(remote)", allowing: .local)), branch: try GitBranch(parsing: Self.branch),
                committer: try .init(name: "assay", email: "assay@localhost"), directory: "\(scratch)/\(name)", pushInterval: 10))
    }

    private func count(_ remote: String) async throws -> Int {
        Int(String(decoding: try await git(["rev-list", "--count", Self.branch], in: remote), as: UTF8.self).split(separator: "\n")[0]) ?? 0
    }

    /// Through the ledger, as the operator does when many trials end together: 64 submissions at a time, each durable when it
    /// returns; then everything is on the remote. Returns the seconds until the last was kept, and until all were pushed.
    private func write(_ runs: [PendingRun], to remote: String, _ name: String) async throws -> (kept: Double, pushed: Double) {
        let ledger = try ledger(to: remote, name)
        let begin = SystemTime().monotonic()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, run) in runs.enumerated() {
                if index >= 64 { try await group.next() }
                group.addTask { try await ledger.submit(run) }
            }
            try await group.waitForAll()
        }
        let kept = SystemTime().monotonic() - begin
        try await ledger.flush()
        let pushed = SystemTime().monotonic() - begin
        await ledger.stop()
        return (kept, pushed)
    }

    private func stream(_ runs: [PendingRun], extra: (PendingRun) throws -> [(String, [UInt8])] = { _ in [] }) throws -> String {
        let file = "\(scratch)/stream"
        guard FileManager.default.createFile(atPath: file, contents: nil), let out = FileHandle(forWritingAtPath: file) else {
            throw Failure(description: "cannot write \(file)")
        }
        for run in runs {
            var bytes = Array(
                "commit refs/heads/\(Self.branch)\ncommitter assay <assay@localhost> \(run.date.seconds) +0000\ndata \(run.message.utf8.count)\n\(run.message)"
                    .utf8)
            for (path, content) in try run.files.map({ ($0.key.text, $0.value) }) + extra(run) {
                bytes += Array("M 100644 inline \(run.id.path)/\(path)\ndata \(content.count)\n".utf8) + content + [0x0A]
            }
            try out.write(contentsOf: bytes)
        }
        try out.close()
        return file
    }

    /// What a user would write: one fast-import of the same content, one push.
    private func raw(_ stream: String, to remote: String, _ name: String) async throws -> Double {
        let work = try await bare(name)
        return try await seconds {
            _ = try await git(["fast-import", "--quiet"], in: work, input: .file(path: stream))
            _ = try await git(["push", "--quiet", remote, Self.branch], in: work)
        }
    }

    // MARK: The rows

    func throughput(runs count: Int, rounds: Int) async throws {
        var (ours, kept, theirs, ratios) = ([Double](), [Double](), [Double](), [Double]())
        for round in 0..<rounds {
            let runs = try (0..<count).map { try Self.run($0, job: "job-\(round)") }
            let stream = try stream(runs)
            let (a, b) = (try await bare("ledger-\(round)"), try await bare("raw-\(round)"))
            // Each first in turn: what one leaves to be written to the disk slows the other.
            var other = 0.0
            if round % 2 == 1 { other = try await raw(stream, to: b, "work-\(round)") }
            let time = try await write(runs, to: a, "private-\(round)")
            if round % 2 == 0 { other = try await raw(stream, to: b, "work-\(round)") }
            guard try await self.count(a) == count, try await self.count(b) == count else { throw Failure(description: "not all runs arrived") }
            ours.append(time.pushed)
            kept.append(time.kept)
            theirs.append(other)
            ratios.append(other / time.pushed)
            row("  round \(round + 1): ours, of which until durable, raw", "\(shown(time.pushed)) s, \(shown(time.kept)) s, \(shown(other)) s")
            for name in ["ledger-\(round).git", "raw-\(round).git", "work-\(round).git", "private-\(round)", "stream"] {
                try? FileManager.default.removeItem(atPath: "\(scratch)/\(name)")
            }
        }
        row(
            "\(count) runs of 11 KB, speed of raw fast-import + push (0.6)",
            "ratio \(shown(median(ratios)))  (\(shown(median(ours))) s of which durable after \(shown(median(kept))) s, raw \(shown(median(theirs))) s)"
        )
        let loop = try await loop(runs: 30) * Double(count)
        row(
            "  against a loop of git commit and git push (50)",
            "ratio \(shown(loop / median(ours)))  (\(shown(loop / Double(count) * 1000)) ms a run measured on 30, scaled to \(shown(loop)) s)")
    }

    /// Seconds a run: a work tree, `git add`, `git commit`, `git push`.
    private func loop(runs count: Int) async throws -> Double {
        let remote = try await bare("loop")
        let work = "\(scratch)/loop-work"
        _ = try await git(["init", "--quiet", "-b", Self.branch, work])
        let runs = try (0..<count).map { try Self.run($0, job: "loop") }
        let total = try await seconds {
            for run in runs {
                for (path, content) in run.files {
                    let file = "\(work)/\(run.id.path)/\(path.text)"
                    try FileManager.default.createDirectory(atPath: "\(work)/\(run.id.path)", withIntermediateDirectories: true)
                    try Data(content).write(to: URL(filePath: file))
                }
                _ = try await git(["add", "--all"], in: work)
                _ = try await git(["commit", "--quiet", "--message", run.message], in: work)
                _ = try await git(["push", "--quiet", remote, Self.branch], in: work)
            }
        }
        return total / Double(count)
    }

    /// The same with outputs as a collector sends them: a pack for each run, checked object by object when it comes.
    func packs(runs count: Int) async throws {
        let source = try await bare("packs")
        var contents: [String: [UInt8]] = [:]
        var runs: [PendingRun] = []
        for n in 0..<count {
            let content = Self.transcript(Self.recordBytes - 1500)
            let blob = Self.id(try await git(["hash-object", "-w", "--stdin"], in: source, input: .bytes(content)))
            let tree = Self.id(try await git(["mktree"], in: source, input: .bytes(Array("100644 blob \(blob)\ttranscript.jsonl\n".utf8))))
            let pack = try await git(["pack-objects", "--quiet", "--stdout"], in: source, input: .bytes(Array("\(tree)\n\(blob)\n".utf8)))
            guard let id = GitObjectID(tree) else { throw Failure(description: "git made no tree") }
            let run = try Self.run(n, job: "packs", pack: .init(bytes: pack, tree: id))
            contents[run.id.rawValue] = content
            runs.append(run)
        }
        let stream = try stream(runs) { [("transcript.jsonl", contents[$0.id.rawValue] ?? [])] }
        let (a, b) = (try await bare("packs-ledger"), try await bare("packs-raw"))
        let time = try await write(runs, to: a, "packs-private")
        let other = try await raw(stream, to: b, "packs-work")
        guard try await self.count(a) == count else { throw Failure(description: "not all runs arrived") }
        row(
            "\(count) runs of 11 KB whose outputs come as packs",
            "ratio \(shown(other / time.pushed))  (\(shown(time.pushed)) s of which checked and durable after \(shown(time.kept)) s, raw \(shown(other)) s)"
        )
    }

    private static func id(_ output: [UInt8]) -> String {
        String(decoding: output, as: UTF8.self).split(separator: "\n").first.map(String.init) ?? ""
    }

    /// A fresh ledger, nothing fetched before, before a branch that others have filled.
    func largeBranch(runs count: Int) async throws {
        let remote = try await bare("large")
        let file = "\(scratch)/large-stream"
        guard FileManager.default.createFile(atPath: file, contents: nil), let out = FileHandle(forWritingAtPath: file) else {
            throw Failure(description: "cannot write \(file)")
        }
        for n in 0..<count {
            let id = RunID(jobUID: "large", agent: "a", dataset: "d", task: "t\(n)", attempt: 1, rerun: 0)
            let content = "{\"runId\":\"\(id)\",\"n\":\(n)}\n"
            let text =
                "commit refs/heads/\(Self.branch)\ncommitter assay <assay@localhost> \(1_700_000_000 + n) +0000\ndata 22\nRun: \(id)\n"
                + ["metadata", "summary"].map { "M 100644 inline \(id.path)/\($0).json\ndata \(content.utf8.count)\n\(content)\n" }.joined()
            try out.write(contentsOf: Data(text.utf8))
        }
        try out.close()
        _ = try await git(["fast-import", "--quiet"], in: remote, input: .file(path: file))
        let ledger = try GitLedger(
            settings: .init(
                remote: .init(try GitURL(parsing: "file://\(remote)", allowing: .local)), branch: try GitBranch(parsing: Self.branch),
                committer: try .init(name: "assay", email: "assay@localhost"), directory: "\(scratch)/large", pushInterval: 10))
        var times: [Double] = []
        for n in 0..<3 {
            let run = try Self.run(n, job: "large")
            times.append(
                try await seconds {
                    try await ledger.submit(run)
                    try await ledger.flush()
                })
        }
        await ledger.stop()
        let size = Self.id(try await Command("du", ["-sk", "\(scratch)/large/repository"]).run().stdout).split(separator: "\t").first ?? "?"
        row(
            "a run onto a branch of \(count)",
            "first \(shown(times[0])) s (with the fetch), then \(shown(times[1])) s; \(size) KB here of \(count) runs' history")
    }
}
