/// The volumes of a trial pod, by name.
public enum TrialVolume: String, Sendable, Hashable, CaseIterable {
    /// The runner, the agent's scripts and the instruction; read-only for the trial.
    case scripts
    /// The tests and the verifier's environment until the agent has ended, and the collector's part of the program; never mounted in the trial.
    case staged
    /// The two FIFOs between runner and collector.
    case gate
    /// The collector's own room.
    case work
    /// Where the tests are released to.
    case tests
    case logs
    /// The agent's scripts, shared by its trials; mounted for delivery only.
    case agent
    /// The verifier's environment, where it is too large for the pod; mounted for delivery only.
    case verifier
    /// For the oracle agent only.
    case solution
    /// The Secret that the task is fetched with; mounted for delivery only.
    case credentials
    /// Mirrors of repositories on the node; mounted for delivery only. The podman node knows it by this name.
    case cache = "repo-cache"
}
