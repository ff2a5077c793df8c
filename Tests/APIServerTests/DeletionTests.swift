import AssayTesting
import Base
import Testing

@Suite("Deletion")
struct DeletionTests {
    private func owner(_ answer: ServerUnderTest.Answer, blocks: Bool = false) -> JSONValue {
        [
            "apiVersion": "v1", "kind": "ConfigMap", "name": answer.json.at("metadata", "name") ?? "",
            "uid": answer.json.at("metadata", "uid") ?? "", "blockOwnerDeletion": .bool(blocks),
        ]
    }

    private func isGone(_ server: ServerUnderTest, _ path: String) async -> Bool {
        (try? await eventually { try await server.get(path).status == 404 }) ?? false
    }

    @Test("dependents are deleted with their owner; one with another owner stays and loses the reference")
    func background() async throws {
        try await withServer { server in
            let a = try await server.send("POST", configMaps, configMap("a"))
            let b = try await server.send("POST", configMaps, configMap("b"))
            _ = try await server.send("POST", pods, pod("only-a", ["ownerReferences": [owner(a)]]))
            _ = try await server.send(
                "POST", configMaps,
                {
                    var both = configMap("both")
                    both.set(["metadata", "ownerReferences"], to: [owner(a), owner(b)])
                    return both
                }())
            // A grandchild is deleted with its parent.
            let child = try await server.send(
                "POST", configMaps,
                {
                    var child = configMap("child")
                    child.set(["metadata", "ownerReferences"], to: [owner(a)])
                    return child
                }())
            _ = try await server.send(
                "POST", configMaps,
                {
                    var grandchild = configMap("grandchild")
                    grandchild.set(["metadata", "ownerReferences"], to: [owner(child)])
                    return grandchild
                }())
            _ = try await server.send("DELETE", "\(configMaps)/a")
            #expect(await isGone(server, "\(configMaps)/child"))
            #expect(await isGone(server, "\(configMaps)/grandchild"))
            let marked = try await eventually {
                try await server.get("\(pods)/only-a").json.at("metadata", "deletionTimestamp") != nil
            }
            #expect(marked, "a scheduled pod is deleted with its grace period")
            let released = try await eventually {
                try await server.get("\(configMaps)/both").json.at("metadata", "ownerReferences")?.array?.count == 1
            }
            #expect(released)
            _ = try await server.send("DELETE", "\(configMaps)/b")
            #expect(await isGone(server, "\(configMaps)/both"))
        }
    }

    @Test("a new owner with the same name does not keep the dependents of the deleted one")
    func recreatedOwner() async throws {
        try await withServer { server in
            let old = try await server.send("POST", configMaps, configMap("a"))
            _ = try await server.send("DELETE", "\(configMaps)/a")
            _ = try await server.send("POST", configMaps, configMap("a"))
            var child = configMap("child")
            child.set(["metadata", "ownerReferences"], to: [owner(old)])
            #expect(try await server.send("POST", configMaps, child).status == 201)
            #expect(await isGone(server, "\(configMaps)/child"))
        }
    }

    @Test("orphaned: dependents stay, without the reference")
    func orphan() async throws {
        try await withServer { server in
            let a = try await server.send("POST", configMaps, configMap("a"))
            var child = configMap("child")
            child.set(["metadata", "ownerReferences"], to: [owner(a)])
            _ = try await server.send("POST", configMaps, child)
            _ = try await server.send("DELETE", "\(configMaps)/a?propagationPolicy=Orphan")
            #expect(await isGone(server, "\(configMaps)/a"))
            #expect(try await server.get("\(configMaps)/child").json.at("metadata", "ownerReferences") == nil)
        }
    }

    @Test("in the foreground: the owner stays until its blocking dependents are gone")
    func foreground() async throws {
        try await withServer { server in
            let a = try await server.send("POST", configMaps, configMap("a"))
            _ = try await server.send(
                "POST", pods, pod("held", ["ownerReferences": [owner(a, blocks: true)], "finalizers": ["assay.dev/hold"]]))
            let answer = try await server.send("DELETE", "\(configMaps)/a?propagationPolicy=Foreground")
            #expect(answer.json.at("metadata", "finalizers") == ["foregroundDeletion"])
            let marked = try await eventually {
                try await server.get("\(pods)/held").json.at("metadata", "deletionTimestamp") != nil
            }
            #expect(marked)
            #expect(try await server.get("\(configMaps)/a").status == 200)
            _ = try await server.merge("\(pods)/held", ["metadata": ["finalizers": nil]])
            _ = try await server.send("DELETE", "\(pods)/held?gracePeriodSeconds=0")
            #expect(await isGone(server, "\(configMaps)/a"))
        }
    }

