/// Where the image of a trial comes from.
public enum TaskImage: Sendable, Hashable {
    /// An image that exists: it is pulled.
    case named(String)
    /// Built from the task's `environment/Dockerfile`.
    case built
}

extension EvalTask {
    /// The image of the task's trials: the job's, the task's `docker_image`, the one that its Dockerfile builds, and only for a task with none
    /// of these the target's default. That one would lack what the Dockerfile adds.
    ///
    /// - Parameters:
    ///   - override: the image that the job names for all its tasks.
    ///   - forceBuild: a Dockerfile comes before `docker_image`.
    /// - Returns: nil when nothing names an image.
    public func image(override: String?, forceBuild: Bool, targetDefault: String?) -> TaskImage? {
        if let override { return .named(override) }
        if let own = environment.dockerImage, !(forceBuild && environment.hasDockerfile) { return .named(own) }
        if environment.hasDockerfile { return .built }
        return targetDefault.map(TaskImage.named)
    }

    /// Why the task cannot run; nil when it can.
    ///
    /// - Parameters:
    ///   - image: the result of `image(override:forceBuild:targetDefault:)`.
    ///   - canBuild: whether there is something that builds images.
    public func refusal(image: TaskImage?, canBuild: Bool) -> TrialError? {
        var reasons = TaskRequirements.unmet(by: self)
        if image == .built, !canBuild {
            reasons.append(
                "its image would have to be built from environment/Dockerfile, which is not supported on a cluster yet: set "
                    + "environment.docker_image in task.toml, or spec.environment.image in the EvalJob")
        }
        if !reasons.isEmpty { return TrialError(.taskInvalid, "task \"\(name)\" cannot run: \(reasons.joined(separator: "; "))") }
        if image == nil {
            return TrialError(
                .taskInvalid,
                "task \"\(name)\" has no image: set environment.docker_image in its task.toml, spec.environment.image "
                    + "in the EvalJob or spec.image.default in the EvalTarget")
        }
        return nil
    }
}
