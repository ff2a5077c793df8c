import APIServer
import AssayTesting
import Base
import KubeCore
import Testing

@Suite("Pods on the API server")
struct PodTests {
    @Test("defaults as a real server fills them in")
    func defaults() async throws {
        try await withServer { server in
            let made = try await server.send(
                "POST", pods,
                [
                    "apiVersion": "v1", "kind": "Pod", "metadata": ["name": "p"],
                    "spec": [
                        "containers": [
                            [
                                "name": "c", "image": "registry.example.com:5000/x", "ports": [["containerPort": 80]],
                                "resources": ["limits": ["cpu": "1", "memory": "1Gi"]],
                                "env": [
                                    ["name": "NODE", "valueFrom": ["fieldRef": ["fieldPath": "spec.nodeName"]]],
                                    ["name": "EMPTY", "value": ""],
                                ],
                            ]
                        ],
                        "volumes": [
                            ["name": "v"], ["name": "s", "secret": ["secretName": "x"]],
                            ["name": "h", "hostPath": ["path": "/x"]],
                        ],
                    ],
                ])
            #expect(made.status == 201)
            let container = made.json.at("spec", "containers")?[0] ?? [:]
            #expect(container["imagePullPolicy"] == "Always")
            #expect(container.at("resources", "requests") == ["cpu": "1", "memory": "1Gi"])
            #expect(container["ports"]?[0] == ["containerPort": 80, "protocol": "TCP"])
            #expect(container["env"]?[0]?.at("valueFrom", "fieldRef", "apiVersion") == "v1")
            #expect(container["env"]?[1] == ["name": "EMPTY"])
            #expect(
                made.json.at("spec", "volumes") == [
                    ["name": "v", "emptyDir": [:]], ["name": "s", "secret": ["secretName": "x", "defaultMode": 420]],
                    ["name": "h", "hostPath": ["path": "/x", "type": ""]],
                ])
            #expect(made.json.at("status", "qosClass") == "Guaranteed")
        }
    }

    @Test("a pod is bound to a node only once")
    func binding() async throws {
        try await withServer { server in
            _ = try await server.send("POST", pods, pod("p", node: nil))
            let binding: JSONValue = [
                "apiVersion": "v1", "kind": "Binding", "metadata": ["name": "p"], "target": ["kind": "Node", "name": "n"],
            ]
            #expect(try await server.send("POST", "\(pods)/p/binding", binding).status == 201)
            let bound = try await server.get("\(pods)/p").json
            #expect(bound.at("spec", "nodeName") == "n")
            #expect(bound.at("status", "conditions")?[0]?["type"] == "PodScheduled")
            #expect(try await server.send("POST", "\(pods)/p/binding", binding).status == 409)
            #expect(try await server.merge("\(pods)/p", ["spec": ["nodeName": "other"]]).status == 422)
        }
    }

    @Test("status through its path: spec stays, conditions merge by type")
    func status() async throws {
        try await withServer { server in
            _ = try await server.send("POST", pods, pod("p"))
            let patch = { (type: String, status: String) -> JSONValue in
                [
                    "status": ["conditions": [["type": .string(type), "status": .string(status)]]],
                    "spec": ["nodeName": "elsewhere"],
                ]
            }
            for (type, status) in [("Ready", "False"), ("Initialized", "True"), ("Ready", "True")] {
                let answer = try await server.send(
                    "PATCH", "\(pods)/p/status", patch(type, status), type: "application/strategic-merge-patch+json")
                #expect(answer.status == 200)
            }
            let pod = try await server.get("\(pods)/p").json
            #expect(pod.at("spec", "nodeName") == "nowhere")
            #expect(pod.at("metadata", "generation") == 1)
            #expect(
                pod.at("status", "conditions") == [
                    ["type": "Ready", "status": "True"], ["type": "Initialized", "status": "True"],
                ])
        }
    }

    private struct Provider: PodLogProvider {
        let asked: Locked<[(PodLogTarget, LogOptions)]>

        func log(of container: PodLogTarget, options: LogOptions) async throws -> AsyncThrowingStream<[UInt8], any Error> {
            asked.withLock { $0.append((container, options)) }
            if container.container == "collector" {
                throw PodLogUnavailable(message: "container \"collector\" in pod \"p\" is waiting to start: PodInitializing")
            }
            return AsyncThrowingStream { stream in
                for number in 0..<1000 { stream.yield(Array("line \(number)\n".utf8)) }
                if !options.follow { stream.finish() }
            }
        }
    }

    @Test("logs are passed on complete; the provider's errors reach the client; a client that disconnects ends the stream")
    func logs() async throws {
        try await withServer { server in
            let asked = Locked<[(PodLogTarget, LogOptions)]>([])
            _ = try await server.send(
                "POST", pods,
                [
                    "apiVersion": "v1", "kind": "Pod", "metadata": ["name": "p"],
                    "spec": [
                        "nodeName": "n",
                        "containers": [["name": "trial", "image": "x:1"], ["name": "collector", "image": "x:1"]],
                    ],
                ])
            #expect(try await server.get("\(pods)/p/log?container=trial").status == 500)
            server.server.podLogs = Provider(asked: asked)
            let log = try await server.get("\(pods)/p/log?container=trial&tailLines=5&timestamps=true&sinceSeconds=9")
            #expect(log.status == 200)
            #expect(log.type.hasPrefix("text/plain"))
            #expect(String(decoding: log.bytes, as: UTF8.self).split(separator: "\n").count == 1000)
            let (target, options) = try #require(asked.withLock { $0.first })
            #expect(target.namespace == "default" && target.pod == "p" && target.container == "trial" && !target.uid.isEmpty)
            #expect(options.tailLines == 5 && options.timestamps && options.sinceSeconds == 9 && !options.follow)
            let limited = try await server.get("\(pods)/p/log?container=trial&limitBytes=10")
            #expect(limited.bytes == Array("line 0\nlin".utf8))
            let refused = try await server.get("\(pods)/p/log?container=collector")
            #expect(refused.status == 400)
            #expect(refused.message.contains("waiting to start"))
            #expect(try await server.get("\(pods)/p/log?container=trial&tailLines=-1").status == 422)
            let client = try RawConnection(port: server.port)
            try client.send("GET \(pods)/p/log?container=trial&follow=true HTTP/1.1\r\nHost: x\r\n\r\n")
            let text = try await client.readAll(until: "line 999\n\r\n")
            #expect(text.contains("line 0\n"))
        }
    }
}
