/// Where the image of a trial comes from.
public enum TaskImage: Sendable, Hashable {
    /// The job names it for all its tasks.
    case job(String)
    /// The task names it (`docker_image`).
    case task(String)
    /// Built from the task's `environment/Dockerfile`.
    case dockerfile
    /// The image, or the build, of the Compose file's service `main`.
    case compose(ComposeImage)
    /// The target's default, for a task that says nothing about its image.
    case target(String)

    /// Whether it is built.
    public var isBuilt: Bool {
        switch self {
        case .dockerfile, .compose(.built): true
        case .job, .task, .target, .compose(.named): false
        }
    }

    /// The image's name; nil for an image that is built.
    public var name: String? {
        switch self {
        case .job(let name), .task(let name), .target(let name), .compose(.named(let name)): name
        case .dockerfile, .compose(.built): nil
        }
    }
}

extension EvalTask {
    /// The image of the task's trials: the job's, the task's `docker_image`, the one that `main` of its Compose file builds, the one that its
    /// Dockerfile builds, the one that `main` names, and only for a task with none of these files the target's default. That one would lack
    /// what the files add.
    ///
    /// - Parameters:
    ///   - override: the image that the job names for all its tasks.
    ///   - forceBuild: a Dockerfile comes before `docker_image`.
    /// - Returns: nil when nothing names an image.
    public func image(override: String?, forceBuild: Bool, targetDefault: String?) -> TaskImage? {
        if let override { return .job(override) }
        let builds = environment.hasDockerfile || composeBuild != nil
        if let own = environment.dockerImage, !(forceBuild && builds) { return .task(own) }
        if let build = composeBuild, !(environment.hasDockerfile && build == ComposeImage.Build()) { return .compose(.built(build)) }
        if environment.hasDockerfile { return .dockerfile }
        if environment.hasCompose { return environment.composeImage.map(TaskImage.compose) }
        return targetDefault.map(TaskImage.target)
    }

    /// What `main` of the Compose file is built from.
    private var composeBuild: ComposeImage.Build? {
        if case .built(let build)? = environment.composeImage { return build }
        return nil
    }

    /// Why the task cannot run; nil when it can.
    ///
    /// - Parameters:
    ///   - image: the result of `image(override:forceBuild:targetDefault:)`.
    ///   - verifiers: the images of separate verifiers; empty in shared mode.
    ///   - canBuild: whether there is something that builds images.
    public func refusal(image: TaskImage?, verifiers: [VerifierImage] = [], canBuild: Bool) -> TrialError? {
        var reasons = TaskRequirements.unmet(by: self, verifiers: verifiers.count)
        for case .dockerfile(let folder) in Set(verifiers).sorted(by: { "\($0)" < "\($1)" }) where !canBuild {
            reasons.append(
                "its verifier's image would have to be built from \(folder)/Dockerfile, and nothing builds images here: set spec.image.build in "
                    + "the EvalTarget, or verifier.environment.docker_image in task.toml")
        }
        for service in environment.services.services where service.image.build != nil && !canBuild {
            reasons.append(
                "the image of its service \"\(service.name)\" would have to be built, and nothing builds images here: set spec.image.build in the "
                    + "EvalTarget, or `image` without `build` in environment/docker-compose.yaml")
        }
        if case .compose(.built)? = image, !canBuild {
            reasons.append(
                "its image would have to be built as environment/docker-compose.yaml says, and nothing builds images here: set spec.image.build in "
                    + "the EvalTarget, environment.docker_image in task.toml, or spec.environment.image in the EvalJob")
        }
        if image == .dockerfile, !canBuild {
            reasons.append(
                "its image would have to be built from environment/Dockerfile, and nothing builds images here: set spec.image.build in the EvalTarget, "
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
