import Base

/// Decides when a ledger pushes other than at its regular turn: early, and after failures. Does no I/O.
struct PushPacing: Sendable {
    /// Seconds after a failed push before an early push is tried. Hosts ask for at most six pushes a minute.
    static let secondsAfterFailure = 10.0
    /// The maximum number of early pushes in six intervals. Hosts ask for at most six pushes a minute on average, many jobs may end at once,
    /// and each early push also delays the next regular one.
    private static let earlyLimit = 3
    /// Jitter, so that writers do not keep colliding.
    private static let unreachable = BackoffPolicy(initialSeconds: 4, capSeconds: 60, jitter: 0.5...1)
    /// A refusal usually needs a person to fix it, so the waits are long.
    private static let refused = BackoffPolicy(initialSeconds: 60, capSeconds: 600, jitter: 0.5...1)

    /// Seconds between two regular pushes.
    let interval: Double
    /// Start times of early pushes, the latest last.
    private var early: [Double] = []

    init(interval: Double) {
        self.interval = interval
    }

    /// Whether a push may begin now, though its turn may not have come. Counts it when it is early.
    ///
    /// - Parameters:
    ///   - now: the monotonic time.
    ///   - last: when the last push began.
    mutating func allowsPush(now: Double, last: Double) -> Bool {
        early.removeAll { $0 <= now - 6 * interval }
        // A push that is already due does not count as an early one.
        guard last + interval > now else { return true }
        guard early.count < Self.earlyLimit else { return false }
        early.append(now)
        return true
    }

    /// Seconds until the next regular attempt after `failures` in a row, of which this was the last.
    static func wait(afterFailures failures: Int, _ failure: ArtifactError?) -> Double {
        (failure?.kind == .unreachable ? unreachable : refused).seconds(afterFailures: failures)
    }
}
