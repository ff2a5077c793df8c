import AssayTesting
import Base
import Testing

@Suite("Watching the API server")
struct WatchTests {
    private func types(_ events: [JSONValue]) -> [String] {
        events.map { "\($0["type"]?.string ?? "") \($0.at("object", "metadata", "name")?.string ?? "")" }
    }

    @Test("catalogue 1: a version older than the history gets 410 as an HTTP status")
    func expiredAsHTTP() async throws {
        try await withServer(watchHistory: 8) { server in
            let first = try await server.send("POST", configMaps, configMap("a"))
            for number in 0..<30 { _ = try await server.merge("\(configMaps)/a", ["data": ["n": .string("\(number)")]]) }
            let events = try await server.watch("\(configMaps)?watch=1&resourceVersion=\(first.version)&timeoutSeconds=5")
            #expect(events.first?["status"] == 410)
            #expect(events.first?.at("object", "reason") == "Expired")
        }
    }

    @Test("catalogue 2: a watcher that is slower than the history gets 410 as an ERROR event, and all events before it in order")
    func expiredAsEvent() async throws {
        try await withServer(watchHistory: 4) { server in
            let big = String(repeating: "x", count: 400_000)
            _ = try await server.send("POST", configMaps, configMap("a"))
            let version = try await server.get(configMaps).version
            // The client does not read, so the stream blocks; the server must not wait for it.
            let client = try RawConnection(port: server.port)
            try client.send("GET \(configMaps)?watch=1&resourceVersion=\(version)&timeoutSeconds=60 HTTP/1.1\r\nHost: x\r\n\r\n")
            for number in 0..<60 {
                _ = try await server.merge("\(configMaps)/a", ["data": ["n": .string("\(number)"), "x": .string(big)]])
            }
            let text = try await client.readAll(until: "\r\n0\r\n\r\n")
            let lines = text.replacing("\r\n", with: "\n").split(separator: "\n").filter { $0.hasPrefix("{\"type\"") }
            let numbers = lines.compactMap { line in
                (0..<60).first { line.contains("\"n\":\"\($0)\"") }
            }
            #expect(numbers == Array(0..<numbers.count), "events came out of order or with a gap")
            #expect(numbers.count < 60)
            #expect(lines.last?.contains("\"type\":\"ERROR\"") == true && lines.last?.contains("\"code\":410") == true)
        }
    }

    @Test("a restarted server answers versions from before the restart with 410, and its versions continue to grow")
    func restarted() async throws {
        try await withDirectory { directory in
            var old = ""
            var newest = ""
            try await withServer(directory: directory + "/d") { server in
                old = try await server.send("POST", configMaps, configMap("a")).version
                newest = try await server.merge("\(configMaps)/a", ["data": ["n": "1"]]).version
            }
            try await withServer(directory: directory + "/d") { server in
                let events = try await server.watch("\(configMaps)?watch=1&resourceVersion=\(old)&timeoutSeconds=2")
                #expect(events.first?["status"] == 410)
                let stored = try await server.get("\(configMaps)/a")
                #expect(stored.version == newest)
                let next = try await server.merge("\(configMaps)/a", ["data": ["n": "2"]])
                #expect((Int(next.version) ?? 0) > (Int(newest) ?? .max))
                // A watch can start at the list's own version.
                let resumed = try await server.watch("\(configMaps)?watch=1&resourceVersion=\(newest)&timeoutSeconds=10") {
                    $0.count == 1
                }
                #expect(types(resumed) == ["MODIFIED a"])
            }
        }
    }

    @Test("a watch resumed at any version misses no event and repeats none")
    func resumes() async throws {
        try await withServer { server in
            var versions: [String] = [try await server.get(configMaps).version]
            for name in ["a", "b", "c"] { versions.append(try await server.send("POST", configMaps, configMap(name)).version) }
            _ = try await server.send("DELETE", "\(configMaps)/b")
            let expected = ["ADDED a", "ADDED b", "ADDED c", "DELETED b"]
            for (index, version) in versions.enumerated() {
                let wanted = Array(expected.dropFirst(index))
                let events = try await server.watch("\(configMaps)?watch=1&resourceVersion=\(version)&timeoutSeconds=10") {
                    $0.count == wanted.count
                }
                #expect(types(events) == wanted)
                let seen = events.compactMap { $0.at("object", "metadata", "resourceVersion")?.string.flatMap(Int.init) }
                #expect(seen == seen.sorted())
            }
        }
    }

