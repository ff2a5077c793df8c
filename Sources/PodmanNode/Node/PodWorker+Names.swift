import Base

// The names of a pod's containers and files on this machine.
extension PodWorker {
    /// Never equals a container's name, because those end in a number.
    var sandboxName: String { "assay-\(uid)-sandbox" }

    func containerName(_ name: String, _ instance: Int) -> String { "\(PodmanCLI.containerNamePrefix)\(uid)-\(name)-\(instance)" }

    var hostsFile: String { services.directories.pod(uid) + "/hosts" }

    var resolverFile: String { services.directories.pod(uid) + "/resolv.conf" }

    func terminationLog(_ name: String, _ instance: Int) -> String {
        "\(services.directories.pod(uid))/termination/\(name).\(instance)"
    }

    /// The content of the pod's /etc/hosts.
    static func hosts(_ pod: NodePod) -> String {
        let own = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.0.1\t\(pod.key.name.prefix(63))\n"
        guard !pod.hostAliases.isEmpty else { return own }
        // The kubelet's words (`hostsEntriesFromHostAliases`).
        return own + "\n# Entries added by HostAliases.\n"
            + pod.hostAliases.map { "\($0.address)\t\($0.names.joined(separator: "\t"))\n" }.joined()
    }
}
