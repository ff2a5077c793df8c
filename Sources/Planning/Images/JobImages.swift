import AssayAPI
import EvalModel
import TrialRuntime

/// The state of an image that somebody wants.
public enum ImageState: Sendable {
    /// Being looked up or built, or waiting for its turn.
    case building
    case ready(BuiltImage)
    case failed(ImageBuildFailure)
}

/// What a built image is for: a task, by its place in the plan, and a container of its trials.
public struct ImageUse: Sendable, Hashable, Comparable {
    public let task: Int
    public let role: ContainerRole

    public init(task: Int, role: ContainerRole = .trial) {
        self.task = task
        self.role = role
    }

    public static func < (one: ImageUse, other: ImageUse) -> Bool {
        (one.task, one.role == .trial ? 0 : 1) < (other.task, other.role == .trial ? 0 : 1)
    }
}

/// The images that a job's tasks need built, and how far they are. Pure.
public struct JobImages: Sendable {
    /// The images that tasks need built.
    public private(set) var keys: [ImageUse: ImageKey] = [:]
    public private(set) var built: [ImageKey: BuiltImage] = [:]
    public private(set) var failed: [ImageKey: ImageBuildFailure] = [:]

    public init() {}

    /// - Parameters:
    ///   - keys: of the images that tasks need built.
    ///   - state: the state of an image; nil when nobody wants it.
    public init(_ keys: [ImageUse: ImageKey], state: (ImageKey) -> ImageState?) {
        self.keys = keys
        for key in Set(keys.values) {
            switch state(key) {
            case .ready(let image): built[key] = image
            case .failed(let failure): failed[key] = failure
            case .building, nil: break
            }
        }
    }

    /// The task's image; nil when it is not built, or none is to be.
    public func image(ofTask index: Int, role: ContainerRole = .trial) -> BuiltImage? { keys[.init(task: index, role: role)].flatMap { built[$0] } }

    /// Why one of the task's images was not built.
    public func failure(ofTask index: Int) -> ImageBuildFailure? { failure(.init(task: index)) ?? failure(.init(task: index, role: .verifier)) }

    private func failure(_ use: ImageUse) -> ImageBuildFailure? { keys[use].flatMap { failed[$0] } }

    /// What cannot be used yet.
    public var unreadyUses: Set<ImageUse> { Set(keys.filter { built[$0.value] == nil && failed[$0.value] == nil }.keys) }

    /// Tasks whose trials cannot start yet.
    public var unready: Set<Int> { Set(unreadyUses.map(\.task)) }

    /// The log of the build of the task's image, also of one that failed; a separate verifier's follows.
    public func log(ofTask index: Int) -> String? {
        let verifier = ImageUse(task: index, role: .verifier)
        let own = image(ofTask: index)?.log ?? failure(.init(task: index))?.log
        guard let other = image(ofTask: index, role: .verifier)?.log ?? failure(verifier)?.log else { return own }
        return (own.map { $0 + "\n" } ?? "") + "The verifier's image (tests/Dockerfile):\n" + other
    }
}

extension PreparedJob {
    /// An image that must be built: the folder of its Dockerfile in the task's folder, and what its environment says.
    public struct ImageToBuild: Sendable, Hashable {
        public let folder: String
        /// The id of the folder's git tree.
        public let context: String
        public let timeoutSec: Double
    }

    /// The images that must be built.
    public func imagesToBuild(_ spec: EvalJobSpec, defaultImage: String?) -> [ImageUse: ImageToBuild] {
        var found: [ImageUse: ImageToBuild] = [:]
        for (index, prepared) in tasks.enumerated() {
            guard let task = prepared.task, prepared.refusal == nil else { continue }
            let images = spec.images(of: task, targetDefault: defaultImage)
            if images.trial == .dockerfile, let context = task.environment.context {
                found[.init(task: index)] = ImageToBuild(folder: "environment", context: context, timeoutSec: task.environment.buildTimeoutSec)
            }
            if images.verifier == .dockerfile, let context = task.verifier.context {
                found[.init(task: index, role: .verifier)] = ImageToBuild(
                    folder: "tests", context: context, timeoutSec: task.verifierEnvironment.buildTimeoutSec)
            }
        }
        return found
    }

    /// The trials of a task: one range for each agent.
    public func trials(ofTask index: Int, agents: Int, attempts: Int) -> [ClosedRange<Int>] {
        (0..<agents).map { agent in
            let first = (agent * tasks.count + index) * attempts
            return first...(first + attempts - 1)
        }
    }
}
