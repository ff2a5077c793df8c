import Base

/// What podman can do on this machine, found by running a container.
struct PodmanAbilities: Sendable, Hashable, Codable {
    var version = ""
    /// Flags before the subcommand: `--runtime runc`, `--cgroup-manager cgroupfs`.
    var globalFlags: [String] = []
    /// Flags for every `run`: `--ulimit ...` where raising the limits is not permitted.
    var containerFlags: [String] = []
    /// The network of pods: `none`, `bridge`, `slirp4netns` or `pasta`; never the host's, because containers could then reach the API server.
    var network = "none"
    var memoryLimits = false
    var swapLimits = false
    var cpuLimits = false
    /// Whether an out-of-memory kill ends the whole container, as on a real node (cgroups v2).
    var killsWholeContainer = false
    /// Whether containers can have the profile `SocketProfile`.
    var closesSockets = false
    var cgroupVersion = 0
    var rootless = false
}
