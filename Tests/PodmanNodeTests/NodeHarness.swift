import APIServer
import AssayTesting
import Base
import Foundation
import KubeClient
import KubeCore
import Subprocess
import Testing

@testable import PodmanNode

/// An API server and a node with real containers, for one suite. Each has its own directory, which is removed at the end.
final class NodeHarness: Sendable {
    @TaskLocal static var current: NodeHarness?

    let client: KubeClient
    let server: APIServer
    let directory: String
    let cache: String
    private let running = Locked<(node: PodmanNode, task: Task<Void, any Error>)?>(nil)
    private static let abilities = Locked<[UInt8]?>(nil)
    private static let token = "test-token"

    var node: PodmanNode? { running.withLock { $0?.node } }

    init() async throws {
        directory = NSTemporaryDirectory() + "assay-node-tests-" + UUID().uuidString.prefix(8)
        cache = directory + "/cache"
        try Directory.make(cache, mode: 0o755)
        server = APIServer(configuration: .init(token: Self.token))
        let port = try await server.start()
        client = KubeClient(config: .direct(server: "http://127.0.0.1:\(port)", token: Self.token))
        try await start()
    }

    /// Starts a node on the same directory: the first one, or the next one after `kill`.
    func start() async throws {
        let state = directory + "/state"
        // Probing takes some seconds, so it is done only once.
        if let known = Self.abilities.withLock({ $0 }) {
            try Directory.make(state, mode: 0o700)
            try Directory.make(state + "/podman", mode: 0o755)
            try FileWriting.replace(state + "/podman/abilities.json", with: known, mode: 0o644, durable: false)
        }
        let program = directory + "/fake-assay"
        try FileWriting.write(Array("#!/bin/sh\necho fake assay \"$@\"\n".utf8), to: program, mode: 0o755)
        let node = PodmanNode(
            client: client,
            configuration: .init(
                nodeName: "node1", stateDirectory: state, executable: program, cacheDirectory: cache, allocatable: ["cpu": "64"],
                usesImagesOfUser: false),
            log: Log("node", destination: Log.Destination.none))
        try await node.start()
        if let bytes = FileReading.whole(state + "/podman/abilities.json") { Self.abilities.withLock { $0 = bytes } }
        server.podLogs = node
        let task = Task { try await node.run() }
        running.withLock { $0 = (node, task) }
    }

    /// Ends the node like a crash: containers continue.
    func kill() async {
        guard let (node, task) = running.withLock({ $0 }) else { return }
        task.cancel()
        _ = await task.result
        await node.stop(removeContainers: false)
        running.withLock { $0 = nil }
    }

    func end() async {
        if let (node, task) = running.withLock({ $0 }) {
            task.cancel()
            _ = await task.result
            if let listed = try? await node.startedNode?.podman.list() {
                let (root, known) = (directory + "/state/podman/root", Set(listed.map(\.id)))
                // On a busy machine the monitor of a container that was just removed takes a while to end.
                let areGone = await eventually(within: 60) { OrphanedMonitors.find(podmanRoot: root, known: known).isEmpty }
                let orphans = OrphanedMonitors.kill(podmanRoot: root, known: known)
                if !areGone { Issue.record("the node left \(orphans) containers behind that podman does not know of") }
            }
            await node.stop(removeContainers: true)
        }
        await server.stop()
        Directory.removeTree(directory)
    }

    /// podman with the settings of the node.
    func podman(_ words: [String]) async throws -> String {
        let podman = try #require(node?.podmanForTests)
        return try await podman.call(words).stdoutText
    }

    // MARK: Pods

    func create(_ name: String, _ spec: JSONValue, finalizers: [String] = []) async throws {
        var metadata: [String: JSONValue] = ["name": .string(name), "namespace": "default"]
        if !finalizers.isEmpty { metadata["finalizers"] = .array(finalizers.map(JSONValue.string)) }
        try await client.create(.pods, ["apiVersion": "v1", "kind": "Pod", "metadata": .object(metadata), "spec": spec])
    }

    func pod(_ name: String) async throws -> JSONValue? {
        do { return try await client.get(.pods, ObjectKey(namespace: "default", name: name)) } catch {
            if error.isNotFound { return nil }
            throw error
        }
    }

    /// The pod once it satisfies the condition, as the watch shows it.
    @discardableResult
    func wait(_ name: String, within seconds: Double = 120, until condition: @escaping @Sendable (JSONValue) -> Bool) async throws -> JSONValue {
        try await withThrowingTaskGroup(of: JSONValue?.self) { group in
            group.addTask { try await self.follow(name) { condition($0) } }
            group.addTask {
                try await Task.sleep(for: .seconds(seconds))
                return nil
            }
            let found = try await group.next() ?? nil
            group.cancelAll()
            if let found { return found }
            let now = try await pod(name)
            Issue.record("the pod \(name) did not come to the wanted state in \(seconds) s; it is \(now?["status"]?.text ?? "gone")")
            throw CancellationError()
        }
    }