    @Test("a watch of ten thousand objects begins with all of them and marks their end")
    func manyObjects() async throws {
        try await withServer { server in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for writer in 0..<8 {
                    group.addTask {
                        for number in 0..<1250 {
                            _ = try await server.send("POST", configMaps, configMap("c-\(writer)-\(number)"))
                        }
                    }
                }
                try await group.waitForAll()
            }
            let path =
                "\(configMaps)?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=60"
            let events = try await server.watch(path) { $0.last?["type"] == "BOOKMARK" }
            #expect(events.count == 10_001)
            #expect(events.last?.at("object", "metadata", "annotations", "k8s.io/initial-events-end") == "true")
            let listed = try await server.get("\(configMaps)?resourceVersion=0&limit=500")
            #expect(listed.json["items"]?.array?.count == 10_000)
            let page = try await server.get("\(configMaps)?limit=500")
            #expect(page.json["items"]?.array?.count == 500)
            #expect(page.json.at("metadata", "remainingItemCount") == 9500)
        }
    }

    @Test("a bookmark with the reached version comes before a watch ends")
    func bookmarkAtEnd() async throws {
        try await withServer { server in
            let version = try await server.send("POST", configMaps, configMap("a")).version
            // Another resource increases the version.
            let later = try await server.send("POST", pods, pod("p")).version
            let events = try await server.watch(
                "\(configMaps)?watch=1&resourceVersion=\(version)&allowWatchBookmarks=true&timeoutSeconds=12"
            ) {
                $0.last?["type"] == "BOOKMARK"
            }
            #expect(events.count == 1)
            #expect(events.first?.at("object", "metadata", "resourceVersion")?.string == later)
            #expect(events.first?.at("object", "kind") == "ConfigMap")
        }
    }

    @Test("the watches of a custom resource end when its definition is deleted")
    func definitionGoes() async throws {
        try await withServer { server in
            _ = try await server.send("POST", definitions, thingDefinition)
            _ = try await server.send("POST", things, thing("a"))
            let isWatching = Locked(false)
            async let watched = server.watch("\(things)?watch=1&timeoutSeconds=60") { _ in
                isWatching.withLock { $0 = true }
                return false
            }
            #expect(await eventually { isWatching.withLock { $0 } })
            _ = try await server.send("DELETE", "\(definitions)/things.test.assay.dev")
            #expect(types(try await watched) == ["ADDED a", "DELETED a"])
            #expect(try await server.get(things).status == 404)
        }
    }

    @Test("a watch with a field selector (node, phase) reports pods that begin or cease to match")
    func selectedPods() async throws {
        try await withServer { server in
            let version = try await server.get(pods).version
            async let watched = server.watch(
                "\(pods)?watch=1&resourceVersion=\(version)&timeoutSeconds=20&fieldSelector=spec.nodeName%3Dn1,status.phase%3DRunning"
            ) {
                $0.count == 2
            }
            _ = try await server.send("POST", pods, pod("p", node: nil))
            let bound = try await server.send(
                "POST", "\(pods)/p/binding",
                ["apiVersion": "v1", "kind": "Binding", "metadata": ["name": "p"], "target": ["kind": "Node", "name": "n1"]])
            #expect(bound.status == 201)
            _ = try await server.merge("\(pods)/p/status", ["status": ["phase": "Running"]])
            _ = try await server.merge("\(pods)/p/status", ["status": ["phase": "Succeeded"]])
            let events = try await watched
            #expect(types(events) == ["ADDED p", "DELETED p"])
            // A pod that no longer matches is shown in its last matching state.
            #expect(events.last?.at("object", "status", "phase") == "Running")
        }
    }
}
