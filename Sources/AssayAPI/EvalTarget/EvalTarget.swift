import Base
import KubeCore

/// Where trials run.
public struct EvalTarget: AssayObject {
    public static let resource = ResourceType.evalTargets

    public var metadata: ObjectMeta
    public var spec: EvalTargetSpec
    public var status: EvalTargetStatus?

    public init(metadata: ObjectMeta, spec: EvalTargetSpec = EvalTargetSpec(), status: EvalTargetStatus? = nil) {
        self.metadata = metadata
        self.spec = spec
        self.status = status
    }
}

public struct EvalTargetSpec: Codable, Sendable, Hashable {
    /// The type of the target. `gha-runner` and `azure-vm` are read as `ci` and `vm`.
    public enum Kind: String, Codable, Sendable, Hashable, CaseIterable {
        case cluster, local, ci, vm

        public init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            let text = try container.decode(String.self)
            guard let kind = Kind(rawValue: text) ?? Self.aliases[text] else {
                throw DecodingError.dataCorruptedError(
                    in: container, debugDescription: "type must be cluster, local, ci or vm, not \(text.debugDescription)")
            }
            self = kind
        }

        public static let aliases: [String: Kind] = ["gha-runner": .ci, "azure-vm": .vm]
    }

    /// How the benchmark is delivered.
    public enum Sync: String, Codable, Sendable, Hashable, CaseIterable {
        /// The files at `workdir` are used unchanged.
        case noop
        /// The pinned commit is fetched once.
        case oneshot
        /// A mirror is kept up to date.
        case continuous
    }

    public var type: Kind
    public var sync: Sync
    public var syncOptions: SyncOptions?
    public var workdir: String?
    /// For type local on a cluster, in place of `workdir`.
    public var claim: ClaimSpec?
    public var host: HostSpec?
    public var image: TargetImageSpec?
    public var podTemplate: PodTemplate?
    /// 0: no limit.
    public var maxConcurrentTrials: Int
    public var cost: CostSpec?

    public init(
        type: Kind = .cluster, sync: Sync = .oneshot, syncOptions: SyncOptions? = nil, workdir: String? = nil, claim: ClaimSpec? = nil,
        host: HostSpec? = nil, image: TargetImageSpec? = nil, podTemplate: PodTemplate? = nil,
        maxConcurrentTrials: Int = 0, cost: CostSpec? = nil
    ) {
        self.claim = claim
        self.type = type
        self.sync = sync
        self.syncOptions = syncOptions
        self.workdir = workdir
        self.host = host
        self.image = image
        self.podTemplate = podTemplate
        self.maxConcurrentTrials = maxConcurrentTrials
        self.cost = cost
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        type = try values.value(.type, or: .cluster)
        sync = try values.value(.sync, or: .oneshot)
        syncOptions = try values.optional(.syncOptions)
        workdir = try values.optional(.workdir)
        claim = try values.optional(.claim)
        host = try values.optional(.host)
        image = try values.optional(.image)
        podTemplate = try values.optional(.podTemplate)
        maxConcurrentTrials = try values.value(.maxConcurrentTrials, or: 0)
        cost = try values.optional(.cost)
    }
}

public struct SyncOptions: Codable, Sendable, Hashable {
    public enum Mode: String, Codable, Sendable, Hashable, CaseIterable {
        case shallow, full, sparse
    }

    public var mode: Mode
    public var sparsePaths: [String]?
    /// A duration, as `60s`.
    public var refreshInterval: String
    /// What depends on the program that does the work, and so may change with it.
    public var advanced: Advanced?

    public struct Advanced: Codable, Sendable, Hashable {
        /// Further arguments of the program that keeps the checkout of a vm up to date, as they are.
        public var extraArgs: [String]?

        public init(extraArgs: [String]? = nil) { self.extraArgs = extraArgs }
    }

