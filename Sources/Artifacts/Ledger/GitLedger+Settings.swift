import Base
import Git

extension GitLedger {
    public struct Settings: Sendable {
        public var remote: GitClient.Remote
        public var branch: GitBranch
        /// Below which runs lie; the root when the branch is only ours.
        public var path: GitPath
        public var committer: FastImportStream.Identity
        /// Private to this ledger: its repository and what is not confirmed yet.
        public var directory: String
        /// Seconds between two pushes. Hosts ask for at most about six a minute.
        public var pushInterval: Double
        /// Records in one push.
        public var batch = 5000
        /// What is kept of records that the remote has confirmed.
        public var retention = ConfirmedRetention()
        /// Names of confirmed records that are kept in memory; of older ones the branch is asked.
        public var confirmedNames = 20_000
        /// Seconds between two looks at a branch that nothing is pushed to, while confirmed records are kept.
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
        /// The tip as it was last confirmed.
        public var head: GitObjectID?
        /// Records that the remote has not confirmed.
        public var pending: Int
        /// Why the last attempt failed; nil when it did not.
        public var failure: ArtifactError?
        /// What was noticed last of somebody rewriting the branch; nil when nobody did.
        public var rewrite: Rewrite?
    }

    /// The branch was found without records that it had been seen to have.
    public struct Rewrite: Sendable, Hashable {
        public var noticedAt: Timestamp
        /// Records that are pushed again.
        public var restored: Int
        /// Records that are not kept here any more.
        public var gone: Int
    }
}
