import Base
import Glibc

/// The node object for the API server.
struct NodeObject: Sendable {
    var name: String
    var hostIP: String
    var labels: [String: String]
    var capacity: [String: String]
    var abilities: PodmanAbilities
    var bootIdentifier: String

    /// The resources of the machine.
    static func capacity(stateDirectory: String) -> [String: String] {
        var disk = statvfs()
        let bytes = statvfs(stateDirectory, &disk) == 0 ? Int(disk.f_blocks) * Int(disk.f_frsize) : 0
        let memory = Int(sysconf(Int32(_SC_PHYS_PAGES))) * Int(getpagesize())
        return [
            "cpu": String(max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))), "memory": "\(memory / 1024)Ki",
            "ephemeral-storage": "\(bytes / 1024)Ki", "pods": "110",
        ]
    }

    var allLabels: [String: String] {
        ["kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": Self.architecture].merging(labels) { $1 }
    }

    var allocatable: [String: ResourceQuantity] { capacity.compactMapValues { ResourceQuantity($0) } }

    /// Tells how limits and the network work on this machine, for a reader who wants to know why a trial has none.
    private var annotations: [String: String] {
        [
            "assay.dev/network": abilities.network,
            "assay.dev/memory-limits": abilities.memoryLimits ? "cgroup" : "watched",
            "assay.dev/cpu-limits": abilities.cpuLimits ? "cgroup" : "none",
        ]
    }

    var object: JSONValue {
        [
            "apiVersion": "v1", "kind": "Node",
            "metadata": [
                "name": .string(name), "labels": .object(allLabels.mapValues(JSONValue.string)),
                "annotations": .object(annotations.mapValues(JSONValue.string)),
            ],
            "spec": [:],
        ]
    }

    func status(readySince: Timestamp, now: Timestamp) -> JSONValue {
        func condition(_ type: String, _ status: String, _ reason: String, _ message: String) -> JSONValue {
            [
                "type": .string(type), "status": .string(status), "reason": .string(reason), "message": .string(message),
                "lastHeartbeatTime": .string(now.rfc3339), "lastTransitionTime": .string(readySince.rfc3339),
            ]
        }
        let amounts = JSONValue.object(capacity.mapValues(JSONValue.string))
        let network =
            abilities.network == "none"
            ? condition("NetworkUnavailable", "True", "NoContainerNetwork", "containers have no network: podman can set up none on this machine")
            : condition("NetworkUnavailable", "False", "ContainerNetwork", "containers have a network of their own (\(abilities.network))")
        return [
            "capacity": amounts, "allocatable": amounts,
            "addresses": [
                ["type": "InternalIP", "address": .string(hostIP)], ["type": "Hostname", "address": .string(name)],
            ],
            "conditions": [condition("Ready", "True", "KubeletReady", "podman runs containers"), network],
            "nodeInfo": [
                "architecture": .string(Self.architecture), "operatingSystem": "linux", "bootID": .string(bootIdentifier),
                "containerRuntimeVersion": .string(
                    "podman://" + (abilities.version.split(separator: ";").first?.split(separator: " ").last.map(String.init) ?? "")),
                "kernelVersion": .string(Self.kernel), "kubeletVersion": "assay", "osImage": "Linux", "machineID": "", "systemUUID": "",
                "kubeProxyVersion": "",
            ],
        ]
    }

    private static var architecture: String {
        #if arch(x86_64)
            "amd64"
        #elseif arch(arm64)
            "arm64"
        #else
            "unknown"
        #endif
    }

    private static var kernel: String {
        var info = utsname()
        guard uname(&info) == 0 else { return "" }
        return withUnsafeBytes(of: &info.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}
