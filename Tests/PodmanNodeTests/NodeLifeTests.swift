import AssayTesting
import Base
import Glibc
import KubeCore
import Testing

@testable import PodmanNode

/// Nodes that are killed, restarted and stopped.
@Suite(.serialized, .node) struct NodeLifeTests {
    private var harness: NodeHarness { get throws { try #require(NodeHarness.current) } }

    @Test("a node that was killed continues with its containers and starts none twice")
    func adoption() async throws {
        let harness = try harness
        let mounts: JSONValue = [["name": "v", "mountPath": "/v"]]
        let once = { (name: String, rest: String) in shell(name, "echo x >> /v/\(name); \(rest)", ["volumeMounts": mounts]) }
        try await harness.create(
            "adopted",
            podSpec(
                [
                    once("quick", "\(NodeHarness.hold); exit 4"), once("slow", "\(NodeHarness.hold); cat /v/first /v/quick /v/slow | wc -l"),
                ],
                initContainers: [once("first", "true")], ["volumes": [["name": "v", "emptyDir": [:]]]]))
        try await harness.wait("adopted") { $0.isRunning("quick") && $0.isRunning("slow") }
        let podman = try #require(harness.node?.podmanForTests)
        await harness.kill()
        // One container ends while no node runs, the other continues.
        try await harness.release("adopted", "quick", with: podman)
        #expect(try await eventually { try await podman.list().contains { $0.state == "exited" && $0.labels[PodmanCLI.containerLabel] == "quick" } })
        try await harness.start()
        let between = try await harness.wait("adopted") { $0.ended("quick") != nil }
        #expect(between.ended("quick")?["exitCode"] == 4)
        #expect(between.isRunning("slow"))
        try await harness.release("adopted", "slow")
        _ = try await harness.waitEnded("adopted")
        #expect(try await harness.log("adopted", "slow") == Array("3\n".utf8))
        #expect(try await eventually { try await harness.podman(["ps", "--all", "--quiet"]).isEmpty })
    }

    @Test("catalogue 33: an end that conmon cannot report (a full disk, a kill) is detected")
    func exitWithoutConmon() async throws {
        let harness = try harness
        try await harness.create("killed", podSpec([shell("trial", "sleep 300")]))
        let pod = try await harness.wait("killed") { $0.isRunning("trial") }
        let id = try #require(pod.at("status", "containerStatuses")?[0]?["containerID"]?.string?.split(separator: "/").last.map(String.init))
        let pids = try await harness.podman(["inspect", "--format", "{{.State.ConmonPid}} {{.State.Pid}}", id]).split(separator: " ").compactMap {
            Int32($0.filter(\.isNumber))
        }
        try #require(pids.count == 2 && pids.allSatisfy { $0 > 1 })
        for pid in pids { kill(pid, SIGKILL) }
        let ended = try await harness.wait("killed") { $0.ended("trial") != nil }
        #expect(ended.ended("trial")?["exitCode"] == 137)
        _ = try await harness.waitEnded("killed")
        _ = try await harness.podman(["rm", "--force", "--time", "0", id])
    }

    @Test("kill at any moment of a pod's start: every container runs exactly once", arguments: [0.05, 0.15, 0.3, 0.45, 0.6, 0.8])
    func killedWhileStarting(_ seconds: Double) async throws {
        let harness = try harness
        let name = "killed-\(Int(seconds * 100))"
        let mounts: JSONValue = [["name": "v", "mountPath": "/v"]]
        try await harness.create(
            name,
            podSpec(
                [shell("trial", "echo x >> /v/n; sleep 0.3; wc -l < /v/n", ["volumeMounts": mounts])],
                initContainers: [shell("first", "echo x >> /v/n", ["volumeMounts": mounts])], ["volumes": [["name": "v", "emptyDir": [:]]]]))
        try await Task.sleep(for: .seconds(seconds))
        await harness.kill()
        try await harness.start()
        let pod = try await harness.waitEnded(name)
        #expect(pod.at("status", "phase") == "Succeeded", "\(pod["status"]?.text ?? "")")
        #expect(try await harness.log(name, "trial") == Array("2\n".utf8))
    }

    @Test("a podman that was killed in the middle of a start leaves no process behind")
    func orphanedMonitors() async throws {
        let own = try await NodeHarness()
        let root = own.directory + "/state/podman/root"
        let podman = try #require(own.node?.startedNode?.podman)
        let skeleton = try RootfsImage(directory: own.directory + "/state/rootfs").skeleton(workingDirectory: nil)
        // `init` leaves the processes of a start that was interrupted: the container is created in the runtime, but not started. An empty `known`
        // simulates that podman has no record of it.
        _ = try await podman.call(
            ["create", "--name", "orphan", "--network", "none"] + podman.abilities.containerFlags
                + skeleton.overlays.flatMap { ["-v", "\($0):\($0):O"] }
                + ["--rootfs", skeleton.path + ":O", "/bin/sleep", "300"])
        _ = try await podman.call(["init", "orphan"])
        #expect(OrphanedMonitors.kill(podmanRoot: "/no/such/root", known: []) == 0)
        #expect(OrphanedMonitors.kill(podmanRoot: root, known: []) == 1)
        _ = try await podman.call(["rm", "--force", "orphan"])
        await own.end()
    }

    @Test func podsDeletedMeanwhileLeaveNothing() async throws {
        let harness = try harness
        try await harness.create("orphan", podSpec([shell("trial", "sleep 300")]))
        let pod = try await harness.wait("orphan") { $0.isRunning("trial") }
        let uid = try #require(pod.at("metadata", "uid")?.string)
        await harness.kill()
        try await harness.client.delete(
            .pods, ObjectKey(namespace: "default", name: "orphan"), options: KubeCore.DeleteOptions(gracePeriodSeconds: 0))
        try await harness.start()
        #expect(try await eventually { try await !harness.podman(["ps", "--all", "--format", "{{.Names}}"]).contains(uid) })
        #expect(await eventually { !FileEntry.exists(harness.directory + "/state/pods/" + uid) })
    }

    @Test("the network of an ended pod is removed, also if the node was killed in between", arguments: [false, true])
    func cleanUp(isKilled: Bool) async throws {
        let harness = try harness
        let name = isKilled ? "cleaned-late" : "cleaned"
        try await harness.create(name, podSpec([shell("trial", "sleep 300")]))
        let uid = try #require(try await harness.wait(name) { $0.isRunning("trial") }.at("metadata", "uid")?.string)
        let sandbox = "assay-\(uid)-sandbox"
        let told = try await harness.podman(["inspect", "--format", "{{.State.Pid}} {{.NetworkSettings.SandboxKey}}", sandbox]).split(
            whereSeparator: \.isWhitespace)
        let pid = try #require(told.first)
        #expect(FileEntry.exists("/proc/\(pid)"))
        if isKilled { await harness.kill() }
        let options = KubeCore.DeleteOptions(gracePeriodSeconds: isKilled ? 0 : 1)
        try await harness.client.delete(.pods, ObjectKey(namespace: "default", name: name), options: options)
        if isKilled { try await harness.start() }
        #expect(try await eventually { try await !harness.podman(["ps", "--all", "--format", "{{.Names}}"]).contains(sandbox) })
        #expect(await eventually { !FileEntry.exists("/proc/\(pid)") })
        // The name of the process that holds a bridged network open.
        for key in told.dropFirst() where key.hasPrefix("/") { #expect(!FileEntry.exists(String(key))) }
    }

    @Test func aSecondNodeIsRefused() async throws {
        let harness = try harness
        let second = PodmanNode(client: harness.client, configuration: .init(stateDirectory: harness.directory + "/state"))
        await #expect(throws: PodmanNodeError.self) { try await second.start() }
    }

    @Test func aMissingPodmanSaysWhatToInstall() async throws {
        let harness = try harness
        let node = PodmanNode(client: harness.client, configuration: .init(stateDirectory: harness.directory + "/other", podman: "no-such-podman"))
        await #expect { try await node.start() } throws: { "\($0)".contains("apt-get install podman") }
    }

    @Test func theHostsNetworkIsRefused() async throws {
        let harness = try harness
        let node = PodmanNode(client: harness.client, configuration: .init(stateDirectory: harness.directory + "/other", network: "host"))
        await #expect(throws: PodmanNodeError.self) { try await node.start() }
    }

    @Test func theNodeTellsOfItself() async throws {
        let harness = try harness
        let key = ObjectKey(namespace: "", name: "node1")
        #expect(await eventually { (try? await harness.client.get(.nodes, key).at("status", "conditions")) != nil })
        let node = try await harness.client.get(.nodes, key)
        #expect((node.at("status", "conditions")?.array ?? []).contains { $0["type"] == "Ready" && $0["status"] == "True" })
        #expect(node.at("status", "allocatable", "cpu") == "64")
    }

    @Test func endingRemovesEverything() async throws {
        let own = try await NodeHarness()
        try await own.create("left", podSpec([shell("trial", "trap '' TERM; sleep 300")]))
        try await own.wait("left") { $0.isRunning("trial") }
        let podman = try #require(own.node?.startedNode?.podman)
        await own.node?.removeAll()
        #expect(try await podman.list().isEmpty)
        await own.end()
        #expect(!FileEntry.exists(own.directory))
    }
}
