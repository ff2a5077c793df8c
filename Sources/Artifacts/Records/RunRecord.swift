import Base
import EvalModel

/// `metadata.json` of one run: what was run, on which task, and the result. Documented in docs/results.md. A field is
/// never removed within a `schemaVersion`.
public struct RunRecord: Codable, Sendable, Hashable {
    public static let currentSchema = 1

    public struct Configuration: Codable, Sendable, Hashable {
        public var timeoutMultiplier: Double
        public var agentTimeoutSec: Double?
        public var installTimeoutSec: Double?
        public var verifierTimeoutSec: Double?
        public var instructionPath: String
        /// The length of an instruction that was too long for `ASSAY_TASK_INSTRUCTION`, in bytes: the variable was not set. nil for others.
        public var longInstructionBytes: Int?
        public var image: String?
        /// `sha256:...` of the image that the trial ran in; nil when it has none, or it is not known.
        public var imageDigest: String?
        /// The image that the agent came in, by digest where it is known; nil for an agent without one.
        public var agentImage: String?
        public var cpus: Double?
        public var memoryMB: Int?
        public var storageMB: Int?
        /// Names of environment variables, never their values.
        public var environment: [String]
        /// The users of `agent` and `verifier`, for a task that names any; of a task with steps, those of the first step. nil: the image's user.
        public var users: [String: String]?
        /// The names of the job's variables that the task asks for, never their values.
        public var taskEnvironment: [String]?
        /// nil for a trial that was not to be verified, and in records of earlier versions.
        public var verifier: Verifier?
        /// true when the job let the agent reach hosts that the task does not list; otherwise nil.
        public var networkWidened: Bool?

        public init(
            timeoutMultiplier: Double = 1, agentTimeoutSec: Double? = nil, installTimeoutSec: Double? = nil, verifierTimeoutSec: Double? = nil,
            instructionPath: String, longInstructionBytes: Int? = nil, image: String? = nil, imageDigest: String? = nil, agentImage: String? = nil,
            cpus: Double? = nil,
            memoryMB: Int? = nil,
            storageMB: Int? = nil,
            environment: [String] = [], users: [String: String]? = nil, taskEnvironment: [String]? = nil, verifier: Verifier? = nil,
            networkWidened: Bool? = nil
        ) {
            self.networkWidened = networkWidened
            self.timeoutMultiplier = timeoutMultiplier
            self.agentTimeoutSec = agentTimeoutSec
            self.installTimeoutSec = installTimeoutSec
            self.verifierTimeoutSec = verifierTimeoutSec
            self.instructionPath = instructionPath
            self.longInstructionBytes = longInstructionBytes
            self.image = image
            self.imageDigest = imageDigest
            self.agentImage = agentImage
            self.cpus = cpus
            self.memoryMB = memoryMB
            self.storageMB = storageMB
            self.environment = environment
            self.users = users
            self.taskEnvironment = taskEnvironment
            self.verifier = verifier
        }
    }

    /// The container that ran the tests.
    public struct Verifier: Codable, Sendable, Hashable {
        /// `separate`: a container of its own, to which the other fields belong; `shared`: the trial's.
        public var mode: TaskVerifier.Mode
        public var image: String?
        /// `sha256:...`; nil when the image has none, or it is not known.
        public var imageDigest: String?
        public var memoryMB: Int?
        public var storageMB: Int?

        public init(mode: TaskVerifier.Mode, image: String? = nil, imageDigest: String? = nil, memoryMB: Int? = nil, storageMB: Int? = nil) {
            self.mode = mode
            self.image = image
            self.imageDigest = imageDigest
            self.memoryMB = memoryMB
            self.storageMB = storageMB
        }
    }

    /// A directory with changes that were not committed, or in no git repository.
    public struct Snapshot: Codable, Sendable, Hashable {
        /// The commit that was checked out; nil when there was none.
        public var head: String?

        public init(head: String?) { self.head = head }
    }

    public struct Overlay: Codable, Sendable, Hashable {
        public var name: String
        /// org/repo, or its address if it has no such form.
        public var repo: String?
        public var revision: String
        /// Entries of earlier overlays that it shadowed; nil for none.
        public var shadows: [String]?

        public init(name: String, repo: String? = nil, revision: String, shadows: [String]? = nil) {
            self.name = name
            self.repo = repo
            self.revision = revision
            self.shadows = shadows
        }
    }

    /// What the collector did to the outputs.
    public struct Outputs: Codable, Sendable, Hashable {
        public var truncatedFiles: Int
        public var skippedFiles: Int
        public var unreadableFiles: Int
        public var redactions: Int
        /// The same counts by the names of the variables. Where secrets overlapped, the longest one is counted.
        public var redacted: [String: Int]?
        /// Names of variables whose secret was too short to be redacted.
        public var unredacted: [String]
        /// The source of transcript.jsonl: `agent`, `trajectory` or `output`; nil if there is no transcript.
        public var transcript: String?
        /// What was taken of the task's artifacts; nil for a trial that hands none over.
        public var artifacts: ArtifactCounts?

        public init(
            truncatedFiles: Int = 0, skippedFiles: Int = 0, unreadableFiles: Int = 0, redactions: Int = 0, redacted: [String: Int]? = nil,
            unredacted: [String] = [], transcript: String? = nil, artifacts: ArtifactCounts? = nil
        ) {
            self.artifacts = artifacts
            self.truncatedFiles = truncatedFiles
            self.skippedFiles = skippedFiles
            self.unreadableFiles = unreadableFiles
            self.redactions = redactions
            self.redacted = redacted
            self.unredacted = unredacted
            self.transcript = transcript
        }
    }

