import Base
import Git

/// One push to an artifact branch, for those who watch how the ledger works.
public struct LedgerPush: Sendable, Hashable {
    /// The remote's address, without credentials.
    public let remote: String
    public let branch: String
    public let startedAt: Timestamp
    /// The number of records in the push, by the UID of their job.
    public let records: [String: Int]
    public private(set) var endedAt: Timestamp
    /// The commit that the branch had afterwards; nil when the push failed.
    public private(set) var head: GitObjectID?
    /// Why the push failed; nil when it succeeded.
    public private(set) var failure: ArtifactError.Kind?

    init(remote: String, branch: String, startedAt: Timestamp, records: [String: Int]) {
        self.remote = remote
        self.branch = branch
        self.startedAt = startedAt
        self.records = records
        endedAt = startedAt
    }

    mutating func end(at time: Timestamp, _ result: Result<GitObjectID?, ArtifactError>) {
        endedAt = time
        switch result {
        case .success(let head): self.head = head
        case .failure(let error): failure = error.kind
        }
    }
}