    @Test("deletions that were in progress when the process died are finished by the next process")
    func afterRestart() async throws {
        try await withDirectory { directory in
            let data = directory + "/d"
            try await withServer(directory: data) { server in
                let a = try await server.send("POST", configMaps, configMap("a"))
                var child = configMap("child")
                child.set(["metadata", "ownerReferences"], to: [owner(a)])
                child.set(["metadata", "finalizers"], to: ["assay.dev/hold"])
                _ = try await server.send("POST", configMaps, child)
                _ = try await server.send("POST", "/api/v1/namespaces", ["metadata": ["name": "n"]])
                _ = try await server.send(
                    "POST", "/api/v1/namespaces/n/configmaps",
                    {
                        var held = configMap("held")
                        held.set(["metadata", "finalizers"], to: ["assay.dev/hold"])
                        return held
                    }())
                _ = try await server.send("DELETE", "\(configMaps)/a")
                _ = try await server.send("DELETE", "/api/v1/namespaces/n")
            }
            try await withServer(directory: data) { server in
                let marked = try await eventually {
                    try await server.get("\(configMaps)/child").json.at("metadata", "deletionTimestamp") != nil
                }
                #expect(marked)
                _ = try await server.merge("\(configMaps)/child", ["metadata": ["finalizers": nil]])
                #expect(await isGone(server, "\(configMaps)/child"))
                let held = try await eventually {
                    try await server.get("/api/v1/namespaces/n/configmaps/held").json.at("metadata", "deletionTimestamp") != nil
                }
                #expect(held)
                #expect(try await server.get("/api/v1/namespaces/n").json.at("status", "phase") == "Terminating")
                let refused = try await server.send("POST", "/api/v1/namespaces/n/configmaps", configMap("new"))
                #expect(refused.status == 403)
                #expect(refused.message.contains("because it is being terminated"))
                _ = try await server.merge("/api/v1/namespaces/n/configmaps/held", ["metadata": ["finalizers": nil]])
                #expect(await isGone(server, "/api/v1/namespaces/n"))
            }
        }
    }

    @Test("a pod's grace period: set, shortened, never lengthened; the pod is removed when the node confirms")
    func gracefulPod() async throws {
        try await withServer { server in
            let made = try await server.send("POST", pods, pod("p"))
            let uid = made.json.at("metadata", "uid") ?? ""
            let first = try await server.send("DELETE", "\(pods)/p")
            #expect(first.json.at("metadata", "deletionGracePeriodSeconds") == 30)
            #expect(first.json.at("metadata", "generation") == 2)
            let longer = try await server.send("DELETE", "\(pods)/p?gracePeriodSeconds=60")
            #expect(longer.version == first.version)
            let shorter = try await server.send("DELETE", "\(pods)/p", ["gracePeriodSeconds": 5])
            #expect(shorter.json.at("metadata", "deletionGracePeriodSeconds") == 5)
            let wrong = try await server.send(
                "DELETE", "\(pods)/p", ["gracePeriodSeconds": 0, "preconditions": ["uid": "another"]])
            #expect(wrong.status == 409)
            let last = try await server.send("DELETE", "\(pods)/p", ["gracePeriodSeconds": 0, "preconditions": ["uid": uid]])
            #expect(last.status == 200)
            #expect(try await server.get("\(pods)/p").status == 404)
        }
    }

    @Test("a pod without a node, or one that has ended, is deleted at once")
    func pendingPod() async throws {
        try await withServer { server in
            _ = try await server.send("POST", pods, pod("unscheduled", node: nil))
            _ = try await server.send("DELETE", "\(pods)/unscheduled")
            #expect(try await server.get("\(pods)/unscheduled").status == 404)
            _ = try await server.send("POST", pods, pod("ended"))
            _ = try await server.merge("\(pods)/ended/status", ["status": ["phase": "Succeeded"]])
            _ = try await server.send("DELETE", "\(pods)/ended")
            #expect(try await server.get("\(pods)/ended").status == 404)
        }
    }

    @Test("catalogue 19: a deleted pod with a finalizer stays readable until the finalizer is removed")
    func heldPod() async throws {
        try await withServer { server in
            _ = try await server.send("POST", pods, pod("p", ["finalizers": ["assay.dev/trial-tracking"]]))
            _ = try await server.send("DELETE", "\(pods)/p?gracePeriodSeconds=0")
            let held = try await server.get("\(pods)/p")
            #expect(held.status == 200)
            // The node may still write its status.
            let status = try await server.merge("\(pods)/p/status", ["status": ["phase": "Failed"]])
            #expect(status.status == 200)
            _ = try await server.merge("\(pods)/p", ["metadata": ["finalizers": nil]])
            #expect(try await server.get("\(pods)/p").status == 404)
        }
    }

    @Test("an eviction deletes the pod and records the reason")
    func eviction() async throws {
        try await withServer { server in
            _ = try await server.send("POST", pods, pod("p"))
            let answer = try await server.send(
                "POST", "\(pods)/p/eviction", ["apiVersion": "policy/v1", "kind": "Eviction", "metadata": ["name": "p"]])
            #expect(answer.status == 201)
            let evicted = try await server.get("\(pods)/p").json
            #expect(evicted.at("metadata", "deletionTimestamp") != nil)
            #expect(evicted.at("status", "conditions")?[0]?["reason"] == "EvictionByEvictionAPI")
        }
    }

    @Test("the deletion of a definition deletes its resources, and waits for those with finalizers")
    func definition() async throws {
        try await withServer { server in
            _ = try await server.send("POST", definitions, thingDefinition)
            _ = try await server.send("POST", things, thing("held", [:], ["finalizers": ["assay.dev/hold"]]))
            _ = try await server.send("POST", things, thing("free"))
            let answer = try await server.send("DELETE", "\(definitions)/things.test.assay.dev")
            #expect(answer.status == 200)
            #expect(await isGone(server, "\(things)/free"))
            #expect(try await server.send("POST", things, thing("new")).status == 405)
            let held = try await eventually {
                try await server.get("\(things)/held").json.at("metadata", "deletionTimestamp") != nil
            }
            #expect(held)
            _ = try await server.merge("\(things)/held", ["metadata": ["finalizers": nil]])
            #expect(await isGone(server, "\(definitions)/things.test.assay.dev"))
            #expect(try await server.get("/apis/test.assay.dev/v1").status == 404)
        }
    }
}
