import APIServer
import AssayTesting
import Base
import HTTPTransport
import KubeClient
import KubeCore
import Testing

@Suite("What benchmarks play a cluster with")
struct SimulatedNodeTests {
    private func withNode(
        _ script: SimulatedNode.Script, _ body: (KubeClient) async throws -> Void
    ) async throws {
        let server = APIServer(configuration: .init())
        let client = KubeClient(config: .direct(server: "http://127.0.0.1:\(try await server.start())"))
        let node = SimulatedNode(client: client, script: script)
        try await node.register()
        let running = Task { await node.run() }
        let result: Result<Void, any Error>
        do { result = .success(try await body(client)) } catch { result = .failure(error) }
        running.cancel()
        await running.value
        await server.stop()
        try result.get()
    }

    private func pod(_ name: String, node: String? = nil, finalizer: String? = nil) -> JSONValue {
        var pod: JSONValue = [
            "apiVersion": "v1", "kind": "Pod", "metadata": ["name": .string(name), "namespace": "default"],
            "spec": [
                "restartPolicy": "Never", "initContainers": [["name": "first", "image": "i"]],
                "containers": [["name": "main", "image": "i"], ["name": "other", "image": "i"]],
            ],
        ]
        if let node { pod["spec"]?["nodeName"] = .string(node) }
        if let finalizer { pod["metadata"]?["finalizers"] = [.string(finalizer)] }
        return pod
    }

    private func get(_ client: KubeClient, _ name: String) async throws -> JSONValue {
        try await client.get(.pods, ObjectKey(namespace: "default", name: name))
    }

    @Test("a pod is placed, runs, and succeeds; each container ends, with the message of its name")
    func succeeds() async throws {
        try await withNode(.init(terminationMessages: ["main": "done"])) { client in
            try await client.create(.pods, pod("a"))
            let succeeded = await eventually { (try? await get(client, "a"))?.at("status", "phase")?.string == "Succeeded" }
            #expect(succeeded)
            let pod = try await get(client, "a")
            #expect(pod.at("spec", "nodeName")?.string == "simulated")
            let ends = (pod.at("status", "containerStatuses")?.array ?? []).map { $0.at("state", "terminated") }
            #expect(ends.map { $0?["message"]?.string } == ["done", nil])
            #expect(ends.allSatisfy { $0?["exitCode"]?.int == 0 })
            #expect(pod.at("status", "initContainerStatuses")?.array?.count == 1)
            let ready = pod.at("status", "conditions")?.array?.first { $0["type"]?.string == "Ready" }
            #expect(ready?["status"]?.string == "False")
        }
    }

    @Test("it runs as long as it is told to; pods of other nodes are left alone; one that is deleted while it runs goes")
    func runs() async throws {
        try await withNode(.init(seconds: 60, terminationMessages: [:])) { client in
            try await client.create(.pods, pod("other", node: "elsewhere"))
            try await client.create(.pods, pod("mine"))
            let running = await eventually { (try? await get(client, "mine"))?.at("status", "phase")?.string == "Running" }
            #expect(running)
            #expect(try await get(client, "other").at("status", "phase")?.string == "Pending")
            try await client.delete(.pods, ObjectKey(namespace: "default", name: "mine"))
            let gone = await eventually { (try? await get(client, "mine")) == nil }
            #expect(gone)
        }
    }

    @Test("the kubelet's endpoint serves the log of a container by its name, and nothing else")
    func logs() async throws {
        let directory = "/tmp/assay-kubelet-logs-\(UInt64.random(in: .min ... .max))"
        defer { Directory.removeTree(directory) }
        let logs = try await KubeletLogs(["main": Array("hello\n".utf8)], directory: directory)
        let transport = HTTPTransport()
        func get(_ path: String) async throws -> (Int, String) {
            let answer = try await transport.send(
                HTTPRequest(method: "GET", url: "https://127.0.0.1:\(logs.port)\(path)", tls: TLSOptions(insecure: true)))
            return (answer.status, String(decoding: try await answer.body.collect(upTo: 1 << 20), as: UTF8.self))
        }
        #expect(try await get("/containerLogs/default/pod/main?follow=false") == (200, "hello\n"))
        #expect(try await get("/containerLogs/default/pod/other") == (200, ""))
        #expect(try await get("/pods").0 == 404)
    }
}
