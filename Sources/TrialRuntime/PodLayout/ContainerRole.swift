/// The purpose of a container of a trial pod. A container is named after its role, and only this type defines the names.
public enum ContainerRole: Sendable, Hashable, Codable, RawRepresentable {
    /// The init container that fetches the task and fills the volumes.
    case delivery
    /// The init container of the agent's image, which copies the agent.
    case agent
    /// The task's image; runs the agent and, in shared mode, the tests.
    case trial
    /// A verifier's image, in separate mode: runs the tests of the step at this place on what the trial handed over. The one of a task without
    /// steps is the first.
    case verifier(Int)
    /// Keeps the tests away from the trial until the agent has ended, then collects the outcome.
    case collector
    /// A service of the task's Compose file, by its name there.
    case service(String)

    /// The roles of which a pod has one container at most.
    private static let single: [ContainerRole] = [.delivery, .agent, .trial, .verifier(0), .collector]
    private static let service = (value: "service:", container: "service-")
    private static let verifier = (value: "verifier:", container: "verifier-")

    /// nil for a text that is no role.
    public init?(rawValue: String) {
        if rawValue.hasPrefix(Self.service.value) {
            self = .service(String(rawValue.dropFirst(Self.service.value.count)))
        } else if let role = Self.single.first(where: { $0.rawValue == rawValue }) ?? Self.verifier(rawValue, after: Self.verifier.value) {
            self = role
        } else {
            return nil
        }
    }

    /// Those of later steps count from 2.
    private static func verifier(_ text: String, after prefix: String) -> ContainerRole? {
        guard text.hasPrefix(prefix), let number = Int(text.dropFirst(prefix.count)), number > 1, "\(prefix)\(number)" == text else { return nil }
        return .verifier(number - 1)
    }

    /// The place of the step whose tests the container runs; nil for a container that is no separate verifier.
    public var verifiedStep: Int? {
        if case .verifier(let step) = self { return step }
        return nil
    }

    public var isVerifier: Bool { verifiedStep != nil }

    /// `trial`, `verifier:2`, `service:db`.
    public var rawValue: String {
        switch self {
        case .delivery: "delivery"
        case .agent: "agent"
        case .trial: "trial"
        case .verifier(0): "verifier"
        case .verifier(let step): Self.verifier.value + String(step + 1)
        case .collector: "collector"
        case .service(let name): Self.service.value + name
        }
    }

    public var containerName: String {
        switch self {
        case .delivery: "repo-cache"
        case .agent: "agent"
        case .trial: "trial"
        case .verifier(0): "verifier"
        case .verifier(let step): Self.verifier.container + String(step + 1)
        case .collector: "collector"
        case .service(let name): Self.service.container + name
        }
    }

    /// nil for a container that does not belong to the trial pod's design, for example one that an admission webhook added.
    public init?(containerName: String) {
        if let role = Self.single.first(where: { $0.containerName == containerName }) {
            self = role
        } else if containerName.hasPrefix(Self.service.container) {
            self = .service(String(containerName.dropFirst(Self.service.container.count)))
        } else if let role = Self.verifier(containerName, after: Self.verifier.container) {
            self = role
        } else {
            return nil
        }
    }

    /// The command of a container that does not run the task's image.
    public var command: [String]? {
        switch self {
        case .delivery: [Self.executable, "repo-cache"]
        case .collector: [Self.executable, "collect"]
        // With the files' times, which interpreters compare with their caches, and without following links.
        case .agent: ["cp", "-RPp", "\(TrialPaths().agentImage)/.", "\(TrialPaths().agentFiles)/"]
        case .trial, .verifier, .service: nil
        }
    }

    /// The command of the trial container on a vm target, where the trial runs on the host.
    public static let remoteTrial = [executable, "remote-trial"]

    /// The path of the program in the operator's image. The Containerfile and the podman node put it there.
    public static let executable = "/usr/local/bin/assay"
}
