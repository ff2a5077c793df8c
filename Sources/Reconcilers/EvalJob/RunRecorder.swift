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
    /// Keeps the ledger open.
    let use: LedgerPool.Use

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
