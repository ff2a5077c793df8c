import Base
import EvalModel
import Git

extension GitLedger {
    /// Called after each push with UIDs of jobs: after a success the jobs whose records were pushed, after a failure the jobs whose records
    /// wait. Also called with the jobs whose records have to be pushed again. Must not block.
    public typealias ChangeHandler = @Sendable (_ jobs: Set<String>) -> Void

    /// Called after each push, whether or not the remote took it. Must not block.
    public typealias PushHandler = @Sendable (LedgerPush) -> Void

    public struct Settings: Sendable {
        public var remote: GitClient.Remote
        public var branch: GitBranch
        /// The folder that contains the runs; the root if nobody else uses the branch.
        public var path: GitPath
        public var committer: FastImportStream.Identity
        /// A directory that only this ledger uses, for its repository and the records that are not confirmed yet.
        public var directory: String
        /// Seconds between two pushes. Git hosts ask for at most about six pushes a minute.
        public var pushInterval: Double
        /// The maximum number of records in one push.
        public var batch = 5000
        /// How much is kept of the records that the remote has confirmed.
        public var retention = ConfirmedRetention()
        /// How many names of confirmed records are kept in memory. For older records the branch is read.
        public var confirmedNames = 20_000
        /// Seconds between two checks of a branch that nothing is pushed to, while confirmed records are kept.
        public var lookInterval = 300.0

        public init(
            remote: GitClient.Remote, branch: GitBranch, path: GitPath = .root, committer: FastImportStream.Identity, directory: String,
            pushInterval: Double = 10
        ) {
            self.remote = remote
            self.branch = branch
            self.path = path
            self.committer = committer
            self.directory = directory
            self.pushInterval = pushInterval
        }
    }

    public struct State: Sendable, Hashable {
        /// The last confirmed tip.
        public var head: GitObjectID?
        /// The number of records that the remote has not confirmed.
        public var pending: Int
        /// Why the last attempt failed; nil if it succeeded.
        public var failure: ArtifactError?
        /// The last time that the branch was found rewritten by somebody else; nil if never.
        public var rewrite: Rewrite?
    }

    /// The branch was found without records that it had contained before.
    public struct Rewrite: Sendable, Hashable {
        public var noticedAt: Timestamp
        /// The number of records that are pushed again.
        public var restored: Int
        /// The number of records that are no longer kept here and cannot be pushed again.
        public var gone: Int
    }

    static func decode(_ bytes: [UInt8]) -> RunRecord? {
        try? JSONValueDecoder().decode(RunRecord.self, from: JSONValue(parsing: bytes))
    }
}
