import Base
import EvalModel
import KubeCore

/// The observed state of an evaluation. Its size does not grow with the number of trials.
public struct EvalJobStatus: Codable, Sendable, Hashable {
    public enum Phase: String, Codable, Sendable, Hashable, CaseIterable {
        case pending = "Pending"
        case preparing = "Preparing"
        case running = "Running"
        case suspended = "Suspended"
        case cancelled = "Cancelled"
        case succeeded = "Succeeded"
        case failed = "Failed"

        /// The job's trials have ended or were stopped. All of them are counted once `completionTime` is set as well.
        public var isFinal: Bool { self == .cancelled || self == .succeeded || self == .failed }
    }

    public var observedGeneration: Int?
    public var phase: Phase?
    public var conditions: [Condition]
    public var source: SourceStatus?
    /// Where the job's prepared plan is stored.
    public var plan: PlanStatus?
    public var overlays: [OverlayStatus]?
    /// The images that are built for the job; nil when none is.
    public var images: ImagesStatus?
    public var trials: TrialsStatus?
    public var metrics: MetricsStatus?
    /// Counts and metrics per agent, in the order of the spec.
    public var agents: [AgentStatus]?
    /// The sum of the known costs.
    public var cost: Double?
    /// The sum of the known tokens.
    public var tokens: TokenUsage?
    public var artifacts: ArtifactsStatus?
    public var startTime: Timestamp?
    public var completionTime: Timestamp?

    public init(
        observedGeneration: Int? = nil, phase: Phase? = nil, conditions: [Condition] = [], source: SourceStatus? = nil,
        plan: PlanStatus? = nil, overlays: [OverlayStatus]? = nil, images: ImagesStatus? = nil, trials: TrialsStatus? = nil,
        metrics: MetricsStatus? = nil,
        agents: [AgentStatus]? = nil, cost: Double? = nil, tokens: TokenUsage? = nil, artifacts: ArtifactsStatus? = nil,
        startTime: Timestamp? = nil, completionTime: Timestamp? = nil
    ) {
        self.observedGeneration = observedGeneration
        self.phase = phase
        self.conditions = conditions
        self.source = source
        self.plan = plan
        self.overlays = overlays
        self.images = images
        self.trials = trials
        self.metrics = metrics
        self.agents = agents
        self.cost = cost
        self.tokens = tokens
        self.artifacts = artifacts
        self.startTime = startTime
        self.completionTime = completionTime
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        observedGeneration = try values.optional(.observedGeneration)
        phase = try values.optional(.phase)
        conditions = try values.value(.conditions, or: [])
        source = try values.optional(.source)
        plan = try values.optional(.plan)
        overlays = try values.optional(.overlays)
        images = try values.optional(.images)
        trials = try values.optional(.trials)
        metrics = try values.optional(.metrics)
        agents = try values.optional(.agents)
        cost = try values.optional(.cost)
        tokens = try values.optional(.tokens)
        artifacts = try values.optional(.artifacts)
        startTime = try values.optional(.startTime)
        completionTime = try values.optional(.completionTime)
    }

    /// Whether every trial is counted and the job's own record is stored, so that nothing more will happen. A job whose trials were stopped and
    /// whose results still wait for their remote has a final phase but is not over.
    public var isOver: Bool { phase?.isFinal == true && completionTime != nil }
}

/// The pinned source.
public struct SourceStatus: Codable, Sendable, Hashable {
    public var commit: String?

    public init(commit: String? = nil) { self.commit = commit }
}

/// The plan of a job, as it is kept in ConfigMaps that the job owns (`assay-<uid>-plan-<first 12 digits of the hash>-<number>`).
public struct PlanStatus: Codable, Sendable, Hashable {
    /// Of the whole document, in hex.
    public var sha256: String
    /// How many ConfigMaps hold it.
    public var configMaps: Int

    public init(sha256: String, configMaps: Int) {
        self.sha256 = sha256
        self.configMaps = configMaps
    }
}

/// How many images of the job's tasks are built, of those that trials without a result need.
public struct ImagesStatus: Codable, Sendable, Hashable {
    public var total: Int
    public var ready: Int
    public var failed: Int

