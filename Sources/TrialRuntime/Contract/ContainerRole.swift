/// What a container of a trial pod is for. The pod names each container after its role; this is the only place that knows the names.
public enum ContainerRole: String, Sendable, Hashable, Codable, CaseIterable {
    /// The init container that brings the task and lays out the volumes.
    case delivery
    /// The task's image; runs the agent and, in shared mode, the tests.
    case trial
    /// Holds the tests back, then collects the outcome.
    case collector

    public var containerName: String {
        switch self {
        case .delivery: "repo-cache"
        case .trial: "trial"
        case .collector: "collector"
        }
    }

    /// nil for a container that is none of a trial pod's, for example one that an admission webhook added.
    public init?(containerName: String) {
        guard let role = Self.allCases.first(where: { $0.containerName == containerName }) else { return nil }
        self = role
    }

    /// What the container runs when its image is ours; nil for an image of the task.
    public var command: [String]? {
        switch self {
        case .delivery: [Self.executable, "repo-cache"]
        case .collector: [Self.executable, "collect"]
        case .trial: nil
        }
    }

    /// Where our image has its program. The Containerfile and the podman node put it there.
    static let executable = "/usr/local/bin/assay"
}
