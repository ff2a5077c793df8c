/// Where the image of a trial comes from.
public enum ImageSource: Sendable, Hashable {
    /// The job names it for all its tasks.
    case job(String)
    /// The task names it (`docker_image`).
    case task(String)
    /// It must be built from `environment/Dockerfile`.
    case dockerfile
    /// The target's default, for a task that says nothing about its image.
    case target(String)

    /// nil for an image that must be built.
    public var image: String? {
        switch self {
        case .job(let image), .task(let image), .target(let image): image
        case .dockerfile: nil
        }
    }
}

extension EvalTask {
    /// The job's image, else the task's own, else its Dockerfile, else the target's default; nil when there is none of these.
    ///
    /// The target's default image is not used for a task with a Dockerfile: it lacks what the Dockerfile adds.
    public func imageSource(override: String?, targetDefault: String?) -> ImageSource? {
        if let override { return .job(override) }
        if let image = environment.dockerImage { return .task(image) }
        if environment.hasDockerfile { return .dockerfile }
        return targetDefault.map { .target($0) }
    }
}