    public init(total: Int, ready: Int, failed: Int) {
        self.total = total
        self.ready = ready
        self.failed = failed
    }

    public var building: Int { total - ready - failed }
}

/// A pinned overlay.
public struct OverlayStatus: Codable, Sendable, Hashable {
    public var name: String
    public var revision: String?

    public init(name: String, revision: String? = nil) {
        self.name = name
        self.revision = revision
    }
}

/// Counts of trials. The index of a counted trial is in exactly one of the sets; other indexes are in none.
public struct TrialsStatus: Codable, Sendable, Hashable {
    public var total: Int
    /// Trials that wait for their turn, for their pod to start, or for their next try.
    public var pending: Int
    /// Trials whose pod runs.
    public var running: Int
    /// Trials with a verdict.
    public var completed: Int
    /// The number of `completed` trials whose agent failed or timed out. Their reward counts, as in Harbor.
    public var agentErrors: Int
    /// Trials with an error, infrastructure failures included.
    public var failed: Int
    /// The number of `failed` trials whose failure is not the agent's fault.
    public var infrastructure: Int
    public var skipped: Int
    /// How many counted trials had each error, by its type; the notes beside a verdict and skipped trials are left out.
    public var errors: [String: Int]?
    /// `41/60`: counted trials of the total, for the printer column.
    public var progress: String?
    /// As `0-41,43`; attempts count from 1, indexes from 0.
    public var completedIndexes: TrialIndexSet?
    public var failedIndexes: TrialIndexSet?
    public var skippedIndexes: TrialIndexSet?

    public init(
        total: Int = 0, pending: Int = 0, running: Int = 0, completed: Int = 0, agentErrors: Int = 0, failed: Int = 0, infrastructure: Int = 0,
        skipped: Int = 0, errors: [String: Int]? = nil, progress: String? = nil, completedIndexes: TrialIndexSet? = nil,
        failedIndexes: TrialIndexSet? = nil, skippedIndexes: TrialIndexSet? = nil
    ) {
        self.total = total
        self.pending = pending
        self.running = running
        self.completed = completed
        self.agentErrors = agentErrors
        self.failed = failed
        self.infrastructure = infrastructure
        self.skipped = skipped
        self.errors = errors
        self.progress = progress
        self.completedIndexes = completedIndexes
        self.failedIndexes = failedIndexes
        self.skippedIndexes = skippedIndexes
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        total = try values.value(.total, or: 0)
        pending = try values.value(.pending, or: 0)
        running = try values.value(.running, or: 0)
        completed = try values.value(.completed, or: 0)
        agentErrors = try values.value(.agentErrors, or: 0)
        failed = try values.value(.failed, or: 0)
        infrastructure = try values.value(.infrastructure, or: 0)
        skipped = try values.value(.skipped, or: 0)
        errors = try values.optional(.errors)
        progress = try values.optional(.progress)
        completedIndexes = try values.optional(.completedIndexes)
        failedIndexes = try values.optional(.failedIndexes)
        skippedIndexes = try values.optional(.skippedIndexes)
    }

    /// The error that most trials had; of several, the first by name.
    public var mostFrequentError: TrialErrorType? {
        (errors ?? [:]).min { ($1.value, $0.key) < ($0.value, $1.key) }.flatMap { TrialErrorType(rawValue: $0.key) }
    }
}

/// The job's metrics: the rates that are shown, and the sums that the next trial is added to.
public struct MetricsStatus: Codable, Sendable, Hashable {
    /// Passes / (total - infrastructure failures - skipped).
    public var passRate: Double?
    public var meanReward: Double?
    public var passes: Int?
    /// The number of rewards.
    public var rewards: Int?
    public var rewardSum: Double?
    public var rewardMin: Double?
    public var rewardMax: Double?
    /// The figures that `spec.metrics` asks for, by type; none while there is no reward.
    public var values: [String: Double]?

