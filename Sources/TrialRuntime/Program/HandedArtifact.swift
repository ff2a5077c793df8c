import EvalModel

/// One of a step's artifacts: where it comes from and where it goes. Its number is its place among those of the step, in every container.
struct HandedArtifact: Sendable, Hashable {
    /// Where the collector finds it.
    enum Origin: Sendable, Hashable {
        /// In the trial's logs, which the collector mounts: these names below `/logs`.
        case logs([String])
        /// The trial's runner copies it to the volume of offers.
        case offered
        /// On a volume that its service mounts: the path in it.
        case volume(String, [String])
    }

    let number: Int
    let artifact: TaskArtifact
    let origin: Origin
    /// Its place below `logs/` in the record; nil when it is there already.
    let recordedAt: [String]?

    /// - Parameter place: where a service's artifact lies; nil for one of the trial.
    init(_ artifact: TaskArtifact, number: Int, place: TrialProgram.Verifier.ServicePlace? = nil) {
        self.artifact = artifact
        self.number = number
        let names = artifact.source.split(separator: "/").filter { $0 != "." }.map(String.init)
        let isAbsolute = artifact.source.hasPrefix("/")
        let isInLogs = place == nil && isAbsolute && names.count > 1 && names[0] == "logs"
        origin = place.map { .volume($0.volume, $0.names) } ?? (isInLogs ? .logs(Array(names.dropFirst())) : .offered)
        // Services may have the same paths.
        let own = (place.map { [$0.service] } ?? []) + names
        let destination = artifact.destination.map { $0.split(separator: "/").filter { $0 != "." }.map(String.init) }
        recordedAt = destination == nil && isInLogs ? nil : [LogFolder.artifacts.rawValue] + (destination ?? own)
    }

    /// Whether the trial's runner has to copy it, because the collector does not mount the place where it lies.
    var mustBeOffered: Bool { origin == .offered }

    /// The name of its folder in the volumes of offers and of accepted copies. The folder holds one file or folder, `item`.
    var folder: String { String(number) }
    static let item = "item"
}

extension TrialProgram.Verifier {
    /// The artifacts of a step with their numbers: those of all steps, then its own.
    func handed(_ step: TrialProgram.Step) -> [HandedArtifact] {
        (artifacts + (step.artifacts ?? [])).enumerated().map { number, artifact in
            HandedArtifact(
                artifact, number: number, place: places.first { $0.service == artifact.service && $0.source == artifact.source })
        }
    }

    /// The volumes of services that the collector mounts.
    public var volumes: [String] { Set(places.map(\.volume)).sorted() }

    /// The artifacts of a step that the collector copies: for a separate verifier all, otherwise those that are not in the logs.
    func taken(_ step: TrialProgram.Step) -> [HandedArtifact] { handed(step).filter { separate != nil || $0.recordedAt != nil } }

    /// Whether the step's tests come with the task, and are not in a separate verifier's image.
    public func deliversTests(ofStep step: Int) -> Bool { separate.map { !$0.bringsTests[step] } ?? true }

    /// The list of a task's artifacts with `/logs/artifacts`, which is always handed over.
    public static func artifacts(of task: EvalTask) -> [TaskArtifact] {
        let folder = TaskArtifact(source: "/logs/artifacts")
        let isDeclared = task.artifacts.contains {
            $0.source.hasPrefix("/") && $0.source.split(separator: "/").filter { $0 != "." } == ["logs", "artifacts"]
                && ($0.service ?? TaskArtifact.mainService) == TaskArtifact.mainService
        }
        return isDeclared ? task.artifacts : [folder] + task.artifacts
    }
}

extension Collection<TrialProgram.Step> {
    /// Whether the trial's runner copies anything for the collector.
    public func offerArtifacts(to verifier: TrialProgram.Verifier) -> Bool { contains { verifier.handed($0).contains(where: \.mustBeOffered) } }

    /// Whether the collector copies any artifacts.
    public func handArtifacts(to verifier: TrialProgram.Verifier) -> Bool { contains { !verifier.taken($0).isEmpty } }
}

/// Limits for what a trial hands over, so that it cannot fill the collector's disk or keep it busy for hours.
public struct HandoverLimits: Sendable, Hashable {
    /// Bytes of all files together.
    public var bytes: Int
    /// Files and folders of all artifacts together.
    public var entries: Int
    /// How deeply folders may be nested.
    public var depth: Int

    public init(bytes: Int = 256 << 20, entries: Int = 200_000, depth: Int = 128) {
        self.bytes = bytes
        self.entries = entries
        self.depth = depth
    }
}
