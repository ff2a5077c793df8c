import Artifacts
import AssayTesting
import Base
import EvalModel
import Foundation
import Git
import Glibc
import Subprocess
import Testing

/// A directory for one test, removed at its end, with functions that make remotes, ledgers and records.
final class Workbench: Sendable {
    let path: String
    static let branch = "assay/runs/v1"

    init() throws {
        path = "\(NSTemporaryDirectory())/assay-artifacts-\(UUID().uuidString)".replacingOccurrences(of: "//", with: "/")
        try Directory.make(path)
    }

    deinit { Directory.removeTree(path) }

    // MARK: git
    @discardableResult
    func git(_ directory: String, _ arguments: String..., input: [UInt8]? = nil) async throws -> String {
        try await TestGit.text(directory, arguments, input: input)
    }

    func gitBytes(_ directory: String, _ arguments: [String], input: [UInt8]? = nil) async throws -> [UInt8] {
        try await TestGit.run(directory, arguments, input: input)
    }

    /// A bare repository without commits, whose HEAD names a branch.
    func emptyRemote(_ name: String = "remote.git", head: String = "main") async throws -> String {
        let directory = "\(path)/\(name)"
        try await git(path, "init", "-q", "--bare", "-b", head, directory)
        return directory
    }

    /// Commits files to a branch of a bare repository, as a person with a checkout would.
    func commit(_ files: [String: String], to branch: String, of remote: String) async throws {
        let checkout = "\(path)/checkout-\(UUID().uuidString)"
        try await git(path, "clone", "-q", remote, checkout)
        let known = try await git(checkout, "branch", "-r", "--list", "origin/\(branch)")
        try await git(checkout, "checkout", "-q", known.isEmpty ? "--orphan" : "-B", branch, known.isEmpty ? "--" : "origin/\(branch)")
        for (name, text) in files {
            try Directory.make(Path.parent(of: "\(checkout)/\(name)"))
            try text.write(toFile: "\(checkout)/\(name)", atomically: false, encoding: .utf8)
        }
        try await git(checkout, "add", "-A")
        try await git(checkout, "commit", "-q", "-m", "by hand")
        try await git(checkout, "push", "-q", "origin", "HEAD:refs/heads/\(branch)")
    }

    func hook(_ name: String, of remote: String, _ script: String) throws {
        try Directory.make("\(remote)/hooks")
        try FileWriting.replace("\(remote)/hooks/\(name)", with: Array("#!/bin/sh\n\(script)\n".utf8), mode: 0o755)
    }

    func removeHook(_ name: String, of remote: String) { unlink("\(remote)/hooks/\(name)") }

    /// Subjects of a branch's commits, oldest first.
    func subjects(_ remote: String, _ branch: String = Workbench.branch) async throws -> [String] {
        try await git(remote, "log", "--reverse", "--format=%s", branch).split(separator: "\n").map(String.init)
    }

    func files(_ remote: String, _ branch: String = Workbench.branch) async throws -> [String] {
        try await git(remote, "ls-tree", "-r", "--name-only", branch).split(separator: "\n").map(String.init)
    }

    /// fsck finds nothing, and the history is linear.
    func expectSound(_ remote: String, _ branch: String = Workbench.branch) async throws {
        try await git(remote, "fsck", "--strict", "--no-dangling")
        #expect(try await git(remote, "rev-list", "--min-parents=2", branch).isEmpty)
    }

    /// Each run is on the branch exactly once.
    func expectOnce(_ runs: [PendingRun], _ remote: String, _ branch: String = Workbench.branch) async throws {
        let subjects = try await subjects(remote, branch)
        let wanted = runs.map { $0.message.split(separator: "\n").first.map(String.init) ?? "" }
        #expect(subjects.filter { $0 != "by hand" }.sorted() == wanted.sorted())
    }

    // MARK: Ledgers

    func settings(_ remote: String, directory: String = "ledger", branch: String = Workbench.branch, path prefix: String = "") throws
        -> GitLedger.Settings
    {
        GitLedger.Settings(
            remote: .init(try GitURL(parsing: "file://\(remote)", allowing: .local)), branch: try GitBranch(parsing: branch),
            path: try GitPath(parsing: prefix), committer: try .init(name: "assay", email: "assay@localhost"), directory: "\(path)/\(directory)",
            pushInterval: 0.05)
    }

