import Base

/// What podman can do on this machine, found by trying once.
struct PodmanAbilities: Sendable, Hashable, Codable {
    var version = ""
    /// Before the subcommand: `--runtime runc`, `--cgroup-manager cgroupfs`.
    var globalFlags: [String] = []
    /// For every `run`: `--ulimit ...` where raising the limits is not permitted.
    var containerFlags: [String] = []
    /// The network of pods: `none`, `bridge`, `slirp4netns` or `pasta`; never the host's, where the API server would be in reach.
    var network = "none"
    var memoryLimits = false
    var swapLimits = false
    var cpuLimits = false
    /// cgroups v2: an out-of-memory kill takes the whole container, as on a real node.
    var killsWholeContainer = false
    var cgroupVersion = 0
    var rootless = false
}
