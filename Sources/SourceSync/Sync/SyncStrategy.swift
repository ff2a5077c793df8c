import Git

/// How the benchmark of a job comes to where trials read it. An EvalTarget selects one with `sync`; the job does not change.
///
/// Each strategy is one file. docs/sources.md tells how to add one.
public protocol SyncStrategy: Sendable {
    /// The field that decides where the benchmark comes from, for messages.
    var field: String { get }

    /// The commit of a job. Afterwards `resolver` has what the strategy promises of it.
    ///
    /// - Throws: a `SourceError` without the name of the field. `isTransient` says whether a later try may succeed without a change.
    func sync(_ request: SyncRequest, with resolver: SourceResolver) async throws(SourceError) -> PinnedSource
}

/// What a job asks for.
public struct SyncRequest: Sendable {
    /// The repository that the job names.
    public let repo: String
    /// The branch, tag or commit that the job names; nil: the default branch.
    public let ref: String?
    /// The commit that the job was pinned to before; nil when it begins.
    public let pinned: GitObjectID?
    /// For the repository that the job names.
    public let credentials: GitCredentials
    /// Called with the commit that the remote names, before anything of it is fetched.
    public let seen: (@Sendable (GitObjectID) -> Void)?

    public init(
        repo: String, ref: String?, pinned: GitObjectID? = nil, credentials: GitCredentials = .none, seen: (@Sendable (GitObjectID) -> Void)? = nil
    ) {
        self.seen = seen
        self.repo = repo
        self.ref = ref
        self.pinned = pinned
        self.credentials = credentials
    }
}
