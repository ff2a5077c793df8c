/// The network of pods that have no interface but loopback. A relay in the pod's sandbox carries connections to one port of loopback to a Unix
/// socket on this machine, and nothing else leaves the pod.
public struct PodRelay: Sendable, Hashable {
    /// A pod with this label has such a network.
    static let label = (name: "assay.dev/network", value: "proxied")
    /// The port on the pod's loopback.
    public static let port: UInt16 = 3128
    public static let socketName = "egress.sock"

    private static let program = "/assay/relay"
    private static let mountedDirectory = "/assay/egress"

    /// The directory of this machine with the socket.
    var directory: String
    /// The program that has the subcommand `relay`.
    var executable: String

    static func isNeeded(for pod: NodePod) -> Bool { pod.labels[label.name] == label.value }

    /// What the sandbox mounts, as arguments of podman.
    var volumes: [String] { ["--volume", "\(executable):\(Self.program):ro", "--volume", "\(directory):\(Self.mountedDirectory):ro"] }

    var command: [String] { [Self.program, "relay", "--port", String(Self.port), "--socket", "\(Self.mountedDirectory)/\(Self.socketName)"] }
}
