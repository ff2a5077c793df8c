import EvalModel
import Git

/// `backend: git`: results are stored on a branch of a remote.
public struct GitRecorder: RunRecorder {
    private let lease: LedgerPool.Lease
    private let branch: String
    private let job: String
    private let needsRemote: Bool

    private var ledger: GitLedger { lease.ledger }

    /// - Parameters:
    ///   - lease: keeps the ledger open. Other jobs may write through the same ledger.
    ///   - job: the job's UID.
    ///   - needsRemote: if true (on a cluster), a record counts only when the remote has it; if false (on a laptop), as soon as it is in the
    ///     local store.
    public init(lease: LedgerPool.Lease, branch: GitBranch, job: String, needsRemote: Bool) {
        self.lease = lease
        self.branch = branch.name
        self.job = job
        self.needsRemote = needsRemote
    }

    public func check() async throws(ArtifactError) { try await ledger.check() }
    public func submit(_ run: PendingRun) async throws(ArtifactError) { try await ledger.submit(run) }
    public func isRecorded(_ name: String) async -> Bool {
        guard needsRemote else { return true }
        return await ledger.isConfirmed(name)
    }
    public func record(of id: RunID) async throws(ArtifactError) -> RunRecord? { try await ledger.record(of: id) }
    public func flush() async throws(ArtifactError) { try await ledger.flush(job: job) }
    public func use(_ credentials: GitCredentials) async { await ledger.use(credentials) }
    public func state() async -> RecorderState {
        let state = await ledger.state
        let pending = await ledger.pending(ofJob: job)
        // When the remote refuses a record, only the job that the record belongs to is reported as failed.
        let failureIsOfAnotherJob = pending == 0 && state.pending > 0 && (state.failure?.kind == .refused || state.failure?.kind == .tooLarge)
        return RecorderState(
            branch: branch, head: state.head?.hex, pending: pending, failure: failureIsOfAnotherJob ? nil : state.failure,
            notice: state.rewrite.map(Self.notice))
    }

    private static func notice(_ rewrite: GitLedger.Rewrite) -> String {
        let gone = rewrite.gone > 0 ? "; \(rewrite.gone) more are no longer kept here and are lost" : ""
        return "at \(rewrite.noticedAt.rfc3339) the branch was found rewritten by somebody else, without results that it had: "
            + "\(rewrite.restored) of them are pushed again\(gone)"
    }
}
