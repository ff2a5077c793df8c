import Artifacts
import Base
import EvalModel
import Git

/// Where a job's runs are kept, and when they count as recorded (docs/design.md, section 4).
protocol RunRecorder: Sendable {
    /// Whether results may be written there at all.
    func check() async throws(ArtifactError)
    func submit(_ run: PendingRun) async throws(ArtifactError)
    /// Whether a submitted record, by its `PendingRun.name`, is kept well enough to be counted.
    func isRecorded(_ name: String) async -> Bool
    /// What was recorded of a run before, by this process or an earlier one.
    func record(of id: RunID) async throws(ArtifactError) -> RunRecord?
    /// Has the job's records pushed now instead of at their turn, as far as the remote's pace allows.
    func hasten() async throws(ArtifactError)
    /// What the remote is shown has changed.
    func use(_ credentials: GitCredentials) async
    func state() async -> RecorderState
}

struct RecorderState: Sendable, Hashable {
    var branch: String?
    var head: String?
    /// Of this job.
    var pending = 0
    var failure: ArtifactError?
    /// What a user should know though everything is as it should be.
    var notice: String?
}

/// A branch of a remote, for one job. On a cluster only the remote counts; on the laptop the synced local store does.
struct GitRecorder: RunRecorder {
    let ledger: GitLedger
    let branch: String
    /// The job's UID: others may write through the same ledger.
    let job: String
    let needsRemote: Bool

    func check() async throws(ArtifactError) { try await ledger.check() }
    func submit(_ run: PendingRun) async throws(ArtifactError) { try await ledger.submit(run) }
    func isRecorded(_ name: String) async -> Bool {
        guard needsRemote else { return true }
        return await ledger.isConfirmed(name)
    }
    func record(of id: RunID) async throws(ArtifactError) -> RunRecord? { try await ledger.record(of: id) }
    func hasten() async throws(ArtifactError) { try await ledger.hasten(job: job) }
    func use(_ credentials: GitCredentials) async { await ledger.use(credentials) }
    func state() async -> RecorderState {
        let state = await ledger.state
        let pending = await ledger.pending(ofJob: job)
        // A record that the remote will not have is the trouble of the job that it is of.
        let isOthers = pending == 0 && state.pending > 0 && (state.failure?.kind == .refused || state.failure?.kind == .tooLarge)
        return RecorderState(
            branch: branch, head: state.head?.hex, pending: pending, failure: isOthers ? nil : state.failure, notice: state.rewrite.map(Self.notice))
    }

    private static func notice(_ rewrite: GitLedger.Rewrite) -> String {
        let gone = rewrite.gone > 0 ? "; \(rewrite.gone) more are not kept here any more and are lost" : ""
        return "at \(rewrite.noticedAt.rfc3339) the branch was found rewritten by somebody else, without results that it had: "
            + "\(rewrite.restored) of them are pushed again\(gone)"
    }
}

/// A directory.
struct DirectoryRecorder: RunRecorder {
    let ledger: LocalLedger

    func check() async throws(ArtifactError) {}
    func submit(_ run: PendingRun) async throws(ArtifactError) { try await ledger.submit(run) }
    func isRecorded(_ name: String) async -> Bool { true }
    func record(of id: RunID) async throws(ArtifactError) -> RunRecord? { await ledger.record(of: id) }
    func hasten() async throws(ArtifactError) {}
    func use(_ credentials: GitCredentials) async {}
    func state() async -> RecorderState { RecorderState() }
}

/// One ledger for each (remote, branch, path, Secret): a batch is never pushed with another job's credential. What the
/// Secret holds may change; what waits is pushed with what it holds now.
actor LedgerPool {
    private struct Key: Hashable {
        var remote: String
        var branch: String
        var path: String
        /// `namespace/name`; empty without one.
        var secret: String
    }

    private let directory: String
    private let committer: FastImportStream.Identity
    private let pushInterval: Double
    private var ledgers: [Key: GitLedger] = [:]
    private let onChange: @Sendable () -> Void

    init(directory: String, committer: FastImportStream.Identity, pushInterval: Double, onChange: @escaping @Sendable () -> Void) {
        self.directory = directory
        self.committer = committer
        self.pushInterval = pushInterval
        self.onChange = onChange
    }

    /// - Parameter secret: the Secret, as `namespace/name`, that the remote's credential is from; nil when it is from none.
    func ledger(_ remote: GitClient.Remote, branch: GitBranch, path: GitPath, secret: String?) async throws(ArtifactError) -> GitLedger {
        let key = Key(remote: remote.url.text, branch: branch.name, path: path.text, secret: secret ?? "")
        if let known = ledgers[key] {
            await known.use(remote.credentials)
            return known
        }
        let name = SHA256.hex(of: Array("\(key.remote)\n\(key.branch)\n\(key.path)\n\(key.secret)".utf8)).prefix(16)
        let ledger = try GitLedger(
            settings: .init(
                remote: remote, branch: branch, path: path, committer: committer, directory: "\(directory)/ledgers/\(name)",
                pushInterval: pushInterval), onChange: onChange)
        ledgers[key] = ledger
        Task { await ledger.resume() }
        return ledger
    }

    func stop() async {
        for ledger in ledgers.values { await ledger.stop() }
    }
}
