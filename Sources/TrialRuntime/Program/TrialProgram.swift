import EvalModel
import Git
import SourceSync

/// The description of one trial after all overrides and templates: what runs, where, with which limits, and how it is judged.
///
/// A pure function in `TrialPods` makes it. The pod builder, delivery, the collector, the record and the cost all read it, so that
/// none of them computes the same facts again. It holds names of environment variables but no values.
public struct TrialProgram: Sendable, Hashable, Codable {
    /// The version of this document and of the part that is passed to the pod. Version 1 was the delivery plan alone.
    public static let currentVersion = 6

    public var version: Int
    public var identity: Identity
    public var delivery: Delivery
    /// The steps in the order in which they run; a task without steps has one.
    public var steps: [Step]
    /// The containers that differ between tasks; delivery and collector are the same for every trial of an operator.
    public var containers: [Container]
    public var verifier: Verifier
    public var agent: Agent
    public var network: TrialNetwork
    public var environment: Environment
    /// How the rewards of several steps make the trial's.
    public var rewardStrategy: MultiStepRewardStrategy

    /// Identifies the trial.
    public struct Identity: Sendable, Hashable, Codable {
        public var runId: RunID
        public var job: String
        public var agent: String
        public var dataset: String
        public var task: String
        /// Counts from 1.
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

    /// The source of the task.
    public struct Delivery: Sendable, Hashable, Codable {
        /// A commit of a repository.
        public struct Source: Sendable, Hashable, Codable {
            public var repo: String
            /// The full object id.
            public var commit: String
            /// Whether `repo` is a path on this machine (the laptop), so that the task is exported from the cache without network.
            public var local: Bool
            /// What the operator's mirror has of the repository; nil for all.
            public var extent: MirrorExtent?

            public init(repo: String, commit: String, local: Bool = false, extent: MirrorExtent? = nil) {
                self.repo = repo
                self.commit = commit
                self.local = local
                self.extent = extent
            }

            public init(_ pinned: PinnedSource) {
                self.init(
                    repo: pinned.url.text, commit: pinned.commit.hex, local: pinned.url.isLocal, extent: pinned.extent == .full ? nil : pinned.extent)
            }
        }

        /// The separate repository of a registry's task.
        public struct TaskRepo: Sendable, Hashable, Codable {
            public var repo: String
            public var commit: String

            public init(repo: String, commit: String) {
                self.repo = repo
                self.commit = commit
            }

            public init(_ pinned: PinnedSource) { self.init(repo: pinned.url.text, commit: pinned.commit.hex) }
        }

        /// An overlay at a commit. It has no Secret: the pod reads its content from the cache service.
        public struct Overlay: Sendable, Hashable, Codable {
            /// The OverlaySource.
            public var name: String
            public var repo: String
            /// The full object id.
            public var commit: String
            /// The surfaces that the commit has.
            public var paths: OverlayPaths

            public init(name: String, repo: String, commit: String, paths: OverlayPaths) {
                self.name = name
                self.repo = repo
                self.commit = commit
                self.paths = paths
            }

            public init(_ pinned: PinnedOverlay) {
                self.init(name: pinned.name, repo: pinned.source.url.text, commit: pinned.source.commit.hex, paths: pinned.paths)
            }
        }

        public var source: Source
        /// The task's folder, relative to the root of its repository.
        public var taskPath: String
        /// The repository of the task, when it is not `source`.
        public var taskRepo: TaskRepo?
        /// Whether the solution is delivered; only for the oracle agent.
        public var solution: Bool
        /// In the order in which they apply.
        public var overlays: [Overlay]
        /// Files and folders below `environment/` that containers mount as copies; empty text is `environment/` itself.
        public var files: [String]

        /// The path of the `fixtures.lock` in `source`; nil: none, and for a task of another repository.
        public var fixtures: String?

        public init(
            source: Source, taskPath: String, taskRepo: TaskRepo? = nil, solution: Bool = false, overlays: [Overlay] = [], fixtures: String? = nil,
            files: [String] = []
        ) {
            self.fixtures = fixtures
            self.files = files
            self.source = source
            self.taskPath = taskPath
            self.taskRepo = taskRepo
            self.solution = solution
            self.overlays = overlays
        }
    }

