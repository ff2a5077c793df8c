/// A check of what a target must be able to do, made by a pod.
enum Preflight {
    enum State: Sendable, Hashable {
        /// nil before the first answer.
        case running(last: Answer?)
        case answered(Answer)
    }

    enum Answer: Sendable, Hashable {
        case works
        case fails(String)
    }

    /// Seconds after which what failed is tried again, since its cause may be outside the target.
    static let retrySeconds = 600.0
}
