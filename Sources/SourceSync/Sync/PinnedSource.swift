import Git

/// A repository at a commit.
public struct PinnedSource: Sendable, Hashable {
    public let url: GitURL
    public let commit: GitObjectID
    /// The full ref that named the commit (`refs/heads/main`), or the ref as the user wrote it.
    public let ref: String?
    /// What the mirror has of the repository.
    public let extent: MirrorExtent
    /// Set when the commit is a snapshot that Assay made of a directory.
    public let snapshot: SourceSnapshot?

    public init(url: GitURL, commit: GitObjectID, ref: String?, extent: MirrorExtent = .full, snapshot: SourceSnapshot? = nil) {
        self.url = url
        self.commit = commit
        self.ref = ref
        self.extent = extent
        self.snapshot = snapshot
    }

    /// For records: `org/repo` if the address has that form, else the address; of a snapshot, the directory.
    public var repositoryName: String { snapshot?.directory ?? url.repositoryName }
}

/// Where a commit that Assay made comes from: a directory with changes that are not committed, or in no git repository.
public struct SourceSnapshot: Sendable, Hashable, Codable {
    public let directory: String
    /// The commit that was checked out there, without the changes; nil when there is none or when it is not known any more.
    public let head: String?

    public init(of directory: String, head: GitObjectID?) {
        self.directory = directory
        self.head = head?.hex
    }
}