    func waitEnded(_ name: String, within seconds: Double = 120) async throws -> JSONValue {
        try await wait(name, within: seconds) { ["Succeeded", "Failed"].contains($0.at("status", "phase")?.string ?? "") }
    }

    func waitGone(_ name: String) async throws -> Bool {
        try await eventually(within: 120) { try await self.pod(name) == nil }
    }

    private func follow(_ name: String, _ condition: (JSONValue) -> Bool) async throws -> JSONValue? {
        var options = WatchOptions()
        options.fieldSelector = "metadata.name=\(name)"
        options.timeoutSeconds = 300
        for try await line in try await client.watch(.pods, namespace: "default", options: options) {
            if let object = try JSONValue(parsing: line)["object"], condition(object) { return object }
        }
        return nil
    }

    /// All states of the pod from now on until it is deleted or satisfies the condition.
    func record(_ name: String, until condition: @escaping @Sendable (JSONValue) -> Bool) -> Task<[JSONValue], any Error> {
        Task {
            var options = WatchOptions()
            options.fieldSelector = "metadata.name=\(name)"
            options.timeoutSeconds = 300
            var seen: [JSONValue] = []
            for try await line in try await client.watch(.pods, namespace: "default", options: options) {
                let event = try JSONValue(parsing: line)
                guard let object = event["object"], event["type"]?.string != "BOOKMARK" else { continue }
                seen.append(object)
                if event["type"]?.string == "DELETED" || condition(object) { break }
            }
            return seen
        }
    }

    /// A script that waits until `release` is called for its container. The length of a sleep would depend on how busy the machine is.
    static let hold = "until [ -e /released ]; do sleep 0.05; done"

    /// - Parameter podman: that of a node that was killed meanwhile; by default that of the running node.
    func release(_ name: String, _ container: String, with podman: PodmanCLI? = nil) async throws {
        let id = try #require(try await pod(name)?.container(container)?["containerID"]?.string?.split(separator: "/").last.map(String.init))
        let podman = try #require(podman ?? node?.podmanForTests)
        _ = try await podman.call(["exec", id, "touch", "/released"])
    }

    func log(_ name: String, _ container: String, options: LogOptions = LogOptions()) async throws -> [UInt8] {
        try await client.podLog(ObjectKey(namespace: "default", name: name), container: container, options: options).collect(upTo: 256 << 20)
    }

    func events(about name: String) async throws -> [String] {
        try await client.listAll(.events, namespace: "default").items
            .filter { $0.at("involvedObject", "name")?.string == name }.compactMap { $0["reason"]?.string }
    }
}

/// Gives a suite its own node.
struct WithNode: SuiteTrait, TestScoping {
    func provideScope(for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void) async throws {
        let harness = try await NodeHarness()
        do {
            try await NodeHarness.$current.withValue(harness) { try await function() }
        } catch {
            await harness.end()
            throw error
        }
        await harness.end()
    }
}

extension Trait where Self == WithNode {
    static var node: Self { WithNode() }
}

extension PodmanNode {
    var podmanForTests: PodmanCLI? { startedNode?.podman }
}

extension JSONValue {
    func container(_ name: String) -> JSONValue? {
        ["initContainerStatuses", "containerStatuses"].lazy.flatMap { (self.at("status", $0)?.array ?? []) }.first { $0["name"]?.string == name }
    }

    func ended(_ container: String) -> JSONValue? { self.container(container)?.at("state", "terminated") }
    func isRunning(_ container: String) -> Bool { self.container(container)?.at("state", "running") != nil }
    func waiting(_ container: String) -> String? { self.container(container)?.at("state", "waiting", "reason")?.string }
}

/// A container with the host's programs that runs a script.
func shell(_ name: String, _ script: String, _ more: [String: JSONValue] = [:]) -> JSONValue {
    .object(["name": .string(name), "image": "rootfs:/", "command": ["/bin/bash", "-c", .string(script)]].merging(more) { $1 })
}

func podSpec(_ containers: [JSONValue], initContainers: [JSONValue] = [], _ more: [String: JSONValue] = [:]) -> JSONValue {
    var spec: [String: JSONValue] = ["restartPolicy": "Never", "terminationGracePeriodSeconds": 2, "containers": .array(containers)]
    if !initContainers.isEmpty { spec["initContainers"] = .array(initContainers) }
    return .object(spec.merging(more) { $1 })
}
