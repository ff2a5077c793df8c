import Base
import EvalModel
import KubeCore

/// An evaluation: every agent runs on every task of the datasets, with one or more attempts each.
public struct EvalJob: AssayObject {
    public static let resource = ResourceType.evalJobs

    public var metadata: ObjectMeta
    public var spec: EvalJobSpec
    public var status: EvalJobStatus?

    public init(metadata: ObjectMeta, spec: EvalJobSpec, status: EvalJobStatus? = nil) {
        self.metadata = metadata
        self.spec = spec
        self.status = status
    }
}

/// The desired state of an evaluation. The defaults are those of the CRD.
public struct EvalJobSpec: Codable, Sendable, Hashable {
    public var source: SourceSpec
    /// nil: the target named `default`, else this cluster with oneshot sync.
    public var targetRef: LocalReference?
    /// In order. nil: every OverlaySource of the namespace; empty: none.
    public var overlays: [LocalReference]?
    public var datasets: [DatasetSpec]
    public var agents: [AgentSpec]
    public var attempts: Int
    public var parallelism: Int
    /// Multiplies every timeout.
    public var timeoutMultiplier: Double
    public var retry: RetrySpec
    /// Where the agent finds the task's instruction.
    public var instructionPath: String
    public var environment: EnvironmentSpec
    public var verifier: VerifierSpec
    public var metrics: [MetricSpec]
    public var artifacts: ArtifactsSpec
    /// No new trials start; running ones finish.
    public var suspend: Bool
    public var cancel: Bool
    public var activeDeadlineSeconds: Int?
    public var ttlSecondsAfterFinished: Int?

    public static let defaultInstructionPath = "/tmp/instruction.md"

    public init(
        source: SourceSpec, targetRef: LocalReference? = nil, overlays: [LocalReference]? = nil,
        datasets: [DatasetSpec] = [], agents: [AgentSpec] = [], attempts: Int = 1, parallelism: Int = 4,
        timeoutMultiplier: Double = 1, retry: RetrySpec = RetrySpec(),
        instructionPath: String = EvalJobSpec.defaultInstructionPath, environment: EnvironmentSpec = EnvironmentSpec(),
        verifier: VerifierSpec = VerifierSpec(), metrics: [MetricSpec] = [], artifacts: ArtifactsSpec = ArtifactsSpec(),
        suspend: Bool = false, cancel: Bool = false, activeDeadlineSeconds: Int? = nil, ttlSecondsAfterFinished: Int? = nil
    ) {
        self.source = source
        self.targetRef = targetRef
        self.overlays = overlays
        self.datasets = datasets
        self.agents = agents
        self.attempts = attempts
        self.parallelism = parallelism
        self.timeoutMultiplier = timeoutMultiplier
        self.retry = retry
        self.instructionPath = instructionPath
        self.environment = environment
        self.verifier = verifier
        self.metrics = metrics
        self.artifacts = artifacts
        self.suspend = suspend
        self.cancel = cancel
        self.activeDeadlineSeconds = activeDeadlineSeconds
        self.ttlSecondsAfterFinished = ttlSecondsAfterFinished
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        source = try values.decode(SourceSpec.self, forKey: .source)
        targetRef = try values.optional(.targetRef)
        overlays = try values.optional(.overlays)
        datasets = try values.value(.datasets, or: [])
        agents = try values.value(.agents, or: [])
        attempts = try values.value(.attempts, or: 1)
        parallelism = try values.value(.parallelism, or: 4)
        timeoutMultiplier = try values.value(.timeoutMultiplier, or: 1)
        retry = try values.value(.retry, or: RetrySpec())
        instructionPath = try values.value(.instructionPath, or: Self.defaultInstructionPath)
        environment = try values.value(.environment, or: EnvironmentSpec())
        verifier = try values.value(.verifier, or: VerifierSpec())
        metrics = try values.value(.metrics, or: [])
        artifacts = try values.value(.artifacts, or: ArtifactsSpec())
        suspend = try values.value(.suspend, or: false)
        cancel = try values.value(.cancel, or: false)
        activeDeadlineSeconds = try values.optional(.activeDeadlineSeconds)
        ttlSecondsAfterFinished = try values.optional(.ttlSecondsAfterFinished)
    }
}

extension EvalJobSpec {
    /// The metrics that are asked for, each once.
    public var metricTypes: [MetricType] { metrics.map(\.type).reduce(into: []) { if !$0.contains($1) { $0.append($1) } } }
}
