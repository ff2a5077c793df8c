/// The volumes of a trial pod, by name.
public enum TrialVolume: String, Sendable, Hashable, CaseIterable {
    /// The runner, the agent's scripts and the instruction; read-only for the trial.
    case scripts
    /// Holds the tests and the verifier's environment until the agent has ended, and the collector's part of the program; never mounted in the
    /// trial container.
    case staged
    /// The two FIFOs between runner and collector.
    case gate
    /// The collector's scratch space.
    case work
    /// The directory into which the tests are released.
    case tests
    case logs
    /// What the trial hands over: written by the trial, read by the collector.
    case offered
    /// What the collector took of that: read-only for the verifier.
    case accepted
    /// The two FIFOs between a separate verifier and the collector; no other container of the pod mounts them.
    case verifierGate = "verifier-gate"
    /// `/logs/verifier` of a separate verifier; the trial does not mount it.
    case verifierLogs = "verifier-logs"
    /// The agent's scripts, shared by the agent's trials; mounted for delivery only.
    case agent
    /// The files of the agent's image; read-only for the trial.
    case agentFiles = "agent-files"
    /// The verifier's environment, when it is too large for the pod's variables; mounted for delivery only.
    case verifier
    /// The content of overlays; read-only for the trial.
    case overlays
    /// Copies of files of the task's `environment/`, which services mount in parts.
    case environment
    /// The task's solution, for the oracle agent only.
    case solution
    /// The Secret with the credentials for fetching the task from its origin; mounted for delivery only, and only without a cache service.
    case credentials
    /// The Secret with the ssh key of a vm target's host; mounted for `assay remote-trial` only.
    case hostKey = "host-key"
    /// The ConfigMap with the keys of hosts that are trusted.
    case knownHosts = "known-hosts"
    /// The directory with the socket of the cache service; on the laptop only, and mounted for delivery only. The podman node recognises the
    /// volume by this name.
    case cache = "repo-cache"
}
