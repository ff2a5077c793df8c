import Base

/// Builds the arguments of `podman run` for one container.
enum RunArguments {
    /// The image or root from which a container starts.
    enum Image: Sendable, Hashable {
        case registry(String)
        /// A directory that becomes the root under a temporary overlay; these directories of the host are mounted, each under an overlay of its
        /// own.
        case hostRoot(skeleton: String, overlays: [String], executable: String?)
    }

    struct Request: Sendable {
        var name: String
        var labels: [String: String]
        /// The container whose network this container joins.
        var sandbox: String
        var image: Image
        var pod: NodePod
        var container: NodeContainer
        var environment: EnvironmentPlan
        var binds: [MountPlan.Bind]
        var terminationLog: String
        var hosts: String
        /// nil: podman's own resolv.conf.
        var resolver: String?
        /// The seccomp profile; nil: podman's own.
        var profile: String?
        var log: String
        var identifierFile: String
    }

    /// Environment variables that podman itself reads. Their values are passed as arguments; all other variables are passed by name, so that
    /// secrets do not appear in the process list.
    private static let readByPodman: Set<String> = [
        "PATH", "HOME", "TMPDIR", "USER", "LOGNAME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "DBUS_SESSION_BUS_ADDRESS",
        "GOTRACEBACK", "GODEBUG", "GOMAXPROCS", "NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "BUILDAH_ISOLATION", "TERM",
    ]

    static func isPassedByName(_ variable: String) -> Bool {
        !readByPodman.contains(variable) && !["CONTAINER", "STORAGE_", "LD_", "REGISTRY_", "PODMAN_", "_"].contains { variable.hasPrefix($0) }
            && !variable.lowercased().hasSuffix("_proxy") && !variable.hasSuffix("*")
    }

    static func words(_ request: Request, _ abilities: PodmanAbilities) -> [String] {
        let pod = request.pod
        let container = request.container
        var words = ["run", "--detach", "--name", request.name, "--cidfile", request.identifierFile]
        for (key, value) in request.labels.sorted(by: { $0.key < $1.key }) { words += ["--label", "\(key)=\(value)"] }
        words += ["--pull", "never", "--restart", "no", "--no-healthcheck", "--http-proxy=false", "--no-hosts"]
        words += ["--hostname", String(pod.key.name.prefix(63)), "--security-opt", "label=disable"]
        words += ["--network", "container:\(request.sandbox)", "--log-driver", "k8s-file", "--log-opt", "path=\(request.log)"]
        words += ["--log-opt", "max-size=\(LogStore.maximumBytes)"]
        words += abilities.containerFlags
        words += limits(of: container, abilities)
        words += security(of: container, in: pod)
        if let profile = request.profile { words += ["--security-opt", "seccomp=\(profile)"] }
        for (name, value) in request.environment.variables.sorted(by: { $0.key < $1.key }) {
            words += ["--env", isPassedByName(name) ? name : "\(name)=\(value)"]
        }
        if let directory = container.workingDirectory {
            words += ["--workdir", EnvExpansion.expand(directory) { request.environment.variables[$0] }]
        }
        words += ["--volume", "\(request.hosts):/etc/hosts:rw"]
        if let resolver = request.resolver { words += ["--volume", "\(resolver):/etc/resolv.conf:rw"] }
        words += ["--volume", "\(request.terminationLog):\(container.terminationMessagePath):rw"]
        for bind in request.binds {
            words += ["--volume", "\(bind.source):\(bind.target):\(bind.readOnly ? "ro" : "rw"),rprivate"]
        }

        let environment = request.environment
        switch request.image {
        case .registry(let name):
            if !environment.command.isEmpty {
                words += ["--entrypoint", JSONValue.array(environment.command.map(JSONValue.string)).text]
            }
            words += [name] + environment.arguments
        case .hostRoot(let skeleton, let overlays, let executable):
            for directory in overlays { words += ["--volume", "\(directory):\(directory):O"] }
            if let executable { words += ["--volume", "\(executable):/usr/local/bin/assay:ro"] }
            let command = environment.command + environment.arguments
            words += ["--rootfs", "\(skeleton):O"] + (command.isEmpty ? ["/bin/sh"] : command)
        }
        return words
    }

    /// The arguments of `podman run` for a pod's sandbox: a container whose only purpose is to hold the pod's network, like the pause container
    /// of Kubernetes. All containers of the pod join its network. Its root is the read-only root of `rootfs:/`, so it needs no image.
    /// - Parameter relay: for a pod that has no interface but loopback.
    static func sandbox(
        named name: String, labels: [String: String], root: RootfsImage.Root, relay: PodRelay?, _ abilities: PodmanAbilities
    ) -> [String] {
        var words = ["run", "--detach", "--name", name]
        for (key, value) in labels.sorted(by: { $0.key < $1.key }) { words += ["--label", "\(key)=\(value)"] }
        words += ["--restart", "no", "--no-healthcheck", "--http-proxy=false", "--no-hosts", "--security-opt", "label=disable"]
        words += ["--security-opt", "no-new-privileges", "--cap-drop", "all", "--read-only", "--read-only-tmpfs=false"]
        words += ["--network", relay == nil ? abilities.network : "none", "--log-driver", "none"] + abilities.containerFlags
        for directory in root.overlays { words += ["--volume", "\(directory):\(directory):ro"] }
        words += relay?.volumes ?? []
        return words + ["--rootfs", "\(root.path):O"] + (relay?.command ?? ["sleep", "infinity"])
    }

    private static func limits(of container: NodeContainer, _ abilities: PodmanAbilities) -> [String] {
        var words: [String] = []
        if abilities.memoryLimits, let memory = container.limit("memory"), memory.whole > 0 {
            // podman refuses a limit below 6 MiB, because the container runtime itself needs that much.
            let bytes = max(memory.whole, 6 << 20)
            words += ["--memory", "\(bytes)b"]
            if abilities.swapLimits { words += ["--memory-swap", "\(bytes)b"] }
            if abilities.killsWholeContainer { words += ["--cgroup-conf", "memory.oom.group=1"] }
        }
        if abilities.cpuLimits {
            if let cpu = container.limit("cpu"), cpu.thousandths > 0 {
                // The quota is in microseconds per tenth of a second. The kernel refuses less than a hundredth of that period.
                words += ["--cpu-period", "100000", "--cpu-quota", String(max(cpu.thousandths * 100, 1000))]
            }
            if let cpu = container.request("cpu"), cpu.thousandths > 0 {
                words += ["--cpu-shares", String(min(max(cpu.thousandths * 1024 / 1000, 2), 262_144))]
            }
        }
        return words
    }

    private static func security(of container: NodeContainer, in pod: NodePod) -> [String] {
        var words: [String] = []
        if let user = PodRefusal.user(of: container, in: pod) { words += ["--user", user] }
        for group in pod.supplementalGroups + (pod.fsGroup.map { [$0] } ?? []) { words += ["--group-add", String(group)] }
        for capability in container.security.at("capabilities", "drop")?.array ?? [] {
            if let name = capability.string { words += ["--cap-drop", name] }
        }
        for capability in container.security.at("capabilities", "add")?.array ?? [] {
            if let name = capability.string { words += ["--cap-add", name] }
        }
        if container.security["allowPrivilegeEscalation"]?.bool == false { words += ["--security-opt", "no-new-privileges"] }
        if container.security["readOnlyRootFilesystem"]?.bool == true { words += ["--read-only", "--read-only-tmpfs=false"] }
        return words
    }
}
