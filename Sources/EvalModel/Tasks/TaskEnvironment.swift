/// What a task's container needs: `[environment]` or `[verifier.environment]`.
public struct TaskEnvironment: Sendable, Hashable, Codable {
    /// The operating system of the container.
    public enum System: String, Sendable, Hashable, Codable, CaseIterable {
        case linux
        case windows
    }

    /// A slice of TPUs.
    public struct TPU: Sendable, Hashable, Codable {
        public var type: String
        /// Such as `2x4`.
        public var topology: String

        public init(type: String, topology: String) {
            self.type = type
            self.topology = topology
        }
    }

    /// The image that `docker_image` names.
    public var dockerImage: String?
    /// The id of the git tree `environment/`, the context of a build; nil when there is none, and outside of git.
    public var context: String?
    /// Whether `environment/Dockerfile` exists.
    public var hasDockerfile: Bool
    /// The user that the Dockerfile ends with; nil when it names none, and for a task that names no user itself.
    public var imageUser: String?
    /// Whether `environment/docker-compose.yaml` exists.
    public var hasCompose: Bool
    /// Where the image of its service `main` comes from; nil when it says nothing of it.
    public var composeImage: ComposeImage?
    /// What that file adds to the trial.
    public var services = TaskServices()
    /// The ids of the git trees of folders below `environment/` that images are built in, by their path there.
    public var contexts: [String: String] = [:]
    /// Variables that `main` gets if the job has them (an entry without a value).
    public var passedEnv: [String] = []
    /// Seconds an image build may take.
    public var buildTimeoutSec: Double
    public var system: System
    /// CPUs; a fraction is allowed.
    public var cpus: Double
    /// Memory in MiB.
    public var memoryMB: Int
    /// Storage in MiB.
    public var storageMB: Int
    /// GPUs; 0 for none.
    public var gpus: Int
    /// The types of GPU that will do; nil for any.
    public var gpuTypes: [String]?
    public var tpu: TPU?
    /// Keys that ask for hardware of another kind.
    public var otherHardware: [String]
    /// The working directory; nil for the image's own.
    public var workdir: String?
    /// Environment variables; values may hold `${VAR}` until they are resolved.
    public var env: [String: String]
    public var network: TaskNetwork
    /// A folder in the container whose skills the agent gets.
    public var skillsDir: String?
    public var mcpServers: [MCPServer]
    public var healthcheck: Healthcheck?

    public init(
        dockerImage: String? = nil, context: String? = nil, hasDockerfile: Bool = false, imageUser: String? = nil, hasCompose: Bool = false,
        buildTimeoutSec: Double = 600,
        system: System = .linux,
        cpus: Double = 1, memoryMB: Int = 2048, storageMB: Int = 10240, gpus: Int = 0, gpuTypes: [String]? = nil, tpu: TPU? = nil,
        otherHardware: [String] = [], workdir: String? = nil, env: [String: String] = [:], network: TaskNetwork = TaskNetwork(.public),
        skillsDir: String? = nil, mcpServers: [MCPServer] = [], healthcheck: Healthcheck? = nil
    ) {
        self.dockerImage = dockerImage
        self.context = context
        self.hasDockerfile = hasDockerfile
        self.imageUser = imageUser
        self.hasCompose = hasCompose
        self.buildTimeoutSec = buildTimeoutSec
        self.system = system
        self.cpus = cpus
        self.memoryMB = memoryMB
        self.storageMB = storageMB
        self.gpus = gpus
        self.gpuTypes = gpuTypes
        self.tpu = tpu
        self.otherHardware = otherHardware
        self.workdir = workdir
        self.env = env
        self.network = network
        self.skillsDir = skillsDir
        self.mcpServers = mcpServers
        self.healthcheck = healthcheck
    }
}

/// A command that tells when a container is ready, with the meaning of Docker's HEALTHCHECK. Times are in seconds.
public struct Healthcheck: Sendable, Hashable, Codable {
    public var command: String
    public var intervalSec: Double
    public var timeoutSec: Double
    /// Failures in this time do not count.
    public var startPeriodSec: Double
    public var startIntervalSec: Double
    /// Consecutive failures before the container counts as failed.
    public var retries: Int

    public init(
        command: String, intervalSec: Double = 5, timeoutSec: Double = 30, startPeriodSec: Double = 0, startIntervalSec: Double = 5, retries: Int = 3
    ) {
        self.command = command
        self.intervalSec = intervalSec
        self.timeoutSec = timeoutSec
        self.startPeriodSec = startPeriodSec
        self.startIntervalSec = startIntervalSec
        self.retries = retries
    }

    /// The longest time that the checks may take before they succeed or fail.
    public var longestSec: Double {
        startPeriodSec + startIntervalSec + timeoutSec + Double(max(1, retries)) * (intervalSec + timeoutSec)
    }
}

/// An MCP server that the agent may use.
public struct MCPServer: Sendable, Hashable, Codable {
    public enum Transport: String, Sendable, Hashable, Codable, CaseIterable {
        case stdio
        case sse
        case streamableHTTP = "streamable-http"
    }

    public var name: String
    public var transport: Transport
    /// For `sse` and `streamable-http`.
    public var url: String?
    /// For `stdio`.
    public var command: String?
    public var arguments: [String]
    /// HTTP headers; values may hold `${VAR}`. A header with a credential holds nothing else.
    public var headers: [String: String]

    public init(
        name: String, transport: Transport = .sse, url: String? = nil, command: String? = nil, arguments: [String] = [],
        headers: [String: String] = [:]
    ) {
        self.name = name
        self.transport = transport
        self.url = url
        self.command = command
        self.arguments = arguments
        self.headers = headers
    }
}
