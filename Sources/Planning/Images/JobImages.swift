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

    /// The roles whose images a task may need built, in the order in which they are built.
    static func roles(of task: EvalTask) -> [ContainerRole] {
        [.trial] + (0..<max(1, task.steps.count)).map { .verifier($0) } + task.environment.services.services.map { .service($0.name) }
    }

    public static func < (one: ImageUse, other: ImageUse) -> Bool {
        (one.task, one.order, one.role.rawValue) < (other.task, other.order, other.role.rawValue)
    }

    private var order: Int {
        switch role {
        case .trial: 0
        case .verifier: 1
        default: 2
        }
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
    public func failure(ofTask index: Int) -> ImageBuildFailure? { uses(ofTask: index).lazy.compactMap { failure($0) }.first }

    /// The task's images, in the order in which they are built.
    private func uses(ofTask index: Int) -> [ImageUse] { keys.keys.filter { $0.task == index }.sorted() }

    private func failure(_ use: ImageUse) -> ImageBuildFailure? { keys[use].flatMap { failed[$0] } }

    /// What cannot be used yet.
    public var unreadyUses: Set<ImageUse> { Set(keys.filter { built[$0.value] == nil && failed[$0.value] == nil }.keys) }

    /// Tasks whose trials cannot start yet.
    public var unready: Set<Int> { Set(unreadyUses.map(\.task)) }

    /// The log of the build of the task's image, also of one that failed; those of a separate verifier and of services follow.
    public func log(ofTask index: Int) -> String? {
        let logs = uses(ofTask: index).compactMap { use -> String? in
            guard let log = image(ofTask: index, role: use.role)?.log ?? failure(use)?.log else { return nil }
            switch use.role {
            case .verifier(0): return "The verifier's image (tests/Dockerfile):\n" + log
            case .verifier(let step): return "The image of the verifier of step \(step + 1):\n" + log
            case .service(let name): return "The image of the service \"\(name)\":\n" + log
            default: return log
            }
        }
        return logs.isEmpty ? nil : logs.joined(separator: "\n")
    }
}

extension PreparedJob {
    /// An image that must be built: the folder of its context in the task's folder, and what its environment says.
    public struct ImageToBuild: Sendable, Hashable {
        public let folder: String
        /// The id of the folder's git tree.
        public let context: String
        /// What a Compose file says of the build.
        public let build: ComposeImage.Build
        public let timeoutSec: Double
    }

    /// The images that must be built.
    public func imagesToBuild(_ spec: EvalJobSpec, defaultImage: String?) -> [ImageUse: ImageToBuild] {
        var found: [ImageUse: ImageToBuild] = [:]
        for (index, prepared) in tasks.enumerated() {
            guard let task = prepared.task, prepared.refusal == nil else { continue }
            let images = spec.images(of: task, targetDefault: defaultImage)
            func environment(_ build: ComposeImage.Build, _ role: ContainerRole) {
                guard let context = task.environment.contexts[build.context] ?? (build.context.isEmpty ? task.environment.context : nil) else {
                    return
                }
                found[.init(task: index, role: role)] = ImageToBuild(
                    folder: build.context.isEmpty ? "environment" : "environment/\(build.context)", context: context, build: build,
                    timeoutSec: task.environment.buildTimeoutSec)
            }
            switch images.trial {
            case .dockerfile: environment(.init(), .trial)
            case .compose(.built(let build)): environment(build, .trial)
            default: break
            }
            for (step, image) in images.verifiers.enumerated() {
                guard case .dockerfile(let folder) = image,
                    let context = folder == "tests" ? task.verifier.context : task.steps[step].verifier.context
                else { continue }
                found[.init(task: index, role: .verifier(step))] = ImageToBuild(
                    folder: folder, context: context, build: .init(), timeoutSec: task.verifierEnvironment(ofStep: step).buildTimeoutSec)
            }
            for service in task.environment.services.services {
                if let build = service.image.build { environment(build, .service(service.name)) }
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
