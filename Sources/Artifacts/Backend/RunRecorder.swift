import Base
import EvalModel
import Git

/// A results backend as seen by one job: it stores the job's runs and decides when they count as recorded (docs/design.md,
/// section 4).
///
/// To add a backend, add one file to this folder with a conforming type, and a case where the operator reads
/// `spec.artifacts.backend`.
public protocol RunRecorder: Sendable {
    /// Checks that results can be written to the backend. Called before the job's first trial.
    /// - Throws: the reason if not. `.branchIsDefault` and `.invalid` need a change of the spec; the other kinds may be temporary.
    func check() async throws(ArtifactError)
    /// Accepts a record. When this returns, the record is on this machine's disk or was already recorded.
    /// - Throws: `.damaged` when the record's pack does not match its report (the caller then submits the record without the pack);
    ///   `.storage` when the record cannot be stored.
    func submit(_ run: PendingRun) async throws(ArtifactError)
    /// Whether the submitted record with this `PendingRun.name` is stored safely enough to be counted.
    func isRecorded(_ name: String) async -> Bool
    /// The record of a run that this process or an earlier one recorded; nil if there is none.
    func record(of id: RunID) async throws(ArtifactError) -> RunRecord?
    /// Writes the job's waiting records to their destination now, as far as the destination's rate limit allows.
    /// - Throws: why the write failed; the records keep waiting.
    func flush() async throws(ArtifactError)
    /// Switches to a new credential after the Secret's content has changed.
    func use(_ credentials: GitCredentials) async
    func state() async -> RecorderState
}

/// What a job's status reports about its results.
public struct RecorderState: Sendable, Hashable {
    /// nil for backends without branches.
    public var branch: String?
    /// The newest commit that the remote's branch is known to have.
    public var head: String?
    /// The number of this job's records that have not reached their destination yet.
    public var pending: Int
    /// Why the last attempt to write this job's records failed; nil if it succeeded.
    public var failure: ArtifactError?
    /// A message for the user even if nothing has failed.
    public var notice: String?

    public init(branch: String? = nil, head: String? = nil, pending: Int = 0, failure: ArtifactError? = nil, notice: String? = nil) {
        self.branch = branch
        self.head = head
        self.pending = pending
        self.failure = failure
        self.notice = notice
    }
}