    func ledger(
        _ remote: String, directory: String = "ledger", branch: String = Workbench.branch, path prefix: String = "", client: GitClient = GitClient(),
        time: any TimeSource = HastyTime(), retention: ConfirmedRetention = ConfirmedRetention()
    ) throws -> GitLedger {
        var settings = try settings(remote, directory: directory, branch: branch, path: prefix)
        settings.retention = retention
        return try GitLedger(settings: settings, client: client, time: time, log: Log("test"))
    }

    /// A git that behaves differently for some calls. `body` is shell; after it the real git runs.
    func fakeGit(_ body: String) throws -> GitClient {
        let script = """
            #!/bin/sh
            for word in "$@"; do case "$word" in push) push=1;; ls-remote) look=1;; fetch) fetch=1;; esac; done
            \(body)
            exec git "$@"
            """
        let file = "\(path)/git-\(UUID().uuidString)"
        try FileWriting.replace(file, with: Array(script.utf8), mode: 0o755)
        var settings = GitClient.Settings()
        settings.executable = file
        return GitClient(settings: settings)
    }

    // MARK: Records

    static let epoch = Timestamp(seconds: 1_750_000_000)

    func record(_ index: Int, job: String = "job", agent: String = "oracle", model: String? = nil, task: String? = nil, reward: Double? = 1)
        -> RunRecord
    {
        let coordinate = TrialCoordinate(
            index: index, agent: agent, agentIndex: 0, dataset: "basic", task: task ?? "task-\(index)", taskIndex: index, attempt: 1)
        var outcome = TrialOutcome(
            reward: reward.map { Reward($0) }, error: reward == nil ? TrialError(.verifierRewardMissing, "no reward was written") : nil)
        outcome.timings.execute = PhaseSpan(startedAt: Self.epoch.adding(seconds: Double(index)), seconds: 1.5)
        return RunRecord(
            runId: coordinate.runID(jobUID: "uid-\(job)"), jobName: job, jobUid: "uid-\(job)", namespace: "default", agent: agent, model: model,
            trial: coordinate, retries: 0, outcome: outcome, exitCodes: ["execute": 0, "verify": 0],
            config: .init(instructionPath: "/tmp/instruction.md", environment: ["API_KEY"]), sourceRepo: "org/repo",
            sourceCommit: String(repeating: "ab", count: 20), sourceRef: "main", evalFile: "tasks/\(index)", outputs: .init(),
            startedAt: Self.epoch.adding(seconds: Double(index)), timestamp: Self.epoch.adding(seconds: Double(index) + 2))
    }

    func runs(_ indexes: Range<Int>, job: String = "job") throws -> [PendingRun] {
        try indexes.map { try PendingRun(run: record($0, job: job)) }
    }

    /// A pack of the files, in the form that a collector sends.
    func pack(_ files: [String: [UInt8]]) async throws -> PendingRun.Pack {
        let (bytes, tree) = try await TestGit.pack(files, in: path)
        return .init(bytes: bytes, tree: try #require(GitObjectID(tree)))
    }
}

/// The machine's time, but sleeps are a hundred times shorter.
struct HastyTime: TimeSource {
    func now() -> Timestamp { SystemTime().now() }
    func monotonic() -> Double { SystemTime().monotonic() }
    func sleep(seconds: Double) async throws { try await SystemTime().sleep(seconds: seconds / 100) }
}

/// Time that stands still: every longer sleep lasts until it is cancelled. Records the lengths of the sleeps.
final class FrozenTime: TimeSource {
    private let asked = Locked([Double]())
    private let allowed: Double

    /// - Parameter allowed: sleeps up to this length end at once.
    init(passing allowed: Double) { self.allowed = allowed }

    var sleeps: [Double] { asked.withLock { $0 } }
    func now() -> Timestamp { Workbench.epoch }
    func monotonic() -> Double { 0 }

    func sleep(seconds: Double) async throws {
        guard seconds > allowed else { return try Task.checkCancellation() }
        asked.withLock { $0.append(seconds) }
        try await Task.sleep(for: .seconds(3600))
    }
}

/// Returns when the condition holds; fails the test when it does not hold within the time.
func eventually(_ what: String, within seconds: Double = 120, _ condition: () async throws -> Bool) async throws {
    let end = SystemTime().monotonic() + seconds
    while try await !condition() {
        try #require(SystemTime().monotonic() < end, "\(what) did not happen within \(seconds) s")
        try await Task.sleep(for: .milliseconds(10))
    }
}

/// The error that the body throws.
func artifactError<R>(_ body: () async throws -> R) async throws -> ArtifactError {
    do {
        _ = try await body()
    } catch let error as ArtifactError {
        return error
    }
    throw Unexpected()
}

struct Unexpected: Error, CustomStringConvertible { var description: String { "no error was thrown" } }
