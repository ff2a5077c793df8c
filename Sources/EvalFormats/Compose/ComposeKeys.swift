import Base

/// The keys of a Compose file that Assay does not carry over into a pod.
enum ComposeKeys {
    /// What a service asks for and a pod does not have, with what to do about it.
    static let refused: [String: String] = [
        "privileged": "no container of a trial is privileged: remove it",
        "devices": "a trial has no devices of its node: remove it", "device_cgroup_rules": "a trial has no devices of its node: remove it",
        "gpus": "a service has no GPU: use environment.gpus in task.toml for the trial", "pid": pod, "uts": pod, "userns_mode": pod, "cgroup": pod,
        "cgroup_parent": pod, "isolation": pod, "runtime": "the target's podTemplate names the runtime: remove it",
        "volumes_from": "name the volumes in both services", "extends": "write the service's keys here", "external_links": noNetwork,
        "configs": "use a bind mount of a file in environment/", "secrets": "use a variable of the job (${NAME} in `environment`)",
        "credential_spec": pod, "sysctls": "the services of a pod share the kernel settings of its network: remove it",
        "dns": noNetwork, "dns_opt": noNetwork, "dns_search": noNetwork, "domainname": noNetwork, "mac_address": noNetwork, "storage_opt": pod,
        "group_add": "a pod's containers share their additional groups: use `user`",
        "provider": pod, "models": pod, "use_api_socket": "no container of a trial reaches the container engine: remove it",
        "post_start": "do it in the service's command", "pre_stop": "do it in the service's command",
    ]
    private static let pod = "a pod cannot have it: remove it"
    private static let noNetwork = "the services of a task share the network of its pod: remove it"

    /// Keys of a service without effect in a pod.
    static let ignored: Set<String> = [
        "annotations", "attach", "blkio_config", "cpu_count", "cpu_percent", "cpu_period", "cpu_quota", "cpu_rt_period", "cpu_rt_runtime",
        "cpu_shares", "cpuset", "develop", "init", "label_file", "labels", "logging", "mem_swappiness", "memswap_limit", "oom_kill_disable",
        "oom_score_adj", "pids_limit", "platform", "pull_policy", "pull_refresh_after", "stdin_open", "stop_grace_period", "stop_signal", "tty",
        "ulimits",
    ]

    /// Keys that are read elsewhere. A service always starts again (`restart`), as a native sidecar does.
    static let read: Set<String> = [
        "image", "build", "command", "entrypoint", "environment", "env_file", "working_dir", "user", "depends_on", "healthcheck", "volumes", "tmpfs",
        "expose", "ports", "extra_hosts", "networks", "network_mode", "deploy", "mem_limit", "mem_reservation", "cpus", "cap_add", "cap_drop",
        "read_only", "container_name", "hostname", "links", "restart", "shm_size", "security_opt", "profiles", "scale", "ipc",
    ]

    /// Refuses and notes the keys of a service that are not read.
    static func check(_ service: ComposeNode, _ notes: inout ComposeNotes) {
        for (key, node) in service.members ?? [] where !read.contains(key) && !key.hasPrefix("x-") && !isNothing(node.value) {
            if let advice = refused[key] {
                notes.refuse(node.path, advice)
            } else if ignored.contains(key) {
                notes.warn(node.path, "has no effect in a pod")
            } else {
                notes.warn(node.path, "is not a known key and is ignored")
            }
        }
        if let mode = service["network_mode"]?.text, mode != "bridge", !mode.hasPrefix("service:") {
            notes.refuse("\(service.path).network_mode", "\"\(mode)\" is not possible: the services of a task share the network of its pod")
        }
        if let mode = service["ipc"]?.text, mode != "private", mode != "shareable" {
            notes.refuse("\(service.path).ipc", "\"\(mode)\" is not possible in a pod: use shm_size for a larger /dev/shm")
        }
        let copies = [service["scale"], service["deploy"]?["replicas"]].compactMap { $0 }
        for node in copies where node.text != "1" { notes.refuse(node.path, "a trial has one container of each service: set it to 1") }
    }

    /// Whether the value asks for nothing: false, null, an empty list, map or text.
    private static func isNothing(_ value: JSONValue) -> Bool {
        switch value {
        case .null, .bool(false), .string(""), .array([]), .object([:]): true
        default: false
        }
    }
}