    /// One pass through install, execute and verify.
    public struct Step: Sendable, Hashable, Codable {
        /// Also the name of the step's folder of logs when there are several steps.
        public var name: String
        /// The file of the instruction, relative to the task's folder. If the file does not exist, there is no instruction.
        public var instruction: String
        /// The folder of the tests, relative to the task's folder.
        public var tests: String
        public var limits: Limits
        /// The users of install and execute, and of verify; nil: the container's own.
        public var agentUser: String?
        public var verifierUser: String?
        /// The folder of the step, relative to the task's folder: its `workdir` is laid into the working directory, and its `solution` is the
        /// oracle's. nil for a task without steps.
        public var folder: String?
        /// Checked before the step's agent begins.
        public var healthcheck: Healthcheck?
        /// A step after this one begins only when this one's reward reaches it.
        public var minimumReward: MinimumReward?
        /// The names of the verifier's variables in this step; nil: those of `verifier`.
        public var verifierEnv: [String]?
        /// What the step has in addition to the verifier's own; nil: nothing.
        public var collect: [TaskVerifier.CollectHook]?
        public var artifacts: [TaskArtifact]?
        /// The length of an instruction that is too long for an environment variable, in bytes; nil for a shorter one. Delivery sets it,
        /// because only delivery reads the instruction.
        public var longInstructionBytes: Int?

        /// The folder of a task's tests. With steps, each step finds them under its own.
        public static let sharedTests = "tests"

        /// The longest instruction that `ASSAY_TASK_INSTRUCTION` can hold, in bytes. The kernel refuses variables of 128 KiB.
        public static let instructionVariableLimit = 120_000

        public init(
            name: String, instruction: String, tests: String, limits: Limits, agentUser: String? = nil, verifierUser: String? = nil,
            folder: String? = nil, healthcheck: Healthcheck? = nil, minimumReward: MinimumReward? = nil, verifierEnv: [String]? = nil,
            collect: [TaskVerifier.CollectHook]? = nil, artifacts: [TaskArtifact]? = nil, longInstructionBytes: Int? = nil
        ) {
            self.collect = collect
            self.artifacts = artifacts
            self.agentUser = agentUser
            self.verifierUser = verifierUser
            self.folder = folder
            self.healthcheck = healthcheck
            self.minimumReward = minimumReward
            self.verifierEnv = verifierEnv
            self.name = name
            self.instruction = instruction
            self.tests = tests
            self.limits = limits
            self.longInstructionBytes = longInstructionBytes
        }
    }

    /// The time limits of a step's phases, in seconds.
    public struct Limits: Sendable, Hashable, Codable {
        /// nil: the step has no install phase.
        public var installSec: Double?
        /// nil: no limit.
        public var executeSec: Double?
        public var verifySec: Double
        /// For `workdir/setup.sh` of a step; nil: there is none.
        public var setupSec: Double?

        public init(installSec: Double?, executeSec: Double?, verifySec: Double, setupSec: Double? = nil) {
            self.setupSec = setupSec
            self.installSec = installSec
            self.executeSec = executeSec
            self.verifySec = verifySec
        }

        /// nil: the phase has no limit, or the step has no such phase.
        public subscript(phase: TrialPhase) -> Double? {
            switch phase {
            case .install: installSec
            case .execute: executeSec
            case .verify: verifySec
            case .setup, .collect, .teardown: nil
            }
        }
    }

    /// A container with the resources that it requests.
    public struct Container: Sendable, Hashable, Codable {
        public var role: ContainerRole
        /// nil: no image is configured, and the trial is refused.
        public var image: String?
        /// nil: the image's own working directory.
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

