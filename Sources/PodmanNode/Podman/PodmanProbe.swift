import Base
import Glibc
import Subprocess

/// Why this machine cannot run pods.
public enum PodmanNodeError: Error, Sendable, CustomStringConvertible {
    case podmanMissing(path: String)
    /// podman is installed but could not run a container in any of the ways that were tried.
    case cannotRunContainers(reason: String)
    /// The node's directory cannot be used.
    case stateDirectory(path: String, reason: String)
    /// Another node uses the directory.
    case alreadyRunning(path: String)

    public var description: String {
        switch self {
        case .podmanMissing(let path):
            "\"\(path)\" was not found: trials on this machine run in podman containers. Install it (Debian and Ubuntu: "
                + "`apt-get install podman`; Fedora: `dnf install podman`) or name a podman program"
        case .cannotRunContainers(let reason):
            "podman cannot run a container on this machine: \(reason). `podman run --rm docker.io/library/busybox true` must work for this user"
        case .stateDirectory(let path, let reason): "the node's directory \(path) cannot be used: \(reason)"
        case .alreadyRunning(let path): "another node is running with the directory \(path)"
        }
    }
}

/// Finds out how podman works on this machine, by running a small container in different ways until one works.
struct PodmanProbe: Sendable {
    var podman: String
    var directories: NodeDirectories
    var rootfs: RootfsImage
    var imageStores: [String]
    /// The requested network; nil means the first that works of `bridge`, `slirp4netns`, `pasta`, then `none`.
    var network: String?
    let log: Log

    /// The result of an earlier probe, from its file, if podman's version and settings are unchanged; otherwise the result of a new probe.
    func abilities() async throws -> PodmanAbilities {
        let version = try await podmanVersion()
        let hasProfile = SocketProfile.write(to: directories.socketProfile)
        if var remembered = remembered(), remembered.version == key(version) {
            remembered.closesSockets = remembered.closesSockets && hasProfile
            return remembered
        }
        var found = try await probe(version: version)
        if hasProfile {
            let skeleton = try rootfs.skeleton(workingDirectory: nil)
            found.closesSockets = try await tries(found, skeleton, ["--security-opt", "seccomp=\(directories.socketProfile)"]).0
        }
        if let bytes = try? JSONValueEncoder().encode(found).serialized(pretty: true) {
            try? FileWriting.replace(directories.abilities, with: bytes, mode: 0o644, durable: false)
        }
        return found
    }

    private func key(_ version: String) -> String { "\(version); \(podman); uid \(geteuid()); network \(network ?? "automatic"); profile of sockets" }

    private func remembered() -> PodmanAbilities? {
        guard let text = FileReading.text(directories.abilities), let value = try? JSONValue(parsing: text) else { return nil }
        return try? JSONValueDecoder().decode(PodmanAbilities.self, from: value)
    }

    private func podmanVersion() async throws -> String {
        do {
            let result = try await Command(podman, ["--version"], workingDirectory: "/", deadlineSeconds: 30).run()
            guard result.succeeded else { throw PodmanNodeError.cannotRunContainers(reason: PodmanCLI.reason(result)) }
            return result.stdoutText.split(separator: "\n").first.map(String.init) ?? ""
        } catch SubprocessError.notFound(let name) {
            throw PodmanNodeError.podmanMissing(path: name)
        }
    }

    private func probe(version: String) async throws -> PodmanAbilities {
        var abilities = PodmanAbilities()
        abilities.version = key(version)
        abilities.rootless = geteuid() != 0
        abilities.cgroupVersion = FileEntry.exists("/sys/fs/cgroup/cgroup.controllers") ? 2 : 1
        let skeleton = try rootfs.skeleton(workingDirectory: nil)

        // What works on an ordinary machine is tried first, then what a restricted machine needs.
        let runtimes: [[String]] = [[], ["--runtime", "runc"], ["--runtime", "crun"]]
        let managers: [[String]] = [[], ["--cgroup-manager", "cgroupfs"]]
        var lastReason = "no way of running a container worked"
        search: for runtime in runtimes {
            for manager in managers {
                for limits in Self.limitFlags() {
                    abilities.globalFlags = runtime + manager
                    abilities.containerFlags = limits
                    let (works, reason) = try await tries(abilities, skeleton, [])
                    if works { break search }
                    log.debug(
                        "this way of running containers does not work",
                        ["flags": .string((runtime + manager + limits).joined(separator: " ")), "reason": .string(reason)])
                    lastReason = reason
                }
            }
            if runtime.last == "crun" { throw PodmanNodeError.cannotRunContainers(reason: lastReason) }
        }

        if try await tries(abilities, skeleton, ["--pids-limit", "4096"]).0 { abilities.containerFlags += ["--pids-limit", "4096"] }
        abilities.memoryLimits = try await tries(abilities, skeleton, ["--memory", "64m"]).0
        if abilities.memoryLimits {
            abilities.swapLimits = try await tries(abilities, skeleton, ["--memory", "64m", "--memory-swap", "64m"]).0
            if abilities.cgroupVersion == 2 {
                abilities.killsWholeContainer = try await tries(abilities, skeleton, ["--memory", "64m", "--cgroup-conf", "memory.oom.group=1"]).0
            }
        }
        abilities.cpuLimits = try await tries(abilities, skeleton, ["--cpu-period", "100000", "--cpu-quota", "50000", "--cpu-shares", "512"]).0
        let candidates = network.map { [$0] } ?? ["bridge", "slirp4netns", "pasta"]
        for candidate in candidates where candidate != "host" && candidate != "none" {
            var attempt = abilities
            attempt.network = candidate
            if try await tries(attempt, skeleton, []).0 {
                abilities.network = candidate
                break
            }
        }
        return abilities
    }

    /// Flags to try for the limits of files and processes, because some machines do not permit raising them as podman does by default.
    private static func limitFlags() -> [[String]] {
        var files = rlimit()
        getrlimit(__rlimit_resource_t(7), &files)
        let open = min(files.rlim_max, 1_048_576)
        return [[]]
            + [("\(open)", "32768"), ("\(open)", "4096"), ("1024", "1024")].map {
                ["--ulimit", "nofile=\($0.0):\($0.0)", "--ulimit", "nproc=\($0.1):\($0.1)"]
            }
    }

    private func tries(_ abilities: PodmanAbilities, _ skeleton: RootfsImage.Root, _ flags: [String]) async throws -> (Bool, String) {
        let cli = PodmanCLI(path: podman, directories: directories, abilities: abilities, imageStores: imageStores)
        var words = ["run", "--rm", "--network", abilities.network, "--http-proxy=false", "--no-hosts", "--security-opt", "label=disable"]
        words += abilities.containerFlags + flags
        for directory in skeleton.overlays { words += ["--volume", "\(directory):\(directory):O"] }
        let result = try await cli.call(words + ["--rootfs", "\(skeleton.path):O", "/bin/sh", "-c", "exit 0"], deadline: 60)
        return (result.succeeded, PodmanCLI.reason(result))
    }
}
