/// Where the image of a separate verifier comes from.
public enum VerifierImage: Sendable, Hashable {
    /// `docker_image` of `[verifier.environment]`. It holds the tests.
    case own(String)
    /// Built from the task's `tests/Dockerfile`, which puts the tests into it.
    case dockerfile
    /// The image of the trial, for a verifier without one of its own. The tests are delivered.
    case trial(TaskImage?)

    /// Whether the image holds the tests at `/tests`, so that none are delivered.
    public var bringsTests: Bool {
        switch self {
        case .own, .dockerfile: true
        case .trial: false
        }
    }
}

/// The images of a task's trials.
public struct TaskImages: Sendable, Hashable {
    /// nil when nothing names an image.
    public var trial: TaskImage?
    /// nil: the tests run in the trial's container.
    public var verifier: VerifierImage?

    public init(trial: TaskImage?, verifier: VerifierImage? = nil) {
        self.trial = trial
        self.verifier = verifier
    }
}

extension EvalTask {
    /// Whether the task's trials have a verifier of their own: when the task or the job says so. A job cannot put a task's separate verifier back
    /// into the agent's reach.
    public func isVerifiedSeparately(_ job: TaskVerifier.Mode) -> Bool { job == .separate || verifier.mode == .separate }

    /// What a separate verifier's container needs: `[verifier.environment]`, else the same as the trial's.
    public var verifierEnvironment: TaskEnvironment { verifier.environment ?? environment }

    /// The image of a separate verifier, in the order of Harbor: its own `docker_image`, `tests/Dockerfile`, the trial's image.
    ///
    /// - Parameter trial: the trial's image.
    public func verifierImage(trial: TaskImage?) -> VerifierImage {
        if let own = verifier.environment?.dockerImage { return .own(own) }
        return verifier.hasDockerfile ? .dockerfile : .trial(trial)
    }
}
