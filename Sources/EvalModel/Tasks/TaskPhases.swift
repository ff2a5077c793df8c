/// The settings of `[agent]` in a task or a step, without its time limit.
public struct TaskAgent: Sendable, Hashable, Codable {
    /// A name or a number; nil: the image's user.
    public var user: String?
    /// nil: the environment's network.
    public var network: TaskNetwork?

    public init(user: String? = nil, network: TaskNetwork? = nil) {
        self.user = user
        self.network = network
    }
}

/// The settings of `[verifier]` in a task or a step, without its time limit.
public struct TaskVerifier: Sendable, Hashable, Codable {
    public enum Mode: String, Sendable, Hashable, Codable, CaseIterable {
        /// In the agent's container.
        case shared
        /// In a container of its own.
        case separate
    }

    /// A command that runs after the agent and before artifacts are collected.
    public struct CollectHook: Sendable, Hashable, Codable {
        public var command: String
        /// The Compose service; `main` is the trial.
        public var service: String
        public var timeoutSec: Double
        /// A name or a number; nil: the service's user.
        public var user: String?

        public init(command: String, service: String = TaskArtifact.mainService, timeoutSec: Double = 60, user: String? = nil) {
            self.command = command
            self.service = service
            self.timeoutSec = timeoutSec
            self.user = user
        }
    }

    /// Values may hold `${VAR}` until they are resolved.
    public var env: [String: String]
    /// A name or a number; nil: the image's user.
    public var user: String?
    /// nil: the environment's network.
    public var network: TaskNetwork?
    /// The mode that the file gives; nil when it gives none.
    public var givenMode: Mode?
    /// The environment of a separate verifier.
    public var environment: TaskEnvironment?
    public var collect: [CollectHook]
    /// The id of the git tree `tests/`, the context of a build; nil when there is none, and outside of git.
    public var context: String?
    /// Whether `tests/Dockerfile` exists.
    public var hasDockerfile: Bool
    /// Whether `tests/docker-compose.yaml` exists.
    public var hasCompose: Bool

    public init(
        env: [String: String] = [:], user: String? = nil, network: TaskNetwork? = nil, givenMode: Mode? = nil, environment: TaskEnvironment? = nil,
        collect: [CollectHook] = [], context: String? = nil, hasDockerfile: Bool = false, hasCompose: Bool = false
    ) {
        self.context = context
        self.hasDockerfile = hasDockerfile
        self.hasCompose = hasCompose
        self.env = env
        self.user = user
        self.network = network
        self.givenMode = givenMode
        self.environment = environment
        self.collect = collect
    }

    /// The mode that these settings select; nil when they leave it to the task, or, in a task, to the default (`shared`).
    public var mode: Mode? { givenMode ?? (environment == nil ? nil : .separate) }
}
