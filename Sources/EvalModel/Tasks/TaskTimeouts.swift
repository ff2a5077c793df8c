/// The limits of a task's phases, in seconds.
public struct TaskTimeouts: Sendable, Hashable, Codable {
    /// For the agent's execute phase; nil for no limit, the default of a Harbor task.
    public var agentSec: Double?
    /// For the agent's install phase.
    public var installSec: Double
    /// For the verifier.
    public var verifierSec: Double

    public init(agentSec: Double? = 600, installSec: Double = 300, verifierSec: Double = 600) {
        self.agentSec = agentSec
        self.installSec = installSec
        self.verifierSec = verifierSec
    }

    /// The limits of a trial with a job's settings applied.
    ///
    /// The verifier's override replaces the task's value, then its maximum caps the result, then the multiplier applies to
    /// every limit. Harbor uses the same order.
    public func resolved(
        multiplier: Double = 1, verifierOverrideSec: Double? = nil, verifierMaxSec: Double? = nil
    ) -> TaskTimeouts {
        let verifier = min(verifierOverrideSec ?? verifierSec, verifierMaxSec ?? .infinity)
        return TaskTimeouts(
            agentSec: agentSec.map { $0 * multiplier }, installSec: installSec * multiplier,
            verifierSec: verifier * multiplier)
    }
}
