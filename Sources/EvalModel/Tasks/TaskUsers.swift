extension EvalTask {
    /// Whether the task names a user for any phase: then its container begins as root, and each phase becomes its own user.
    public var namesUsers: Bool { ([agent.user, verifier.user] + steps.flatMap { [$0.agent.user, $0.verifier.user] }).contains { $0 != nil } }

    /// The user of a phase that no key names one for: the image's own, where it is known, else root; nil when the task names no user at all and
    /// the container keeps the image's own.
    ///
    /// - Parameter image: the user that the image is known to have.
    public func defaultUser(image: String?) -> String? { namesUsers ? image ?? "root" : nil }
}
