import Artifacts
import Base
import EvalModel
import Foundation
import Git
import Subprocess
import Testing

@testable import Dashboard

/// A directory for one test, removed at its end, with a branch of results that a real ledger wrote, and sites made from it.
final class SiteBench: Sendable {
    let path: String
    let remote: String
    static let branch = "assay/runs/v1"
    static let epoch = Timestamp(seconds: 1_790_000_000)
    /// Text that would have an effect if it were not escaped.
    static let hostile =
        "<script>document.title='owned';alert(1)</script><img src=https://evil.example/x onerror=alert(2)> \u{1B}[31m\u{1B}]0;t\u{7} \u{202E}txt \"quoted\" 'single' & {{7*7}}"

    init() async throws {
        path = "\(NSTemporaryDirectory())/assay-dashboard-\(UUID().uuidString)".replacingOccurrences(of: "//", with: "/")
        remote = "\(path)/evals.git"
        try Directory.make(path)
        try await git("init", "-q", "--bare", "-b", "main", remote)
    }

    deinit { Directory.removeTree(path) }

    @discardableResult
    func git(_ arguments: String...) async throws -> String {
        let result = try await Command(
            "git", arguments, environment: .inheriting(adding: ["GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"]), workingDirectory: path
        ).run()
        try #require(result.succeeded, "git \(arguments): \(result.stderrText)")
        return result.stdoutText
    }

    // MARK: Records

    struct Run {
        var job = "nightly"
        var uid = "uid-1"
        var agent = "claude"
        var model: String? = "sonnet"
        var task: String
        var attempt = 1
        var reward: Double? = 1
        var error: TrialError?
        var at = 0.0
        var files: [String: [UInt8]] = [:]
    }

    static func record(_ run: Run) -> RunRecord {
        let coordinate = TrialCoordinate(
            index: 0, agent: run.agent, agentIndex: 0, dataset: "basics", task: run.task, taskIndex: 0, attempt: run.attempt)
        var outcome = TrialOutcome(reward: run.reward.map { Reward($0) }, error: run.error, cost: 0.25)
        outcome.timings.setup = PhaseSpan(startedAt: epoch, seconds: 2)
        outcome.timings.execute = PhaseSpan(startedAt: epoch, seconds: 61.5)
        return RunRecord(
            runId: coordinate.runID(jobUID: run.uid), jobName: run.job, jobUid: run.uid, namespace: "default", agent: run.agent, model: run.model,
            trial: coordinate, retries: 0,
            outcome: outcome, exitCodes: ["execute": 0],
            config: .init(instructionPath: "/tmp/instruction.md", image: "img:1", environment: ["API_KEY"]),
            sourceRepo: "org/repo", sourceCommit: String(repeating: "ab", count: 20), evalFile: "tasks/\(run.task)", outputs: .init(redactions: 1),
            startedAt: epoch.adding(seconds: run.at), timestamp: epoch.adding(seconds: run.at + 60))
    }

    static func pending(_ run: Run) throws -> PendingRun {
        var pending = try PendingRun(run: record(run))
        for (name, bytes) in run.files { pending.files[try GitPath(parsing: name)] = bytes }
        return pending
    }

    static func job(_ name: String, uid: String, _ runs: [Run], cancelled: Bool = false, at: Double = 5000) throws -> PendingRun {
        var figures = Aggregate()
        for run in runs { figures.add(record(run).trialOutcome) }
        return try PendingRun(
            job: JobRecord(
                runId: RunID(jobUID: uid), jobName: name, jobUid: uid, namespace: "default", totalTrials: runs.count, cancelled: cancelled,
                reason: cancelled ? "stopped by a user" : nil,
                agents: [("claude", figures)], sourceRepo: "org/repo", sourceCommit: String(repeating: "ab", count: 20), startedAt: epoch,
                timestamp: epoch.adding(seconds: at)))
    }

