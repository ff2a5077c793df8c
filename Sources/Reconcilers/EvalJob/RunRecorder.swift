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
    func flush() async throws(ArtifactError)
    func state() async -> RecorderState
}

struct RecorderState: Sendable, Hashable {
    var branch: String?
    var head: String?
    var pending = 0
    var failure: ArtifactError?
}

/// A branch of a remote. On a cluster only the remote counts; on the laptop the synced local store does.
struct GitRecorder: RunRecorder {
    let ledger: GitLedger
    let branch: String
    let needsRemote: Bool

    func check() async throws(ArtifactError) { try await ledger.check() }
    func submit(_ run: PendingRun) async throws(ArtifactError) { try await ledger.submit(run) }
    func isRecorded(_ name: String) async -> Bool {
        guard needsRemote else { return true }
        return await ledger.isConfirmed(name)
    }
    func record(of id: RunID) async throws(ArtifactError) -> RunRecord? { try await ledger.record(of: id) }
    func flush() async throws(ArtifactError) { try await ledger.flush() }
    func state() async -> RecorderState {
        let state = await ledger.state
        return RecorderState(branch: branch, head: state.head?.hex, pending: state.pending, failure: state.failure)
    }
}

/// A directory.
struct DirectoryRecorder: RunRecorder {
    let ledger: LocalLedger

    func check() async throws(ArtifactError) {}
    func submit(_ run: PendingRun) async throws(ArtifactError) { try await ledger.submit(run) }
    func isRecorded(_ name: String) async -> Bool { true }
    func record(of id: RunID) async throws(ArtifactError) -> RunRecord? { await ledger.record(of: id) }
    func flush() async throws(ArtifactError) {}
    func state() async -> RecorderState { RecorderState() }
}

/// One ledger for each (remote, branch, path, credential): a batch is never pushed with another job's credential.
actor LedgerPool {
    private struct Key: Hashable {
        var remote: String
        var branch: String
        var path: String
        var credential: String
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

    func ledger(_ remote: GitClient.Remote, branch: GitBranch, path: GitPath) throws(ArtifactError) -> GitLedger {
        let key = Key(remote: remote.url.text, branch: branch.name, path: path.text, credential: remote.credentials.key)
        if let known = ledgers[key] { return known }
        let name = SHA256.hex(of: Array("\(key.remote)\n\(key.branch)\n\(key.path)\n\(key.credential)".utf8)).prefix(16)
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