    public init(
        passRate: Double? = nil, meanReward: Double? = nil, passes: Int? = nil, rewards: Int? = nil,
        rewardSum: Double? = nil, rewardMin: Double? = nil, rewardMax: Double? = nil, values: [String: Double]? = nil
    ) {
        self.passRate = passRate
        self.meanReward = meanReward
        self.passes = passes
        self.rewards = rewards
        self.rewardSum = rewardSum
        self.rewardMin = rewardMin
        self.rewardMax = rewardMax
        self.values = values
    }

    /// The rates are rounded to four decimals, because printer columns show numbers unrounded. The sums are exact.
    public init(_ aggregate: Aggregate, _ wanted: [MetricType] = []) {
        self.init(
            passRate: Self.shown(aggregate.passRate), meanReward: Self.shown(aggregate.meanReward), passes: aggregate.passes,
            rewards: aggregate.rewards, rewardSum: aggregate.rewardSum, rewardMin: aggregate.rewardMin,
            rewardMax: aggregate.rewardMax, values: aggregate.values(of: wanted))
    }

    private static func shown(_ rate: Double?) -> Double? { rate.map { ($0 * 10_000).rounded() / 10_000 } }
}

/// Counts and metrics of one agent.
public struct AgentStatus: Codable, Sendable, Hashable {
    public var name: String
    public var completed: Int
    public var agentErrors: Int
    public var failed: Int
    public var infrastructure: Int
    public var skipped: Int
    public var metrics: MetricsStatus?
    public var cost: Double?
    public var tokens: TokenUsage?

    public init(
        name: String, completed: Int = 0, agentErrors: Int = 0, failed: Int = 0, infrastructure: Int = 0, skipped: Int = 0,
        metrics: MetricsStatus? = nil, cost: Double? = nil, tokens: TokenUsage? = nil
    ) {
        self.name = name
        self.completed = completed
        self.agentErrors = agentErrors
        self.failed = failed
        self.infrastructure = infrastructure
        self.skipped = skipped
        self.metrics = metrics
        self.cost = cost
        self.tokens = tokens
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        name = try values.decode(String.self, forKey: .name)
        completed = try values.value(.completed, or: 0)
        agentErrors = try values.value(.agentErrors, or: 0)
        failed = try values.value(.failed, or: 0)
        infrastructure = try values.value(.infrastructure, or: 0)
        skipped = try values.value(.skipped, or: 0)
        metrics = try values.optional(.metrics)
        cost = try values.optional(.cost)
        tokens = try values.optional(.tokens)
    }

    /// The form in the status: `failed` includes infrastructure failures, as in `TrialsStatus`.
    public init(name: String, _ aggregate: Aggregate, _ wanted: [MetricType] = []) {
        self.init(
            name: name, completed: aggregate.completed, agentErrors: aggregate.agentErrors, failed: aggregate.failed + aggregate.infrastructure,
            infrastructure: aggregate.infrastructure, skipped: aggregate.skipped, metrics: MetricsStatus(aggregate, wanted),
            cost: aggregate.cost, tokens: aggregate.tokens)
    }

    /// The totals that the agent's next trial is added to; the inverse of `init(name:_:)`.
    public var aggregate: Aggregate {
        var result = Aggregate()
        result.completed = completed
        result.agentErrors = agentErrors
        result.failed = failed - infrastructure
        result.infrastructure = infrastructure
        result.skipped = skipped
        result.passes = metrics?.passes ?? 0
        result.rewards = metrics?.rewards ?? 0
        result.rewardSum = metrics?.rewardSum ?? 0
        result.rewardMin = metrics?.rewardMin
        result.rewardMax = metrics?.rewardMax
        result.cost = cost
        result.tokens = tokens
        return result
    }
}

/// The location of the results.
public struct ArtifactsStatus: Codable, Sendable, Hashable {
    public var branch: String?
    /// The branch's tip after the last push.
    public var head: String?
    /// Runs of this job on the branch.
    public var runs: Int?
    /// Runs that are stored locally and not pushed yet.
    public var pending: Int?

    public init(branch: String? = nil, head: String? = nil, runs: Int? = nil, pending: Int? = nil) {
        self.branch = branch
        self.head = head
        self.runs = runs
        self.pending = pending
    }
}
