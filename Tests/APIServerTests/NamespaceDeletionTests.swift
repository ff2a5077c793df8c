import AssayTesting
import Base
import Testing

@Suite("How a namespace goes away, in order")
struct NamespaceDeletionTests {
    private let namespace = "/api/v1/namespaces/team"

    private func condition(_ server: ServerUnderTest, _ type: String) async throws -> JSONValue? {
        try await server.get(namespace).json.at("status", "conditions")?.array?.first { $0["type"] == .string(type) }
    }

    private func fill(_ server: ServerUnderTest, podFinalizers: JSONValue = []) async throws {
        #expect(
            try await server.send("POST", "/api/v1/namespaces", ["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": "team"]]).status == 201
        )
        #expect(try await server.send("POST", "\(namespace)/configmaps", configMap("a")).status == 201)
        #expect(
            try await server.send("POST", "\(namespace)/secrets", ["apiVersion": "v1", "kind": "Secret", "metadata": ["name": "s"]]).status == 201)
        #expect(try await server.send("POST", "\(namespace)/pods", pod("p", node: nil, ["finalizers": podFinalizers])).status == 201)
    }

    @Test("a pod that a finalizer holds keeps everything else: nothing but it is deleted, and the conditions say so")
    func podsFirst() async throws {
        try await withServer { server in
            try await fill(server, podFinalizers: ["a.example/hold"])
            _ = try await server.send("DELETE", namespace)
            let isMarked = try await eventually { try await server.get("\(namespace)/pods/p").json.at("metadata", "deletionTimestamp") != nil }
            #expect(isMarked)
            for path in ["configmaps/a", "secrets/s"] {
                let object = try await server.get("\(namespace)/\(path)")
                #expect(object.status == 200 && object.json.at("metadata", "deletionTimestamp") == nil, "\(path)")
            }
            let told = try await eventually { try await condition(server, "NamespaceContentRemaining")?["status"] == "True" }
            #expect(told)
            #expect(
                try await condition(server, "NamespaceContentRemaining")?["message"] == "Some resources are remaining: pods. has 1 resource instances"
            )
            #expect(
                try await condition(server, "NamespaceFinalizersRemaining")?["message"]
                    == "Some content in the namespace has finalizers remaining: a.example/hold in 1 resource instances")
            #expect(try await condition(server, "NamespaceDeletionContentFailure")?["status"] == "False")
            let refused = try await server.send("POST", "\(namespace)/configmaps", configMap("b"))
            #expect(refused.status == 403 && refused.json.at("details", "causes")?[0]?["reason"] == "NamespaceTerminating")
            _ = try await server.merge("\(namespace)/pods/p", ["metadata": ["finalizers": .null]])
            let gone = try await eventually { try await server.get(namespace).status == 404 }
            #expect(gone)
        }
    }

    @Test("after the pods the rest goes; what else is held is named")
    func rest() async throws {
        try await withServer { server in
            try await fill(server)
            _ = try await server.merge("\(namespace)/secrets/s", ["metadata": ["finalizers": ["a.example/keep"]]])
            _ = try await server.send("DELETE", namespace)
            let onlySecret = try await eventually { try await server.get("\(namespace)/configmaps/a").status == 404 }
            #expect(onlySecret)
            let told = try await eventually {
                try await condition(server, "NamespaceContentRemaining")?["message"]
                    == "Some resources are remaining: secrets. has 1 resource instances"
            }
            #expect(told)
            _ = try await server.merge("\(namespace)/secrets/s", ["metadata": ["finalizers": .null]])
            let gone = try await eventually { try await server.get(namespace).status == 404 }
            #expect(gone)
        }
    }

    @Test("a finalizer of the namespace's own is taken off through /finalize, and the namespace goes")
    func finalize() async throws {
        try await withServer { server in
            try await fill(server)
            var object = try await server.get(namespace).json
            object.set(["spec", "finalizers"], to: ["kubernetes", "a.example/mine"])
            #expect(try await server.send("PUT", "\(namespace)/finalize", object).status == 200)
            _ = try await server.send("DELETE", namespace)
            let empty = try await eventually { try await server.get(namespace).json.at("spec", "finalizers") == ["a.example/mine"] }
            #expect(empty)
            #expect(try await condition(server, "NamespaceContentRemaining")?["status"] == "False")
            object = try await server.get(namespace).json
            object.set(["spec", "finalizers"], to: nil)
            _ = try await server.send("PUT", "\(namespace)/finalize", object)
            #expect(try await server.get(namespace).status == 404)
        }
    }
}
