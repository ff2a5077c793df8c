import Base
import KubeCore

/// A repository of tools, workflows and skills that is added to trials.
public struct OverlaySource: AssayObject {
    public static let resource = ResourceType.overlaySources

    public var metadata: ObjectMeta
    public var spec: OverlaySourceSpec
    public var status: OverlaySourceStatus?

    public init(metadata: ObjectMeta, spec: OverlaySourceSpec, status: OverlaySourceStatus? = nil) {
        self.metadata = metadata
        self.spec = spec
        self.status = status
    }
}

/// A subdir that the repository does not have is skipped. The empty string disables a subdir.
public struct OverlaySourceSpec: Codable, Sendable, Hashable {
    /// A URL, or `owner/name`.
    public var repo: String
    public var ref: String?
    /// Lower numbers come first; later overlays shadow earlier ones.
    public var order: Int
    public var toolsSubdir: String
    public var workflowsSubdir: String
    public var skillsSubdir: String
    public var promptPath: String?
    public var personasSubdir: String?
    public var secretRef: LocalReference?
    /// A duration, as `60s`.
    public var interval: String
    public var suspend: Bool

    public init(
        repo: String, ref: String? = nil, order: Int = 0, toolsSubdir: String = "tools",
        workflowsSubdir: String = "workflows", skillsSubdir: String = ".agents/skills", promptPath: String? = nil,
        personasSubdir: String? = nil, secretRef: LocalReference? = nil, interval: String = "60s", suspend: Bool = false
    ) {
        self.repo = repo
        self.ref = ref
        self.order = order
        self.toolsSubdir = toolsSubdir
        self.workflowsSubdir = workflowsSubdir
        self.skillsSubdir = skillsSubdir
        self.promptPath = promptPath
        self.personasSubdir = personasSubdir
        self.secretRef = secretRef
        self.interval = interval
        self.suspend = suspend
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        repo = try values.decode(String.self, forKey: .repo)
        ref = try values.optional(.ref)
        order = try values.value(.order, or: 0)
        toolsSubdir = try values.value(.toolsSubdir, or: "tools")
        workflowsSubdir = try values.value(.workflowsSubdir, or: "workflows")
        skillsSubdir = try values.value(.skillsSubdir, or: ".agents/skills")
        promptPath = try values.optional(.promptPath)
        personasSubdir = try values.optional(.personasSubdir)
        secretRef = try values.optional(.secretRef)
        interval = try values.value(.interval, or: "60s")
        suspend = try values.value(.suspend, or: false)
    }
}

public struct OverlaySourceStatus: Codable, Sendable, Hashable {
    public var observedGeneration: Int?
    public var conditions: [Condition]
    public var revision: String?
    public var lastSyncTime: Timestamp?
    public var tools: [String]?
    public var workflows: [String]?
    public var skills: [String]?
    /// Names of earlier overlays that this one shadows.
    public var shadows: [String]?

    public init(
        observedGeneration: Int? = nil, conditions: [Condition] = [], revision: String? = nil,
        lastSyncTime: Timestamp? = nil, tools: [String]? = nil, workflows: [String]? = nil, skills: [String]? = nil,
        shadows: [String]? = nil
    ) {
        self.observedGeneration = observedGeneration
        self.conditions = conditions
        self.revision = revision
        self.lastSyncTime = lastSyncTime
        self.tools = tools
        self.workflows = workflows
        self.skills = skills
        self.shadows = shadows
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        observedGeneration = try values.optional(.observedGeneration)
        conditions = try values.value(.conditions, or: [])
        revision = try values.optional(.revision)
        lastSyncTime = try values.optional(.lastSyncTime)
        tools = try values.optional(.tools)
        workflows = try values.optional(.workflows)
        skills = try values.optional(.skills)
        shadows = try values.optional(.shadows)
    }
}
