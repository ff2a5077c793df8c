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
    /// A duration, as `60s`: at least one second.
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

/// The observed state of an overlay. The lists of names have at most `namesLimit` entries each.
public struct OverlaySourceStatus: Codable, Sendable, Hashable {
    public static let namesLimit = 500

    /// What a revision was resolved from. A revision of another repository or ref is not used.
    public struct Origin: Codable, Sendable, Hashable {
        public var repo: String
        public var ref: String?

        public init(repo: String, ref: String?) {
            self.repo = repo
            self.ref = ref
        }

        public init(_ spec: OverlaySourceSpec) { self.init(repo: spec.repo, ref: spec.ref) }
    }

    public var observedGeneration: Int?
    public var conditions: [Condition]
    /// The last good commit.
    public var revision: String?
    /// What `revision` was resolved from.
    public var origin: Origin?
    /// When the revision or what it offers was last found to have changed.
    public var lastSyncTime: Timestamp?
    public var tools: [String]?
    public var workflows: [String]?
    public var skills: [String]?
    public var personas: [String]?
    /// The path of the prompt.
    public var prompt: String?
    /// Entries of earlier overlays that this one shadows, as `tool/search of base`.
    public var shadows: [String]?
    /// Names that differ from another one only in case or Unicode form.
    public var similarNames: [String]?

    public init(
        observedGeneration: Int? = nil, conditions: [Condition] = [], revision: String? = nil, origin: Origin? = nil,
        lastSyncTime: Timestamp? = nil, tools: [String]? = nil, workflows: [String]? = nil, skills: [String]? = nil, personas: [String]? = nil,
        prompt: String? = nil, shadows: [String]? = nil, similarNames: [String]? = nil
    ) {
        self.observedGeneration = observedGeneration
        self.conditions = conditions
        self.revision = revision
        self.origin = origin
        self.lastSyncTime = lastSyncTime
        self.tools = tools
        self.workflows = workflows
        self.skills = skills
        self.personas = personas
        self.prompt = prompt
        self.shadows = shadows
        self.similarNames = similarNames
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        observedGeneration = try values.optional(.observedGeneration)
        conditions = try values.value(.conditions, or: [])
        revision = try values.optional(.revision)
        origin = try values.optional(.origin)
        lastSyncTime = try values.optional(.lastSyncTime)
        tools = try values.optional(.tools)
        workflows = try values.optional(.workflows)
        skills = try values.optional(.skills)
        personas = try values.optional(.personas)
        prompt = try values.optional(.prompt)
        shadows = try values.optional(.shadows)
        similarNames = try values.optional(.similarNames)
    }
}
