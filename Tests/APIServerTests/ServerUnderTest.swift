import APIServer
import Base
import Foundation
import HTTPTransport

/// A server for one test, and requests to it.
struct ServerUnderTest: Sendable {
    let server: APIServer
    let port: UInt16
    var token: String?

    static func start(
        token: String? = nil, directory: String? = nil, watchHistory: Int = 4096
    ) async throws -> ServerUnderTest {
        let server = APIServer(configuration: .init(token: token, dataDirectory: directory, watchHistory: watchHistory))
        return ServerUnderTest(server: server, port: try await server.start(), token: token)
    }

    var url: String { "http://127.0.0.1:\(port)" }

    struct Answer: Sendable {
        var status: Int
        var type: String
        var bytes: [UInt8]
        var headers: HTTPHeaders
        var json: JSONValue { (try? JSONValue(parsing: bytes)) ?? .null }
        var message: String { json["message"]?.string ?? "" }
        var version: String { json.at("metadata", "resourceVersion")?.string ?? "" }
    }

    func send(
        _ method: String, _ path: String, _ body: JSONValue? = nil, type: String = "application/json",
        accept: String = "application/json"
    ) async throws -> Answer {
        try await send(method, path, bytes: body?.serialized(), type: type, accept: accept)
    }

    func send(
        _ method: String, _ path: String, bytes: [UInt8]?, type: String = "application/json", accept: String = "application/json"
    ) async throws -> Answer {
        let response = try await HTTPTransport.shared.send(request(method, path, bytes, type, accept))
        let body = try await response.body.collect(upTo: 256 << 20)
        return Answer(
            status: response.status, type: response.headers["Content-Type"] ?? "", bytes: body, headers: response.headers)
    }

    private func request(_ method: String, _ path: String, _ body: [UInt8]?, _ type: String, _ accept: String) -> HTTPRequest {
        var headers: HTTPHeaders = ["Accept": accept]
        if body != nil { headers.add("Content-Type", type) }
        if let token { headers.add("Authorization", "Bearer \(token)") }
        return HTTPRequest(
            method: method, url: url + path, headers: headers, body: body, timeouts: HTTPTimeouts(total: 60), proxy: .none)
    }

    func get(_ path: String) async throws -> Answer { try await send("GET", path) }
    func merge(_ path: String, _ patch: JSONValue) async throws -> Answer {
        try await send("PATCH", path, patch, type: "application/merge-patch+json")
    }
    func apply(_ path: String, _ object: JSONValue, manager: String, force: Bool = false) async throws -> Answer {
        try await send("PATCH", "\(path)?fieldManager=\(manager)&force=\(force)", object, type: "application/apply-patch+yaml")
    }

    /// The events of a watch, until it ends or `enough` returns true.
    func watch(_ path: String, until enough: @Sendable ([JSONValue]) -> Bool = { _ in false }) async throws -> [JSONValue] {
        let response = try await HTTPTransport.shared.send(request("GET", path, nil, "", "application/json"))
        guard response.status == 200 else {
            let body = try await response.body.collect(upTo: 1 << 20)
            return [["type": "HTTP", "status": JSONValue(response.status), "object": (try? JSONValue(parsing: body)) ?? .null]]
        }
        var events: [JSONValue] = []
        var rest: [UInt8] = []
        for try await chunk in response.body {
            rest += chunk
            while let end = rest.firstIndex(of: 10) {
                events.append(try JSONValue(parsing: rest[..<end]))
                rest.removeSubrange(...end)
                if enough(events) { return events }
            }
        }
        return events
    }
}

/// Starts a server, runs the test, stops the server.
func withServer(
    token: String? = nil, directory: String? = nil, watchHistory: Int = 4096, _ body: (ServerUnderTest) async throws -> Void
) async throws {
    let server = try await ServerUnderTest.start(token: token, directory: directory, watchHistory: watchHistory)
    do {
        try await body(server)
    } catch {
        await server.server.stop()
        throw error
    }
    await server.server.stop()
}

/// A directory that is removed after the test.
func withDirectory(_ body: (String) async throws -> Void) async throws {
    let path = NSTemporaryDirectory() + "apiserver-test-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: path) }
    try await body(path)
}

func configMap(_ name: String, _ data: [String: JSONValue] = ["k": "v"], labels: [String: JSONValue] = [:]) -> JSONValue {
    [
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": .string(name), "labels": .object(labels)],
        "data": .object(data),
    ]
}

func pod(_ name: String, node: String? = "nowhere", _ metadata: [String: JSONValue] = [:]) -> JSONValue {
    var spec: JSONValue = ["containers": [["name": "trial", "image": "localhost/t:1"]], "restartPolicy": "Never"]
    if let node { spec["nodeName"] = .string(node) }
    return [
        "apiVersion": "v1", "kind": "Pod",
        "metadata": .object(metadata.merging(["name": .string(name)]) { $1 }), "spec": spec,
    ]
}

/// A definition `things.test.assay.dev` with a spec of a colour and parts, and a status.
let thingDefinition: JSONValue = [
    "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": ["name": "things.test.assay.dev"],
    "spec": [
        "group": "test.assay.dev", "scope": "Namespaced",
        "names": ["kind": "Thing", "plural": "things", "shortNames": ["th"]],
        "versions": [
            [
                "name": "v1", "served": true, "storage": true, "subresources": ["status": [:]],
                "additionalPrinterColumns": [
                    ["name": "Colour", "type": "string", "jsonPath": ".spec.colour"],
                    ["name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Ready\")].status"],
                    ["name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"],
                ],
                "schema": [
                    "openAPIV3Schema": [
                        "type": "object",
                        "properties": [
                            "spec": [
                                "type": "object", "description": "What the thing is.",
                                "properties": [
                                    "colour": [
                                        "type": "string", "enum": ["red", "green", "blue"], "description": "Its colour.",
                                    ],
                                    "size": ["type": "integer", "minimum": 1, "default": 3],
                                    "parts": [
                                        "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["id"],
                                        "items": [
                                            "type": "object", "required": ["id"],
                                            "properties": ["id": ["type": "string"], "n": ["type": "integer"]],
                                        ],
                                    ],
                                    "labels": ["type": "object", "additionalProperties": ["type": "string"]],
                                ],
                            ],
                            "status": [
                                "type": "object",
                                "properties": [
                                    "phase": ["type": "string"],
                                    "conditions": [
                                        "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"],
                                        "items": [
                                            "type": "object", "required": ["type", "status"],
                                            "properties": ["type": ["type": "string"], "status": ["type": "string"]],
                                        ],
                                    ],
                                ],
                            ],
                        ],
                    ]
                ],
            ]
        ],
    ],
]

func thing(_ name: String, _ spec: JSONValue = ["colour": "red"], _ metadata: [String: JSONValue] = [:]) -> JSONValue {
    [
        "apiVersion": "test.assay.dev/v1", "kind": "Thing", "metadata": .object(metadata.merging(["name": .string(name)]) { $1 }),
        "spec": spec,
    ]
}

let configMaps = "/api/v1/namespaces/default/configmaps"
let pods = "/api/v1/namespaces/default/pods"
let things = "/apis/test.assay.dev/v1/namespaces/default/things"
let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
