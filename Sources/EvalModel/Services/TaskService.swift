/// A service of a task's Compose file that runs beside the trial, as far as a pod can have it.
public struct TaskService: Sendable, Hashable, Codable {
    /// How long a service runs.
    public enum Kind: String, Sendable, Hashable, Codable {
        /// Until the trial is over.
        case server
        /// Until it has done its work: what depends on it waits for that (`service_completed_successfully`).
        case oneShot
    }

    /// The user of a container, by number: a pod has no other.
    public struct User: Sendable, Hashable, Codable {
        public var id: Int
        /// nil: the group of the image's user.
        public var group: Int?

        public init(id: Int, group: Int? = nil) {
            self.id = id
            self.group = group
        }
    }

    /// A DNS-1123 label of at most 55 characters.
    public var name: String
    public var image: ServiceImage
    public var kind: Kind
    /// nil: the image's. It is not empty.
    public var entrypoint: [String]?
    /// nil: the image's, unless there is an entrypoint.
    public var command: [String]?
    /// A value may be `${VAR}` or `${VAR:-default}` as a whole, as in `[environment] env`.
    public var env: [String: String]
    /// Variables that the service gets if the job has them (an entry without a value).
    public var passedEnv: [String]
    /// nil: the image's.
    public var workdir: String?
    /// nil: the image's.
    public var user: User?
    /// nil: it has started as soon as it runs.
    public var check: ServiceCheck?
    public var mounts: [ServiceMount]
    public var resources: ServiceResources
    public var addedCapabilities: [String]
    public var droppedCapabilities: [String]
    public var hasReadOnlyRoot: Bool
    /// `no-new-privileges`.
    public var noNewPrivileges: Bool

    public init(
        name: String, image: ServiceImage, kind: Kind = .server, entrypoint: [String]? = nil, command: [String]? = nil, env: [String: String] = [:],
        passedEnv: [String] = [], workdir: String? = nil, user: User? = nil, check: ServiceCheck? = nil, mounts: [ServiceMount] = [],
        resources: ServiceResources = ServiceResources(), addedCapabilities: [String] = [], droppedCapabilities: [String] = [],
        hasReadOnlyRoot: Bool = false, noNewPrivileges: Bool = false
    ) {
        self.name = name
        self.image = image
        self.kind = kind
        self.entrypoint = entrypoint
        self.command = command
        self.env = env
        self.passedEnv = passedEnv
        self.workdir = workdir
        self.user = user
        self.check = check
        self.mounts = mounts
        self.resources = resources
        self.addedCapabilities = addedCapabilities
        self.droppedCapabilities = droppedCapabilities
        self.hasReadOnlyRoot = hasReadOnlyRoot
        self.noNewPrivileges = noNewPrivileges
    }

    /// Its variables as tables of the job's values are resolved.
    public var askedEnv: [String: String] {
        env.merging(passedEnv.map { ($0, "${\($0)}") }, uniquingKeysWith: { own, _ in own })
    }
}

/// Where the image of a service comes from.
public enum ServiceImage: Sendable, Hashable, Codable {
    /// The trial's: `image: ${MAIN_IMAGE_NAME}`.
    case main
    case own(ComposeImage)

    /// What is built for the service; nil for an image that exists, and for the trial's.
    public var build: ComposeImage.Build? {
        if case .own(.built(let build)) = self { return build }
        return nil
    }
}

/// A service's health check, with the meaning of Docker's. Times are in seconds.
public struct ServiceCheck: Sendable, Hashable, Codable {
    /// Runs in the service's container; 0 is healthy.
    public var command: [String]
    public var intervalSec: Double
    public var timeoutSec: Double
    /// Failures in this time do not count.
    public var startPeriodSec: Double
    /// Failures in a row before the service counts as failed.
    public var retries: Int

    /// The defaults are Docker's.
    public init(command: [String], intervalSec: Double = 30, timeoutSec: Double = 30, startPeriodSec: Double = 0, retries: Int = 3) {
        self.command = command
        self.intervalSec = intervalSec
        self.timeoutSec = timeoutSec
        self.startPeriodSec = startPeriodSec
        self.retries = retries
    }

    /// Whole seconds between two checks, as a pod has it.
    public var periodSeconds: Int { Self.whole(intervalSec) }
    public var timeoutSeconds: Int { Self.whole(timeoutSec) }

    /// Failures in a row that a pod allows: those of the start period, which do not count for Compose, come on top.
    public var failureThreshold: Int {
        max(1, retries) + (startPeriodSec > 0 ? Self.whole(startPeriodSec / max(intervalSec, 0.001)) : 0)
    }

    private static func whole(_ seconds: Double) -> Int { max(1, Int(min(seconds, 1e6).rounded(.up))) }
}

/// A file, folder or volume in a container.
public struct ServiceMount: Sendable, Hashable, Codable {
    public enum Source: Sendable, Hashable, Codable {
        /// A named volume, which services and `main` share.
        case volume(String)
        /// A file or folder below `environment/`, delivered as a copy. Empty for `environment/` itself.
        case files(String)
        /// `/logs/artifacts` or `/logs/agent` of the trial, by its name below `/logs`.
        case logs(String)
        /// An empty folder of this container only.
        case scratch(inMemory: Bool, sizeBytes: Int?)
    }

    public var source: Source
    /// An absolute path in the container.
    public var target: String
    public var readOnly: Bool
    /// A folder in a named volume; nil for all of it.
    public var subpath: String?

    public init(source: Source, target: String, readOnly: Bool = false, subpath: String? = nil) {
        self.source = source
        self.target = target
        self.readOnly = readOnly
        self.subpath = subpath
    }
}

/// What a service's container may use: what its file says, else the defaults.
public struct ServiceResources: Sendable, Hashable, Codable {
    /// CPUs requested.
    public var cpus: Double
    /// nil: no limit.
    public var cpuLimit: Double?
    /// MiB requested.
    public var memoryMB: Int
    public var memoryLimitMB: Int
    /// The most disk space, in MiB. A Compose file has no key for it.
    public static let storageMB = 2048

    public init(cpus: Double = 0.1, cpuLimit: Double? = nil, memoryMB: Int = 512, memoryLimitMB: Int = 512) {
        self.cpus = cpus
        self.cpuLimit = cpuLimit
        self.memoryMB = memoryMB
        self.memoryLimitMB = memoryLimitMB
    }
}