    public init(mode: Mode = .shallow, sparsePaths: [String]? = nil, refreshInterval: String = "60s", advanced: Advanced? = nil) {
        self.mode = mode
        self.sparsePaths = sparsePaths
        self.refreshInterval = refreshInterval
        self.advanced = advanced
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        mode = try values.value(.mode, or: .shallow)
        sparsePaths = try values.optional(.sparsePaths)
        refreshInterval = try values.value(.refreshInterval, or: "60s")
        advanced = try values.optional(.advanced)
    }
}

/// A PersistentVolumeClaim with a benchmark.
public struct ClaimSpec: Codable, Sendable, Hashable {
    /// In the namespace of the target.
    public var name: String
    /// A folder of the claim; nil: all of it.
    public var path: String?

    public init(name: String, path: String? = nil) {
        self.name = name
        self.path = path
    }
}

/// The machine of a vm target.
public struct HostSpec: Codable, Sendable, Hashable {
    public var address: String
    public var user: String?
    public var port: Int
    public var sshSecretRef: LocalReference?
    public var knownHostsRef: LocalReference?

    public init(
        address: String, user: String? = nil, port: Int = 22, sshSecretRef: LocalReference? = nil,
        knownHostsRef: LocalReference? = nil
    ) {
        self.address = address
        self.user = user
        self.port = port
        self.sshSecretRef = sshSecretRef
        self.knownHostsRef = knownHostsRef
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        address = try values.decode(String.self, forKey: .address)
        user = try values.optional(.user)
        port = try values.value(.port, or: 22)
        sshSecretRef = try values.optional(.sshSecretRef)
        knownHostsRef = try values.optional(.knownHostsRef)
    }
}

public struct TargetImageSpec: Codable, Sendable, Hashable {
    /// For tasks without an image.
    public var `default`: String?
    public var build: BuildSpec?

    public init(default: String? = nil, build: BuildSpec? = nil) {
        self.default = `default`
        self.build = build
    }
}

/// Prices of the target, for the cost of trials.
public struct CostSpec: Codable, Sendable, Hashable {
    public var cpuHour: Double?
    public var memoryGiBHour: Double?

    public init(cpuHour: Double? = nil, memoryGiBHour: Double? = nil) {
        self.cpuHour = cpuHour
        self.memoryGiBHour = memoryGiBHour
    }
}

public struct EvalTargetStatus: Codable, Sendable, Hashable {
    public var observedGeneration: Int?
    public var conditions: [Condition]
    public var dependencies: [Dependency]?
    public var syncedCommit: String?
    public var lastSyncTime: Timestamp?
    /// Seconds since a commit was seen at the source that is newer than `syncedCommit`; 0 when the last look found none.
    public var lagSeconds: Int?
    public var activeTrials: Int?

    /// A program that the target needs.
    public struct Dependency: Codable, Sendable, Hashable {
        public var name: String
        public var version: String?
        public var path: String?
        public var found: Bool

        public init(name: String, version: String? = nil, path: String? = nil, found: Bool) {
            self.name = name
            self.version = version
            self.path = path
            self.found = found
        }
    }

    public init(
        observedGeneration: Int? = nil, conditions: [Condition] = [], dependencies: [Dependency]? = nil,
        syncedCommit: String? = nil, lastSyncTime: Timestamp? = nil, lagSeconds: Int? = nil, activeTrials: Int? = nil
    ) {
        self.observedGeneration = observedGeneration
        self.conditions = conditions
        self.dependencies = dependencies
        self.syncedCommit = syncedCommit
        self.lastSyncTime = lastSyncTime
        self.lagSeconds = lagSeconds
        self.activeTrials = activeTrials
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        observedGeneration = try values.optional(.observedGeneration)
        conditions = try values.value(.conditions, or: [])
        dependencies = try values.optional(.dependencies)
        syncedCommit = try values.optional(.syncedCommit)
        lastSyncTime = try values.optional(.lastSyncTime)
        lagSeconds = try values.optional(.lagSeconds)
        activeTrials = try values.optional(.activeTrials)
    }
}
