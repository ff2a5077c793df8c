import Base
import EvalModel
import Git

/// A results backend, as one job uses it: where the job's runs are kept, and when they count as recorded (docs/design.md,
/// section 4).
///
/// A new backend is one file in this folder with a type that conforms, and a case where the operator reads
/// `spec.artifacts.backend`.
public protocol RunRecorder: Sendable {
    /// Whether results can be written there at all. Called before the job's first trial.
    /// - Throws: why not: `.branchIsDefault` and `.invalid` need a change of the spec, the other kinds may pass.
    func check() async throws(ArtifactError)
    /// Takes a record. When this returns the record is on this machine's disk, or already recorded.
    /// - Throws: `.damaged` when the record's pack is not what its report says (submit it without the pack, then); `.storage`
    ///   when it cannot be kept.
    func submit(_ run: PendingRun) async throws(ArtifactError)
    /// Whether a submitted record, by its `PendingRun.name`, is kept well enough to be counted.
    func isRecorded(_ name: String) async -> Bool
    /// The record of a run that this process or an earlier one recorded; nil when there is none.
    func record(of id: RunID) async throws(ArtifactError) -> RunRecord?
    /// Writes the job's waiting records to their destination now, as far as the destination's rate limit allows.
    /// - Throws: why that failed; the records still wait.
    func flush() async throws(ArtifactError)
    /// Uses another credential from now on: the Secret's content has changed.
    func use(_ credentials: GitCredentials) async
    func state() async -> RecorderState
}

/// What a job's status says of its results.
public struct RecorderState: Sendable, Hashable {
    /// nil for backends without branches.
    public var branch: String?
    /// The newest commit of the branch that is known to be on the remote.
    public var head: String?
    /// Records of this job that are not at their destination yet.
    public var pending: Int
    /// Why the last attempt to write this job's records failed; nil when it did not.
    public var failure: ArtifactError?
    /// A message for the user although nothing has failed.
    public var notice: String?

    public init(branch: String? = nil, head: String? = nil, pending: Int = 0, failure: ArtifactError? = nil, notice: String? = nil) {
        self.branch = branch
        self.head = head
        self.pending = pending
        self.failure = failure
        self.notice = notice
    }
}
