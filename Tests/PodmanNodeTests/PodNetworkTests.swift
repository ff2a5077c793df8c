import AssayTesting
import Base
import KubeCore
import Testing

@testable import PodmanNode

/// The containers of a pod share one network, and each pod has its own.
@Suite(.node) struct PodNetworkTests {
    private var harness: NodeHarness { get throws { try #require(NodeHarness.current) } }

    /// Answers each connection to a port on loopback with one line.
    private func server(_ name: String, port: Int) -> JSONValue {
        shell(
            name,
            """
            exec python3 -c '
            import socket
            server = socket.create_server(("127.0.0.1", \(port)))
            while True:
                connection, _ = server.accept()
                connection.sendall(b"hello from \(name)\\n")
                connection.close()
            '
            """)
    }

    /// A script that prints the answer of a port on loopback, or `nothing there` after a number of attempts.
    private func ask(port: Int, attempts: Int) -> String {
        """
        for i in $(seq \(attempts)); do
          (exec 3<>/dev/tcp/127.0.0.1/\(port) && cat <&3) 2>/dev/null && exit 0
          sleep 0.1
        done
        echo nothing there
        """
    }

    private func log(_ pod: String, _ container: String) async throws -> String {
        String(decoding: try await harness.log(pod, container), as: UTF8.self)
    }

    private func sandbox(of pod: JSONValue) throws -> String { "assay-\(try #require(pod.at("metadata", "uid")?.string))-sandbox" }

    @Test("a sidecar on 127.0.0.1 is reached by the other containers of its pod, and by no other pod")
    func loopback() async throws {
        let harness = try harness
        var sidecar = try #require(server("sidecar", port: 8099).object)
        sidecar["restartPolicy"] = "Always"
        try await harness.create(
            "served", podSpec([shell("trial", ask(port: 8099, attempts: 300)), shell("other", NodeHarness.hold)], initContainers: [.object(sidecar)]))
        try await harness.wait("served") { $0.ended("trial") != nil && $0.isRunning("other") }
        #expect(try await log("served", "trial") == "hello from sidecar\n")
        try await harness.create("stranger", podSpec([shell("trial", ask(port: 8099, attempts: 5))]))
        _ = try await harness.waitEnded("stranger")
        #expect(try await log("stranger", "trial") == "nothing there\n")
        try await harness.release("served", "other")
        _ = try await harness.waitEnded("served")
    }

    @Test("host name, hosts and resolver are the same in every container, also after a restart of one")
    func surroundings() async throws {
        let harness = try harness
        let mounts: JSONValue = [["name": "v", "mountPath": "/v"]]
        let script = "hostname; cat /etc/hosts /etc/resolv.conf; ls /sys/class/net; readlink /proc/self/ns/net"
        try await harness.create(
            "surrounded",
            podSpec(
                [
                    shell("trial", script), shell("collector", "sleep 0.5; \(script)"),
                    shell("again", "readlink /proc/self/ns/net >> /v/n; [ $(wc -l < /v/n) -ge 2 ] || exit 1; sort -u /v/n", ["volumeMounts": mounts]),
                ],
                initContainers: [shell("first", script)], ["restartPolicy": "OnFailure", "volumes": [["name": "v", "emptyDir": [:]]]]))
        _ = try await harness.waitEnded("surrounded")
        let first = try await log("surrounded", "first")
        #expect(first.hasPrefix("surrounded\n127.0.0.1\tlocalhost\n") && first.contains("\tsurrounded\n"), "\(first)")
        #expect(try await log("surrounded", "trial") == first)
        #expect(try await log("surrounded", "collector") == first)
        let network = try #require(first.split(separator: "\n").last)
        #expect(network.hasPrefix("net:["))
        #expect(try await log("surrounded", "again") == "\(network)\n")
        let own = try #require(FileEntry.linkTarget("/proc/self/ns/net"))
        #expect(network != own)
    }

    @Test("a sandbox that was killed is started again with the next container")
    func killedSandbox() async throws {
        let harness = try harness
        let mounts: JSONValue = [["name": "v", "mountPath": "/v"]]
        try await harness.create(
            "bereft",
            podSpec(
                [
                    shell(
                        "trial", "while [ ! -e /v/go ]; do sleep 0.1; done; [ -e /v/second ] || { touch /v/second; exit 1; }; ls /sys/class/net",
                        ["volumeMounts": mounts])
                ],
                initContainers: [], ["restartPolicy": "OnFailure", "volumes": [["name": "v", "emptyDir": [:]]]]))
        let pod = try await harness.wait("bereft") { $0.isRunning("trial") }
        _ = try await harness.podman(["kill", "--signal", "KILL", try sandbox(of: pod)])
        let uid = try #require(pod.at("metadata", "uid")?.string)
        let volumes = VolumeStore(directories: NodeDirectories(state: harness.directory + "/state"), cacheDirectory: nil)
        let path = try #require(volumes.paths(of: try NodePod(pod))["v"], "\(uid)")
        try FileWriting.write([], to: path + "/go", mode: 0o644)
        let ended = try await harness.waitEnded("bereft")
        #expect(ended.at("status", "phase") == "Succeeded" && ended.container("trial")?["restartCount"] == 1)
        #expect(try await log("bereft", "trial").contains("lo\n"))
    }
}
