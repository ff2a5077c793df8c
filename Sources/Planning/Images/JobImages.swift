import AssayAPI
import EvalModel

/// The state of an image that somebody wants.
public enum ImageState: Sendable {
    /// Being looked up or built, or waiting for its turn.
    case building
    case ready(BuiltImage)
    case failed(ImageBuildFailure)
}

/// The images that a job's tasks need built, and how far they are. Pure.
public struct JobImages: Sendable {
    /// The image of each task that needs one built, by the task's place in the plan.
    public private(set) var keys: [Int: ImageKey] = [:]
    public private(set) var built: [ImageKey: BuiltImage] = [:]
    public private(set) var failed: [ImageKey: ImageBuildFailure] = [:]

    public init() {}

    /// - Parameters:
    ///   - keys: by the task's place in the plan.
    ///   - state: the state of an image; nil when nobody wants it.
    public init(_ keys: [Int: ImageKey], state: (ImageKey) -> ImageState?) {
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
    public func image(ofTask index: Int) -> BuiltImage? { keys[index].flatMap { built[$0] } }

    /// Why the task's image was not built.
    public func failure(ofTask index: Int) -> ImageBuildFailure? { keys[index].flatMap { failed[$0] } }

    /// Tasks whose trials cannot start yet.
    public var unready: Set<Int> { Set(keys.filter { built[$0.value] == nil && failed[$0.value] == nil }.keys) }

    /// The log of the build of the task's image, also of one that failed.
    public func log(ofTask index: Int) -> String? { image(ofTask: index)?.log ?? failure(ofTask: index)?.log }
}

extension PreparedJob {
    /// The tasks whose image must be built, by their place in the plan.
    public func tasksToBuild(_ spec: EvalJobSpec, defaultImage: String?) -> [Int: EvalTask] {
        var found: [Int: EvalTask] = [:]
        for (index, prepared) in tasks.enumerated() {
            guard let task = prepared.task, prepared.refusal == nil, task.environment.context != nil,
                task.image(override: spec.environment.image, forceBuild: spec.environment.forceBuild, targetDefault: defaultImage) == .dockerfile
            else { continue }
            found[index] = task
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
