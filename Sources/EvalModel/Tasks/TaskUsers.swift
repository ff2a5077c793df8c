extension EvalTask {
    /// Whether the task names a user for anything.
    public var namesUsers: Bool { defaultUser(image: nil, isVerifiedSeparately: false) != nil }

    /// The user of a phase that no key names one for: the image's own, where it is known, else root; nil when the task names no user for the
    /// trial's container, which then keeps the image's own. With a user, the container begins as root, and each phase becomes its own user.
    ///
    /// - Parameters:
    ///   - image: the user that the image is known to have.
    ///   - isVerifiedSeparately: the verifier's user is then that of another container.
    public func defaultUser(image: String?, isVerifiedSeparately: Bool) -> String? {
        var users = [agent.user] + steps.map(\.agent.user) + collectHooks.map(\.user)
        if !isVerifiedSeparately { users += [verifier.user] + steps.map(\.verifier.user) }
        return users.contains { $0 != nil } ? image ?? "root" : nil
    }
}
