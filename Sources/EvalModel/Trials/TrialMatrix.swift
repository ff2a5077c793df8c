/// One trial of a job: agent, task and attempt.
public struct TrialCoordinate: Sendable, Hashable, Codable {
    /// The position in the job's stable order, from 0.
    public var index: Int
    public var agent: String
    /// The agent's position in the job.
    public var agentIndex: Int
    public var dataset: String
    public var task: String
    /// The task's position among all tasks of the job.
    public var taskIndex: Int
    /// Counts from 1.
    public var attempt: Int
    /// 0, or the number of the rerun.
    public var rerun: Int

    public init(
        index: Int, agent: String, agentIndex: Int, dataset: String, task: String, taskIndex: Int, attempt: Int,
        rerun: Int = 0
    ) {
        self.index = index
        self.agent = agent
        self.agentIndex = agentIndex
        self.dataset = dataset
        self.task = task
        self.taskIndex = taskIndex
        self.attempt = attempt
        self.rerun = rerun
    }

    /// The id of the trial's record.
    public func runID(jobUID: String) -> RunID {
        RunID(jobUID: jobUID, agent: agent, dataset: dataset, task: task, attempt: attempt, rerun: rerun)
    }
}

/// All trials of a job: agents x tasks x attempts, the attempt varying fastest.
///
/// Coordinates are computed from the index and not stored, so a job of 100,000 trials needs only the memory of its agents
/// and tasks. The order must not change, because the status counts indexes.
public struct TrialMatrix: Sendable, Hashable, RandomAccessCollection {
    /// A task's key within a job.
    public struct TaskKey: Sendable, Hashable {
        public var dataset: String
        public var task: String

        public init(dataset: String, task: String) {
            self.dataset = dataset
            self.task = task
        }
    }

    /// The most trials that one job may have.
    public static let maximumCount = 100_000

    public let agents: [String]
    public let tasks: [TaskKey]
    public let attempts: Int
    /// The rerun number of all coordinates.
    public let rerun: Int

    /// - Throws: `TrialMatrixError` when two trials would have the same identity, or when there are too many.
    public init(agents: [String], tasks: [TaskKey], attempts: Int, rerun: Int = 0) throws(TrialMatrixError) {
        guard attempts >= 1 else { throw .noAttempts(attempts) }
        if let name = Self.firstRepeated(agents) { throw .repeatedAgent(name) }
        if let key = Self.firstRepeated(tasks) { throw .repeatedTask(key) }
        let (pairs, pairsOverflow) = agents.count.multipliedReportingOverflow(by: tasks.count)
        let (total, totalOverflow) = pairs.multipliedReportingOverflow(by: attempts)
        guard !pairsOverflow, !totalOverflow, total <= Self.maximumCount else {
            throw .tooMany(agents: agents.count, tasks: tasks.count, attempts: attempts)
        }
        self.agents = agents
        self.tasks = tasks
        self.attempts = attempts
        self.rerun = rerun
    }

    /// The trials of these datasets.
    public init(
        agents: [String], datasets: [Dataset], attempts: Int, rerun: Int = 0
    ) throws(TrialMatrixError) {
        let keys = datasets.flatMap { dataset in
            dataset.tasks.map { TaskKey(dataset: dataset.name, task: $0.name) }
        }
        try self.init(agents: agents, tasks: keys, attempts: attempts, rerun: rerun)
    }

    private static func firstRepeated<Key: Hashable>(_ keys: [Key]) -> Key? {
        var seen = Set<Key>()
        return keys.first { !seen.insert($0).inserted }
    }

    public var startIndex: Int { 0 }
    public var endIndex: Int { agents.count * tasks.count * attempts }

    public subscript(index: Int) -> TrialCoordinate {
        let attempt = index % attempts
        let pair = index / attempts
        let taskIndex = pair % tasks.count
        let agentIndex = pair / tasks.count
        return TrialCoordinate(
            index: index, agent: agents[agentIndex], agentIndex: agentIndex, dataset: tasks[taskIndex].dataset,
            task: tasks[taskIndex].task, taskIndex: taskIndex, attempt: attempt + 1, rerun: rerun)
    }

    /// The coordinate at an index from outside (a label, a status); nil when the job has no such trial.
    public func coordinate(at index: Int) -> TrialCoordinate? {
        indices.contains(index) ? self[index] : nil
    }

    /// The indexes of an agent's trials; they are contiguous.
    public func indexes(ofAgent agentIndex: Int) -> Range<Int> {
        let width = tasks.count * attempts
        return (agentIndex * width)..<((agentIndex + 1) * width)
    }
}

/// Why a job's trials cannot be numbered.
public enum TrialMatrixError: Error, Sendable, Hashable, CustomStringConvertible {
    case noAttempts(Int)
    case repeatedAgent(String)
    case repeatedTask(TrialMatrix.TaskKey)
    case tooMany(agents: Int, tasks: Int, attempts: Int)

    public var description: String {
        switch self {
        case .noAttempts(let attempts):
            "attempts must be at least 1, not \(attempts)"
        case .repeatedAgent(let name):
            "two agents are named \"\(name)\": give each its own name"
        case .repeatedTask(let key):
            "dataset \"\(key.dataset)\" has task \"\(key.task)\" twice (names that differ only in their Unicode normalization are equal): "
                + "name the datasets differently, or rename or exclude one"
        case .tooMany(let agents, let tasks, let attempts):
            "\(agents) agents x \(tasks) tasks x \(attempts) attempts are more than "
                + "\(TrialMatrix.maximumCount) trials: split the job"
        }
    }
}