    /// Two jobs of two agents on tasks with every outcome, and hostile text in every field that may contain text.
    static func everything() -> [Run] {
        let session =
            [
                #"{"role":"user","content":"Fix it"}"#,
                #"{"type":"assistant","message":{"role":"assistant","content":[{"type":"text","text":"<b>looking</b>"},{"type":"tool_use","name":"<i>bash</i>","input":{"command":"cat <<E\n</pre><script>alert(3)</script>\nE"}}]}}"#,
                "this is no JSON " + hostile,
            ].joined(separator: "\n") + "\n"
        var runs: [Run] = []
        for (number, uid) in ["uid-1", "uid-2"].enumerated() {
            let at = Double(number) * 86400
            runs += [
                Run(
                    uid: uid, task: "hello", at: at,
                    files: ["transcript.jsonl": Array(session.utf8) + [0xFF, 0xFE, 0x80, 10], "logs/verifier/stdout.txt": Array("3 passed\n".utf8)]),
                Run(uid: uid, task: "hello", attempt: 2, reward: number == 0 ? 0 : 1, at: at + 10),
                Run(
                    uid: uid, task: "parse", reward: number == 0 ? 0.5 : 0.25, at: at + 20,
                    files: ["logs/agent/stdout.txt": Array((hostile + "\n").utf8) + [0xC3, 0x28, 0x1B, 0x5B, 0x32, 0x4A, 10]]),
                Run(uid: uid, task: "slow", reward: nil, error: TrialError(.agentExecutionTimeout, "stopped after 600 s: \(hostile)"), at: at + 30),
                Run(uid: uid, task: "lost", reward: nil, error: TrialError(.environmentNodeLost, "node-3 went away"), at: at + 40),
                Run(uid: uid, agent: "oracle", model: nil, task: "hello", at: at + 50),
                Run(
                    uid: uid, agent: "x\"><script>alert(4)</script>", model: "m'<svg onload=alert(5)>", task: "t\"><img src=x onerror=alert(6)>",
                    reward: 0, at: at + 60),
            ]
        }
        return runs
    }

    func write(_ runs: [PendingRun], directory: String = "ledger") async throws {
        let ledger = try GitLedger(
            settings: .init(
                remote: .init(try GitURL(parsing: "file://\(remote)", allowing: .local)), branch: try GitBranch(parsing: Self.branch),
                committer: try .init(name: "assay", email: "assay@localhost"), directory: "\(path)/\(directory)", pushInterval: 0.01))
        for run in runs { try await ledger.submit(run) }
        try await ledger.flush()
        await ledger.stop()
    }

    /// The repository of `everything`, with the records of both jobs.
    func writeEverything() async throws {
        let runs = Self.everything()
        try await write(
            runs.map(Self.pending)
                + [
                    Self.job("nightly", uid: "uid-1", runs.filter { $0.uid == "uid-1" }),
                    Self.job("nightly", uid: "uid-2", runs.filter { $0.uid == "uid-2" }, cancelled: true, at: 90000),
                ])
    }

    // MARK: Sites

    func reader() async throws -> any RunReader {
        try await RunQuery(cacheDirectory: "\(path)/cache", workingDirectory: path, credentials: .none)
            .open(.branch(remote: remote, branch: try GitBranch(parsing: Self.branch), path: .root))
    }

    var site: String { "\(path)/site" }

    @discardableResult
    func generate(title: String = "evals", isLive: Bool = false) async throws -> SiteGenerator.Report {
        try await SiteGenerator(directory: site, title: title, isLive: isLive).update(from: reader(), origin: "Branch \(Self.branch) of evals")
    }

    func text(_ file: SitePath) throws -> String {
        String(decoding: try #require(FileReading.whole("\(site)/\(file.text)"), "\(file.text)"), as: UTF8.self)
    }

    /// Every file of the site, by path.
    func files() -> Set<String> {
        var found: Set<String> = []
        let walk = FileManager.default.enumerator(atPath: site)
        while let name = walk?.nextObject() as? String {
            if !FileEntry.isDirectory("\(site)/\(name)"), !name.hasPrefix(".") { found.insert(name) }
        }
        return found
    }

    // MARK: The browser

    /// Runs a plan in a real browser (Browser/browse.py describes the plan's form).
    func browse(_ plan: JSONValue) async throws -> JSONValue {
        let script = try #require(Bundle.module.path(forResource: "browse", ofType: "py", inDirectory: "Browser"))
        let result = try await Command("python3", [script], standardInput: .bytes(plan.serialized()), deadlineSeconds: 240).run()
        try #require(result.succeeded, "the browser: \(result.stderrText.suffix(2000))")
        return try JSONValue(parsing: result.stdout)
    }
}

extension JSONValue {
    func list(_ key: String) -> [JSONValue] { self[key]?.array ?? [] }
    func texts(_ key: String) -> [String] { list(key).compactMap(\.string) }
}
