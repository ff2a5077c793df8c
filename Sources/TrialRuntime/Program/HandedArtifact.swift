import EvalModel

/// One of a trial's artifacts: where it comes from and where it goes. Its number is its place in the program's list, in every container.
struct HandedArtifact: Sendable, Hashable {
    /// Where the collector finds it.
    enum Origin: Sendable, Hashable {
        /// In the trial's logs, which the collector mounts: these names below `/logs`.
        case logs([String])
        /// The trial's runner copies it to the volume of offers.
        case offered
    }

    let number: Int
    let artifact: TaskArtifact
    let origin: Origin
    /// Its place below `logs/` in the record; nil when it is there already.
    let recordedAt: [String]?

    init(_ artifact: TaskArtifact, number: Int) {
        self.artifact = artifact
        self.number = number
        let names = artifact.source.split(separator: "/").filter { $0 != "." }.map(String.init)
        let isAbsolute = artifact.source.hasPrefix("/")
        origin = isAbsolute && names.count > 1 && names[0] == "logs" ? .logs(Array(names.dropFirst())) : .offered
        if artifact.isAlwaysCollected {
            recordedAt = nil
        } else {
            let place = artifact.destination?.split(separator: "/").filter { $0 != "." }.map(String.init) ?? names
            recordedAt = [LogFolder.artifacts.rawValue] + place
        }
    }

    /// Whether the trial's runner has to copy it, because the collector does not mount the place where it lies.
    var mustBeOffered: Bool { origin == .offered }

    /// The name of its folder in the volumes of offers and of accepted copies. The folder holds one file or folder, `item`.
    var folder: String { String(number) }
    static let item = "item"
}

extension TrialProgram.Verifier {
    /// The artifacts with their numbers.
    var handed: [HandedArtifact] { artifacts.enumerated().map { HandedArtifact($1, number: $0) } }

    /// Whether the trial's runner copies anything for the collector.
    public var handsOver: Bool { handed.contains(where: \.mustBeOffered) }

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

/// Limits for what a trial hands over, so that it cannot fill the collector's disk or keep it busy for hours.
public struct HandoverLimits: Sendable, Hashable {
    /// Bytes of all files together.
    public var bytes = 256 << 20
    /// Files and folders of all artifacts together.
    public var entries = 200_000
    /// How deeply folders may be nested.
    public var depth = 128

    public init() {}
}
