/// When the pods of counted trials are deleted: as soon as no further trial was counted for `quietSeconds`, so that a job whose trials end
/// together is complete first. Ended pods cost no CPU, but their logs and files stay on the node: none waits longer than `longestSeconds`, and
/// not more than `most` wait.
struct DeletionPace: Sendable {
    static let longestSeconds = 60.0
    static let most = 2000

    let quietSeconds: Double

    /// Seconds until the deletion that has waited longest may be made; not above 0: now.
    ///
    /// - Parameters:
    ///   - waiting: how many deletions wait.
    ///   - sinceFirst: seconds since the first of them was asked for.
    ///   - sinceLast: seconds since the last of them was asked for.
    func secondsToWait(waiting: Int, sinceFirst: Double, sinceLast: Double) -> Double {
        if waiting > Self.most { return 0 }
        return min(quietSeconds - sinceLast, Self.longestSeconds - sinceFirst)
    }
}