    /// The resources that the pod requests.
    public struct Resources: Sendable, Hashable, Codable {
        /// CPUs requested: they are reserved, and the cost is computed from them.
        public var cpus: Double
        /// MiB requested: they are reserved, and the cost is computed from them.
        public var memoryMB: Int
        /// The most memory that the container may use, in MiB.
        public var memoryLimitMB: Int
        /// The most disk space that the container may use, in MiB.
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
        /// Whether processes that the agent left running are ended before the tests are released.
        public var endAgentProcesses: Bool
        /// Names only, never values.
        public var env: [String]
        /// Commands that run after the agent and before its artifacts are taken.
        public var collect: [TaskVerifier.CollectHook]
        /// What the task declares as artifacts, `/logs/artifacts` first if it does not declare it itself.
        public var artifacts: [TaskArtifact]
        /// Where the collector finds those of services.
        public var places: [ServicePlace]
        /// nil: the tests run in the trial's container.
        public var separate: Separate?

        /// An artifact of a service: it lies on a named volume, which the collector mounts.
        public struct ServicePlace: Sendable, Hashable, Codable {
            public var service: String
            /// The artifact's path in the service's container.
            public var source: String
            /// The name of the pod's volume.
            public var volume: String
            /// The path in the volume.
            public var names: [String]

            public init(service: String, source: String, volume: String, names: [String]) {
                self.service = service
                self.source = source
                self.volume = volume
                self.names = names
            }
        }

        /// Each step has a verifier in a container of its own.
        public struct Separate: Sendable, Hashable, Codable {
            /// For each step, whether its verifier's image has the tests, so that none are delivered.
            public var bringsTests: [Bool]

            public init(bringsTests: [Bool]) { self.bringsTests = bringsTests }
        }

        public init(
            enabled: Bool = true, endAgentProcesses: Bool = false, env: [String] = [], collect: [TaskVerifier.CollectHook] = [],
            artifacts: [TaskArtifact] = [], places: [ServicePlace] = [], separate: Separate? = nil
        ) {
            self.places = places
            self.enabled = enabled
            self.endAgentProcesses = endAgentProcesses
            self.env = env
            self.collect = collect
            self.artifacts = artifacts
            self.separate = separate
        }
    }

    public struct Agent: Sendable, Hashable, Codable {
        public var name: String
        public var model: String?
        /// The path where the agent finds the instruction.
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

    /// What a task has in its container beside its files.
    public struct Environment: Sendable, Hashable, Codable {
        /// The user of what the task names no user for; nil when it names none at all, so that the container keeps its image's user.
        public var user: String?
        /// Checked before the first agent begins.
        public var healthcheck: Healthcheck?
        public var mcpServers: [MCPServer]
        /// The folder in the container whose skills the agent gets.
        public var skillsDir: String?
        /// The names of the solution's variables; empty for any agent but the oracle.
        public var solutionEnv: [String]

        public init(
            user: String? = nil, healthcheck: Healthcheck? = nil, mcpServers: [MCPServer] = [], skillsDir: String? = nil, solutionEnv: [String] = []
        ) {
            self.user = user
            self.healthcheck = healthcheck
            self.mcpServers = mcpServers
            self.skillsDir = skillsDir
            self.solutionEnv = solutionEnv
        }
    }

    public init(
        identity: Identity, delivery: Delivery, steps: [Step], containers: [Container], verifier: Verifier, agent: Agent,
        network: TrialNetwork = .open,
        environment: Environment = Environment(), rewardStrategy: MultiStepRewardStrategy = .mean
    ) {
        version = Self.currentVersion
        self.identity = identity
        self.delivery = delivery
        self.steps = steps
        self.containers = containers
        self.verifier = verifier
        self.agent = agent
        self.network = network
        self.environment = environment
        self.rewardStrategy = rewardStrategy
    }

    /// The users of the agent's and the verifier's scripts in the first step; nil when the task names none.
    public var users: [String: String]? {
        guard environment.user != nil, let first = steps.first else { return nil }
        return ["agent": first.agentUser, "verifier": first.verifierUser].compactMapValues { $0 }
    }

    /// nil when the trial has no container of the role.
    public subscript(role: ContainerRole) -> Container? { containers.first { $0.role == role } }
}
