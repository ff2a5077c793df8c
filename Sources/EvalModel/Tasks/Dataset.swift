/// The location of one task of a dataset.
public struct TaskReference: Sendable, Hashable, Codable {
    /// The task's name within its dataset.
    public var name: String
    /// The task's folder, relative to the root of its repository; `/` between components.
    public var path: String
    /// The repository; nil for the job's source (or the registry's own repository).
    public var repo: String?
    /// A branch, tag or commit of `repo`; nil for the repository's default branch or the job's pinned commit.
    public var ref: String?

    public init(name: String, path: String, repo: String? = nil, ref: String? = nil) {
        self.name = name
        self.path = path
        self.repo = repo
        self.ref = ref
    }
}

/// A named, ordered set of tasks.
public struct Dataset: Sendable, Hashable, Codable {
    public var name: String
    /// The registry's version; nil for a folder or an inline list.
    public var version: String?
    /// The tasks, in run order.
    public var tasks: [TaskReference]
    /// Overrides the rule that the tasks' own schema selects.
    public var rewardRule: RewardRule?
    /// The family of tasks whose file does not tell theirs; nil for Harbor's.
    public var defaultSchema: TaskSchema?

    public init(
        name: String, version: String? = nil, tasks: [TaskReference], rewardRule: RewardRule? = nil, defaultSchema: TaskSchema? = nil
    ) {
        self.name = name
        self.version = version
        self.tasks = tasks
        self.rewardRule = rewardRule
        self.defaultSchema = defaultSchema
    }
}

/// One entry of a registry: a dataset at a version.
public struct RegistryEntry: Sendable, Hashable, Codable {
    public var name: String
    public var version: String
    public var description: String?
    public var tasks: [TaskReference]
    /// The metrics that the dataset's author asks for.
    public var metrics: [MetricType]

    public init(
        name: String, version: String, description: String? = nil, tasks: [TaskReference], metrics: [MetricType] = []
    ) {
        self.name = name
        self.version = version
        self.description = description
        self.tasks = tasks
        self.metrics = metrics
    }

    /// The dataset that the entry describes.
    public var dataset: Dataset { Dataset(name: name, version: version, tasks: tasks) }
}
