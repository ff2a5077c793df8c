import Base
import EvalModel

/// `metadata.json` of a job: its totals, written when the job has ended.
public struct JobRecord: Codable, Sendable, Hashable {
    public struct Figures: Codable, Sendable, Hashable {
        public var completed: Int
        /// Those of `completed` whose agent failed or timed out; nil in records of earlier versions.
        public var agentErrors: Int?
        public var failed: Int
        public var infrastructure: Int
        public var skipped: Int
        public var passes: Int
        public var passRate: Double?
        public var meanReward: Double?
        public var minReward: Double?
        public var maxReward: Double?
        public var sumReward: Double
        public var cost: Double?
        public var tokens: TokenUsage?
        /// The metrics that the job asked for, by type; nil if it asked for none or there is no reward.
        public var metrics: [String: Double]?

        public init(_ a: Aggregate, metrics wanted: [MetricType] = []) {
            metrics = a.values(of: wanted)
            completed = a.completed
            agentErrors = a.agentErrors
            failed = a.failed + a.infrastructure
            infrastructure = a.infrastructure
            skipped = a.skipped
            passes = a.passes
            passRate = a.passRate
            meanReward = a.meanReward
            minReward = a.rewardMin
            maxReward = a.rewardMax
            sumReward = a.rewardSum
            cost = a.cost
            tokens = a.tokens
        }
    }

    /// The configuration of the job.
    public struct Configuration: Codable, Sendable, Hashable {
        public struct Agent: Codable, Sendable, Hashable {
            public var name: String
            public var model: String?
            public init(name: String, model: String?) {
                self.name = name
                self.model = model
            }
        }

        /// In the order in which the job lists them.
        public var agents: [Agent]
        public var datasets: [String]
        public var attempts: Int
        public var timeoutMultiplier: Double

        public init(agents: [Agent], datasets: [String], attempts: Int, timeoutMultiplier: Double) {
            self.agents = agents
            self.datasets = datasets
            self.attempts = attempts
            self.timeoutMultiplier = timeoutMultiplier
        }
    }

    public var schemaVersion: Int
    public var kind: String
    public var runId: RunID
    public var jobName: String
    public var jobUid: String
    public var namespace: String
    public var totalTrials: Int
    public var cancelled: Bool
    /// Why the job ended early; nil if it ran to its end.
    public var reason: String?
    public var totals: Figures
    public var agents: [String: Figures]
    public var config: Configuration?
    public var sourceRepo: String
    public var sourceCommit: String
    public var sourceRef: String?
    public var sourceSnapshot: RunRecord.Snapshot?
    public var startedAt: Timestamp?
    public var timestamp: Timestamp

    public init(
        runId: RunID, jobName: String, jobUid: String, namespace: String, totalTrials: Int, cancelled: Bool, reason: String?,
        agents: [(name: String, figures: Aggregate)], metrics: [MetricType] = [], config: Configuration? = nil, sourceRepo: String,
        sourceCommit: String,
        sourceRef: String? = nil, sourceSnapshot: RunRecord.Snapshot? = nil, startedAt: Timestamp?, timestamp: Timestamp
    ) {
        schemaVersion = RunRecord.currentSchema
        kind = "job"
        self.runId = runId
        self.jobName = jobName
        self.jobUid = jobUid
        self.namespace = namespace
        self.totalTrials = totalTrials
        self.cancelled = cancelled
        self.reason = reason
        totals = Figures(agents.reduce(into: Aggregate()) { $0.merge($1.figures) }, metrics: metrics)
        self.agents = Dictionary(agents.map { ($0.name, Figures($0.figures, metrics: metrics)) }, uniquingKeysWith: { first, _ in first })
        self.config = config
        self.sourceRepo = sourceRepo
        self.sourceCommit = sourceCommit
        self.sourceRef = sourceRef
        self.sourceSnapshot = sourceSnapshot
        self.startedAt = startedAt
        self.timestamp = timestamp
    }
}
