import Base

// The names of a pod's containers and files on this machine.
extension PodWorker {
    /// Never equals a container's name, because those end in a number.
    var sandboxName: String { "assay-\(uid)-sandbox" }

    func containerName(_ name: String, _ instance: Int) -> String { "assay-\(uid)-\(name)-\(instance)" }

    var hostsFile: String { services.directories.pod(uid) + "/hosts" }

    var resolverFile: String { services.directories.pod(uid) + "/resolv.conf" }

    func terminationLog(_ name: String, _ instance: Int) -> String {
        "\(services.directories.pod(uid))/termination/\(name).\(instance)"
    }

    static func hosts(_ name: String) -> String {
        "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.0.1\t\(name.prefix(63))\n"
    }
}
