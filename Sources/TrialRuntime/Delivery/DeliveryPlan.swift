import SourceSync

/// What the delivery container delivers to a trial; the operator writes it, the container reads it as JSON.
public struct DeliveryPlan: Sendable, Hashable, Codable {
    /// The only version there is.
    public static let currentVersion = 1

    /// A commit of a repository.
    public struct Source: Sendable, Hashable, Codable {
        public var repo: String
        /// The full object id.
        public var commit: String
        /// The name that was resolved to the commit; for messages only.
        public var ref: String?
        /// Whether `repo` is a path on this machine (the laptop), to be exported from the cache without network.
        public var local: Bool

        public init(repo: String, commit: String, ref: String? = nil, local: Bool = false) {
            self.repo = repo
            self.commit = commit
            self.ref = ref
            self.local = local
        }

        public init(_ pinned: PinnedSource) {
            self.init(repo: pinned.url.text, commit: pinned.commit.hex, ref: pinned.ref, local: pinned.url.isLocal)
        }
    }

    /// A registry task's own repository.
    public struct TaskRepo: Sendable, Hashable, Codable {
        public var repo: String
        public var commit: String

        public init(repo: String, commit: String) {
            self.repo = repo
            self.commit = commit
        }

        public init(_ pinned: PinnedSource) { self.init(repo: pinned.url.text, commit: pinned.commit.hex) }
    }

    /// The lock file of content-addressed blobs and where they are kept.
    public struct Fixtures: Sendable, Hashable, Codable {
        public var manifest: String
        public var cachePath: String

        public init(manifest: String, cachePath: String) {
            self.manifest = manifest
            self.cachePath = cachePath
        }
    }

    /// One overlay at a revision.
    public struct Overlay: Sendable, Hashable, Codable {
        public var name: String
        public var repo: String
        public var commit: String

        public init(name: String, repo: String, commit: String) {
            self.name = name
            self.repo = repo
            self.commit = commit
        }
    }

    public var version: Int
    public var source: Source
    /// The task's folder, relative to the root of its repository.
    public var taskPath: String
    /// Where the task lies when not in `source`.
    public var taskRepo: TaskRepo?
    /// Whether the solution is delivered: for the oracle agent only.
    public var solution: Bool
    public var overlays: [Overlay]
    public var fixtures: Fixtures?

    public init(
        source: Source, taskPath: String, taskRepo: TaskRepo? = nil, solution: Bool = false,
        overlays: [Overlay] = [], fixtures: Fixtures? = nil
    ) {
        version = Self.currentVersion
        self.source = source
        self.taskPath = taskPath
        self.taskRepo = taskRepo
        self.solution = solution
        self.overlays = overlays
        self.fixtures = fixtures
    }
}
