import EvalModel

/// The repository that holds the benchmark.
public struct SourceSpec: Codable, Sendable, Hashable {
    public var repo: String
    /// A branch, a tag or a commit; pinned when the job starts. nil: the remote's default branch.
    public var ref: String?
    public var secretRef: LocalReference?
    public var fixtures: FixturesSpec?

    public init(repo: String, ref: String? = nil, secretRef: LocalReference? = nil, fixtures: FixturesSpec? = nil) {
        self.repo = repo
        self.ref = ref
        self.secretRef = secretRef
        self.fixtures = fixtures
    }
}

/// Content-addressed files that tasks need and that are not in git.
public struct FixturesSpec: Codable, Sendable, Hashable {
    /// Path of the lock file within the repository.
    public var manifest: String?
    public var cachePath: String?

    /// The lock file's path, or the usual one.
    public var lockPath: String { manifest ?? "fixtures.lock" }

    public init(manifest: String? = nil, cachePath: String? = nil) {
        self.manifest = manifest
        self.cachePath = cachePath
    }
}

/// A set of tasks: exactly one of `path`, `registry` and `tasks` is set.
public struct DatasetSpec: Codable, Sendable, Hashable {
    /// A folder of tasks within the source.
    public var path: String?
    public var registry: RegistrySpec?
    public var tasks: [TaskSpec]?
    /// The name of the registry's entry; otherwise the name in the records.
    public var name: String?
    /// The registry entry's version.
    public var version: String?
    /// Globs for task names; nil or empty: all.
    public var include: [String]?
    public var exclude: [String]?
    /// The family of the tasks; nil: that of each task, as its file tells.
    public var format: TaskSchema?
    /// The family of tasks whose file does not tell theirs; nil for Harbor's.
    public var defaultFormat: TaskSchema?
    /// The older way to give `format`.
    public var rewardRule: RewardRule?

    /// The family that the dataset gives, in either way.
    public var family: TaskSchema? { format ?? rewardRule.map { TaskSchema($0) } }

    public init(
        path: String? = nil, registry: RegistrySpec? = nil, tasks: [TaskSpec]? = nil, name: String? = nil,
        version: String? = nil, include: [String]? = nil, exclude: [String]? = nil, format: TaskSchema? = nil,
        defaultFormat: TaskSchema? = nil, rewardRule: RewardRule? = nil
    ) {
        self.path = path
        self.registry = registry
        self.tasks = tasks
        self.name = name
        self.version = version
        self.include = include
        self.exclude = exclude
        self.format = format
        self.defaultFormat = defaultFormat
        self.rewardRule = rewardRule
    }
}

/// The location of a registry.json.
public struct RegistrySpec: Codable, Sendable, Hashable {
    public var path: String?
    public var url: String?

    public init(path: String? = nil, url: String? = nil) {
        self.path = path
        self.url = url
    }
}

/// One task of an inline dataset.
public struct TaskSpec: Codable, Sendable, Hashable {
    public var name: String
    /// nil: the job's source.
    public var repo: String?
    public var ref: String?
    /// The task's folder; nil: the name.
    public var path: String?

    public init(name: String, repo: String? = nil, ref: String? = nil, path: String? = nil) {
        self.name = name
        self.repo = repo
        self.ref = ref
        self.path = path
    }
}
