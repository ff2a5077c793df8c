import EvalModel
import SourceSync

/// One trial as a document: what runs, where, with which limits, and how it is judged, after every override and template.
///
/// `TrialPods` makes it by a pure function; the pod builder, delivery, the collector, the record, the cost and `assay plan` read it,
/// so that none of them works anything out a second time. It holds names of environment variables and no values.
public struct TrialProgram: Sendable, Hashable, Codable {
    /// Of the document and of its part that travels into the pod. 1 was the delivery plan alone.
    public static let currentVersion = 2

    public var version: Int
    public var identity: Identity
    public var delivery: Delivery
    /// In the order in which they run; a task without steps has one.
    public var steps: [Step]
    /// The containers that are the task's; delivery and collector are the same for every trial of an operator.
    public var containers: [Container]
    public var verifier: Verifier
    public var agent: Agent
    public var network: Network

    /// Which trial it is.
    public struct Identity: Sendable, Hashable, Codable {
        public var runId: RunID
        public var job: String
        public var agent: String
        public var dataset: String
        public var task: String
        /// From 1.
        public var attempt: Int
        public var family: TaskSchema

        public init(runId: RunID, job: String, agent: String, dataset: String, task: String, attempt: Int, family: TaskSchema) {
            self.runId = runId
            self.job = job
            self.agent = agent
            self.dataset = dataset
            self.task = task
            self.attempt = attempt
            self.family = family
        }
    }

    /// Where the task comes from.
    public struct Delivery: Sendable, Hashable, Codable {
        /// A commit of a repository.
        public struct Source: Sendable, Hashable, Codable {
            public var repo: String
            /// The full object id.
            public var commit: String
            /// Whether `repo` is a path on this machine (the laptop), to be exported from the cache without network.
            public var local: Bool

            public init(repo: String, commit: String, local: Bool = false) {
                self.repo = repo
                self.commit = commit
                self.local = local
            }

            public init(_ pinned: PinnedSource) {
                self.init(repo: pinned.url.text, commit: pinned.commit.hex, local: pinned.url.isLocal)
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

        public var source: Source
        /// The task's folder, relative to the root of its repository.
        public var taskPath: String
        /// Where the task lies when not in `source`.
        public var taskRepo: TaskRepo?
        /// Whether the solution is delivered: for the oracle agent only.
        public var solution: Bool

        public init(source: Source, taskPath: String, taskRepo: TaskRepo? = nil, solution: Bool = false) {
            self.source = source
            self.taskPath = taskPath
            self.taskRepo = taskRepo
            self.solution = solution
        }
    }

    /// One pass through install, execute and verify.
    public struct Step: Sendable, Hashable, Codable {
        /// Names the step's folder of logs where there are several.
        public var name: String
        /// The instruction's file, relative to the task's folder; without such a file there is no instruction.
        public var instruction: String
        /// The folder of the tests, relative to the task's folder.
        public var tests: String
        public var limits: Limits

        public init(name: String, instruction: String, tests: String, limits: Limits) {
            self.name = name
            self.instruction = instruction
            self.tests = tests
            self.limits = limits
        }
    }

    /// What the phases of a step may take, in seconds.
    public struct Limits: Sendable, Hashable, Codable {
        /// nil: the step has no install phase.
        public var installSec: Double?
        /// nil: no limit.
        public var executeSec: Double?
        public var verifySec: Double

        public init(installSec: Double?, executeSec: Double?, verifySec: Double) {
            self.installSec = installSec
            self.executeSec = executeSec
            self.verifySec = verifySec
        }

        /// nil: no limit, or no such phase.
        public subscript(phase: TrialPhase) -> Double? {
            switch phase {
            case .install: installSec
            case .execute: executeSec
            case .verify: verifySec
            case .setup, .collect, .teardown: nil
            }
        }
    }

    /// A container with what it really asks for.
    public struct Container: Sendable, Hashable, Codable {
        public var role: ContainerRole
        /// nil: nobody named one, and the trial is refused.
        public var image: String?
        /// nil: the image's own.
        public var workdir: String?
        /// Names only, never values.
        public var env: [String]
        public var resources: Resources

        public init(role: ContainerRole, image: String?, workdir: String? = nil, env: [String] = [], resources: Resources) {
            self.role = role
            self.image = image
            self.workdir = workdir
            self.env = env
            self.resources = resources
        }
    }

    /// As the pod asks for them.
    public struct Resources: Sendable, Hashable, Codable {
        /// CPUs requested: reserved, and what a cost is computed from.
        public var cpus: Double
        /// MiB requested: reserved, and what a cost is computed from.
        public var memoryMB: Int
        /// MiB that it may use.
        public var memoryLimitMB: Int
        /// MiB that it may write.
        public var storageMB: Int

        public init(cpus: Double, memoryMB: Int, memoryLimitMB: Int, storageMB: Int) {
            self.cpus = cpus
            self.memoryMB = memoryMB
            self.memoryLimitMB = memoryLimitMB
            self.storageMB = storageMB
        }
    }

    public struct Verifier: Sendable, Hashable, Codable {
        /// false: no tests run, and there is no verdict.
        public var enabled: Bool
        public var rewardRule: RewardRule
        /// Whether what the agent left running is ended before the tests come.
        public var endAgentProcesses: Bool
        /// Names only, never values.
        public var env: [String]

        public init(enabled: Bool = true, rewardRule: RewardRule, endAgentProcesses: Bool = false, env: [String] = []) {
            self.enabled = enabled
            self.rewardRule = rewardRule
            self.endAgentProcesses = endAgentProcesses
            self.env = env
        }
    }

    public struct Agent: Sendable, Hashable, Codable {
        public var name: String
        public var model: String?
        /// Where the agent finds the instruction.
        public var instructionPath: String
        /// Names only, never values.
        public var env: [String]

        public init(name: String, model: String? = nil, instructionPath: String, env: [String] = []) {
            self.name = name
            self.model = model
            self.instructionPath = instructionPath
            self.env = env
        }
    }

    /// What the trial may reach.
    public enum Network: String, Sendable, Hashable, Codable {
        case `public`
    }

    public init(
        identity: Identity, delivery: Delivery, steps: [Step], containers: [Container], verifier: Verifier, agent: Agent, network: Network = .public
    ) {
        version = Self.currentVersion
        self.identity = identity
        self.delivery = delivery
        self.steps = steps
        self.containers = containers
        self.verifier = verifier
        self.agent = agent
        self.network = network
    }

    /// nil when the trial has no container of the role.
    public subscript(role: ContainerRole) -> Container? { containers.first { $0.role == role } }
}
