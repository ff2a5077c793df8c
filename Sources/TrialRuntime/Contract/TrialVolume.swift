/// The volumes of a trial pod, by name.
public enum TrialVolume: String, Sendable, Hashable, CaseIterable {
    /// The runner, the agent's scripts and the instruction; read-only for the trial.
    case scripts
    /// The tests until the agent has ended; never mounted in the trial.
    case staged
    /// The two FIFOs between runner and collector.
    case gate
    /// The collector's own room.
    case work
    /// Where the tests are released to.
    case tests
    case logs
    /// For the oracle agent only.
    case solution
    /// The Secret that the task is fetched with; mounted for delivery only.
    case credentials
    /// Mirrors of repositories on the node; mounted for delivery only. The podman node knows it by this name.
    case cache = "repo-cache"
}