    /// One step of a task that has several steps.
    public struct Step: Codable, Sendable, Hashable {
        public var name: String
        public var timings: PhaseTimings
        public var exitCodes: [String: Int]
        /// The step's rewards by name; nil when it has none.
        public var rewards: [String: Double]?

        public init(name: String, timings: PhaseTimings, exitCodes: [String: Int], rewards: [String: Double]? = nil) {
            self.rewards = rewards
            self.name = name
            self.timings = timings
            self.exitCodes = exitCodes
        }
    }

    public var schemaVersion: Int
    /// `run`, or `retry` for a try that infrastructure ended.
    public var kind: String
    public var runId: RunID
    public var jobName: String
    public var jobUid: String
    public var namespace: String
    public var agent: String
    public var model: String?
    public var dataset: String
    public var task: String
    /// The family whose rules the trial followed; nil for a task that could not be read, and in records of earlier versions.
    public var family: TaskSchema?
    /// Counted from 1.
    public var attempt: Int
    public var rerun: Int
    public var index: Int
    /// The number of earlier tries that infrastructure ended.
    public var retries: Int
    /// All scores that the verifier wrote; empty when there is no verdict.
    public var scores: [String: Double]
    /// The score that counts as the result; nil when there is no verdict. An agent's `error` may stand beside it.
    public var reward: Double?
    public var passed: Bool
    public var outcome: TrialOutcome.Class
    public var error: TrialError?
    public var timings: PhaseTimings
    public var exitCodes: [String: Int]
    /// The steps that were started; nil for a task without steps. With steps, `timings` are sums over them and `exitCodes` are the last step's.
    public var steps: [Step]?
    /// US dollars: the sum of the known values in `costs`.
    public var cost: Double?
    public var costs: TrialCost?
    /// The token usage that the agent reports.
    public var tokens: TokenUsage?
    public var config: Configuration
    /// `org/repo` if the address has that form, else the address.
    public var sourceRepo: String
    public var sourceCommit: String
    public var sourceRef: String?
    /// Set when `sourceCommit` is a snapshot of a directory.
    public var sourceSnapshot: Snapshot?
    public var overlays: [Overlay]
    /// The task's folder in the source.
    public var evalFile: String
    public var outputs: Outputs?
    /// The services beside the trial, in the order in which they start; nil for a task without, and for a trial that had no pod.
    public var services: [Service]?
    /// What was ignored in the task's files, one sentence each; nil for nothing.
    public var warnings: [String]?
    public var startedAt: Timestamp?
    /// When the run ended; also the date of its commit.
    public var timestamp: Timestamp

    public init(
        kind: String = "run", family: TaskSchema? = nil, runId: RunID, jobName: String, jobUid: String, namespace: String, agent: String,
        model: String?, trial: TrialCoordinate,
        retries: Int, outcome: TrialOutcome, costs: TrialCost? = nil, exitCodes: [String: Int] = [:], steps: [Step]? = nil, config: Configuration,
        sourceRepo: String,
        sourceCommit: String, sourceRef: String? = nil, sourceSnapshot: Snapshot? = nil, overlays: [Overlay] = [], evalFile: String,
        outputs: Outputs? = nil,
        services: [Service]? = nil, warnings: [String]? = nil, startedAt: Timestamp?,
        timestamp: Timestamp
    ) {
        self.services = services
        schemaVersion = Self.currentSchema
        self.kind = kind
        self.family = family
        self.runId = runId
        self.jobName = jobName
        self.jobUid = jobUid
        self.namespace = namespace
        self.agent = agent
        self.model = model
        dataset = trial.dataset
        task = trial.task
        attempt = trial.attempt
        rerun = trial.rerun
        index = trial.index
        self.retries = retries
        scores = outcome.reward?.named ?? [:]
        reward = outcome.reward?.value
        passed = outcome.isPass
        self.outcome = outcome.outcomeClass
        error = outcome.error
        timings = outcome.timings
        self.exitCodes = exitCodes
        self.steps = steps
        cost = outcome.cost
        self.costs = costs
        tokens = outcome.tokens
        self.config = config
        self.sourceRepo = sourceRepo
        self.sourceCommit = sourceCommit
        self.sourceRef = sourceRef
        self.sourceSnapshot = sourceSnapshot
        self.overlays = overlays
        self.evalFile = evalFile
        self.outputs = outputs
        self.warnings = warnings
        self.startedAt = startedAt
        self.timestamp = timestamp
    }

    /// The outcome in the form that a job's status counts, for records that an earlier process wrote.
    public var trialOutcome: TrialOutcome {
        TrialOutcome(reward: Reward(named: scores), error: error, timings: timings, cost: cost, tokens: tokens)
    }

    public var summary: RunSummary {
        RunSummary(
            schemaVersion: schemaVersion, kind: kind, runId: runId, jobName: jobName, agent: agent, model: model, dataset: dataset, task: task,
            attempt: attempt, reward: reward, passed: passed, outcome: outcome.rawValue, error: error?.type.rawValue,
            seconds: timings.totalSeconds, cost: cost, tokens: tokens, sourceCommit: sourceCommit, timestamp: timestamp)
    }
}

/// `summary.json`: the values of one run that a listing shows.
public struct RunSummary: Codable, Sendable, Hashable {
    public var schemaVersion: Int
    public var kind: String
    public var runId: RunID
    public var jobName: String
    public var agent: String
    public var model: String?
    public var dataset: String
    public var task: String
    public var attempt: Int
    public var reward: Double?
    public var passed: Bool
    public var outcome: String
    public var error: String?
    public var seconds: Double
    public var cost: Double?
    public var tokens: TokenUsage?
    public var sourceCommit: String
    public var timestamp: Timestamp
}
