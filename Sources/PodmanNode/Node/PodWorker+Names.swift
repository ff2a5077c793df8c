import Base

// What things of a pod are called on this machine.
extension PodWorker {
    /// No container's name: those end in a number.
    var sandboxName: String { "assay-\(uid)-sandbox" }

    func containerName(_ name: String, _ instance: Int) -> String { "assay-\(uid)-\(name)-\(instance)" }

    var hostsFile: String { services.directories.pod(uid) + "/hosts" }

    func terminationLog(_ name: String, _ instance: Int) -> String {
        "\(services.directories.pod(uid))/termination/\(name).\(instance)"
    }

    static func hosts(_ name: String) -> String {
        "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.0.1\t\(name.prefix(63))\n"
    }
}
