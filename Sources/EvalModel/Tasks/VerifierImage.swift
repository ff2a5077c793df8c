/// Where the image of a separate verifier comes from.
public enum VerifierImage: Sendable, Hashable {
    /// `docker_image` of `[verifier.environment]`. It holds the tests.
    case own(String)
    /// Built from the Dockerfile in this folder of the task, `tests` or that of a step's tests, which puts the tests into it.
    case dockerfile(in: String)
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
    /// Of separate verifiers: one for each step that has one, in order, or one for a task without steps. Empty: all tests run in the trial's
    /// container.
    public var verifiers: [VerifierImage]

    public init(trial: TaskImage?, verifiers: [VerifierImage] = []) {
        self.trial = trial
        self.verifiers = verifiers
    }
}

extension EvalTask {
    /// Whether the task's trials have a verifier of their own: when the task or the job says so. A job cannot put a task's separate verifier back
    /// into the agent's reach.
    public func isVerifiedSeparately(_ job: TaskVerifier.Mode) -> Bool { !verifierImages(job, trial: nil).isEmpty }

    /// What a separate verifier's container needs: `[verifier.environment]` of the step, else of the task, else the same as the trial's.
    ///
    /// - Parameter step: the place of the step; 0 for a task without steps.
    public func verifierEnvironment(ofStep step: Int = 0) -> TaskEnvironment {
        (steps.indices.contains(step) ? steps[step].verifier.environment : nil) ?? verifier.environment ?? environment
    }

    /// The images of separate verifiers, in the order of Harbor: the step's own `docker_image` and `tests/Dockerfile`, the task's, the trial's
    /// image.
    ///
    /// - Parameters:
    ///   - job: `separate` for every task; `shared` leaves it to the task, in which a step's own mode counts first.
    ///   - trial: the trial's image.
    /// - Returns: one for each step that is verified separately, or one for a task without steps.
    public func verifierImages(_ job: TaskVerifier.Mode, trial: TaskImage?) -> [VerifierImage] {
        func isSeparate(_ own: TaskVerifier.Mode?) -> Bool { job == .separate || (own ?? verifier.mode) == .separate }
        let common = verifier.image(in: "tests") ?? .trial(trial)
        guard !steps.isEmpty else { return isSeparate(nil) ? [common] : [] }
        return steps.filter { isSeparate($0.verifier.mode) }.map { $0.verifier.image(in: "steps/\($0.name)/tests") ?? common }
    }
}

extension TaskVerifier {
    /// The image that these settings give a separate verifier; nil when they give none.
    ///
    /// - Parameter folder: where the tests are.
    fileprivate func image(in folder: String) -> VerifierImage? {
        if let own = environment?.dockerImage { return .own(own) }
        return hasDockerfile ? .dockerfile(in: folder) : nil
    }
}
