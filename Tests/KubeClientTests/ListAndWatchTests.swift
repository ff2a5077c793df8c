import AssayTesting
import Base
import HTTPTransport
import KubeCore
import Testing

@testable import KubeClient

@Suite struct ListTests {
    private static func page(_ names: [String], next: String? = nil, version: String = "5") -> ScriptedResponse {
        .json([
            "kind": "PodList", "apiVersion": "v1",
            "metadata": ["resourceVersion": .string(version), "continue": .string(next ?? "")],
            "items": .array(names.map { ["metadata": ["name": .string($0)]] }),
        ])
    }

    private func names(_ page: ListPage) -> [String] { page.items.compactMap { $0.at("metadata", "name")?.string } }

    @Test func allPagesWithTheVersionOfTheFirst() async throws {
        let server = try ScriptedServer { request in
            switch request.query["continue"] {
            case nil: Self.page(["a", "b"], next: "t1", version: "5")
            case "t1": Self.page(["c"], next: "t2", version: "5")
            default: Self.page(["d"], version: "5")
            }
        }
        let client = KubeClient(config: .direct(server: server.url))
        let all = try await client.listAll(
            .pods, namespace: "a", options: ListOptions(labelSelector: "x=y", resourceVersion: "3", resourceVersionMatch: .notOlderThan))
        #expect(names(all) == ["a", "b", "c", "d"])
        #expect(all.resourceVersion == "5")
        #expect(all.continueToken == nil)
        #expect(server.requests.allSatisfy { $0.query["labelSelector"] == "x=y" && $0.query["limit"] == "500" })
        #expect(server.requests.map { $0.query["resourceVersion"] } == ["3", nil, nil])
    }

    @Test("catalogue 3: pages that expire are replaced by one full list") func expiredPages() async throws {
        let server = try ScriptedServer { request in
            if request.query["limit"] == nil { return Self.page(["a", "d"], version: "9") }
            switch request.query["continue"] {
            case nil: return Self.page(["a", "b"], next: "t1")
            case "t1": return Self.page(["c"], next: "t2")
            default: return .failure(410, reason: "Expired")
            }
        }
        let client = KubeClient(config: .direct(server: server.url))
        let all = try await client.listAll(.pods)
        #expect(names(all) == ["a", "d"])
        #expect(all.resourceVersion == "9")
        #expect(server.requests.count == 4)
    }

    @Test func rawBytesAreWhatTheServerSent() async throws {
        let server = try ScriptedServer { _ in .text("{ \"items\" : [] }") }
        let client = KubeClient(config: .direct(server: server.url))
        #expect(try await client.listRaw(.pods) == Array("{ \"items\" : [] }".utf8))
    }
}

@Suite struct WatchTests {
    private func lines(_ server: ScriptedServer, timeoutSeconds: Int? = nil) async throws -> WatchLines {
        try await KubeClient(config: .direct(server: server.url))
            .watch(.pods, namespace: "a", options: WatchOptions(resourceVersion: "5", timeoutSeconds: timeoutSeconds))
    }

    @Test func linesUntilTheServerEnds() async throws {
        let server = try ScriptedServer { _ in .stream([.text("{\"a\":1}\n{\"b\""), .delay(0.01), .text(":2}\n"), .text("\n{\"c\":3}\n")]) }
        var seen: [String] = []
        for try await line in try await lines(server) { seen.append(String(decoding: line, as: UTF8.self)) }
        #expect(seen == ["{\"a\":1}", "{\"b\":2}", "{\"c\":3}"])
        #expect(server.requestLines == ["GET /api/v1/namespaces/a/pods?watch=true&resourceVersion=5&allowWatchBookmarks=true"])
    }

    @Test(
        "catalogues 5 and 6: a line that is cut inside JSON or inside a character is not an event",
        arguments: [
            Array("{\"b\":".utf8), Array("{\"b\":\"".utf8) + [0xC3],
        ], [true, false])
    func cut(tail: [UInt8], cleanly: Bool) async throws {
        let server = try ScriptedServer { _ in .stream([.bytes(Array("{\"a\":1}\n".utf8) + tail)] + (cleanly ? [] : [.cut])) }
        var iterator = try await lines(server).makeAsyncIterator()
        #expect(try await iterator.next() == Array("{\"a\":1}".utf8))
        if cleanly {
            #expect(try await iterator.next() == nil)
        } else {
            let error = await #expect(throws: KubeError.self) { try await iterator.next() }
            guard case .transport(.connectionLost)? = error else {
                Issue.record("\(String(describing: error))")
                return
            }
        }
    }

    @Test("catalogue 1: a 410 as an HTTP status is thrown by the watch") func expired() async throws {
        let server = try ScriptedServer { _ in .failure(410, reason: "Expired", message: "too old resource version") }
        let error = await #expect(throws: KubeError.self) { try await lines(server) }
        #expect(error?.isGone == true)
    }

    @Test("catalogue 7: a watch that is silent for 5 s longer than its timeout is closed") func halfOpen() async throws {
        let server = try ScriptedServer { request in
            request.path == "/version" ? .json([:]) : .stream([.text("{}\n"), .hang])
        }
        let time = ManualTime()
        let client = KubeClient(config: .direct(server: server.url), transport: HTTPTransport(time: time))
        let lines = try await client.watch(.pods, options: WatchOptions(resourceVersion: "5", timeoutSeconds: 300))
        let count = Locked(0)
        let reading = Task { for try await _ in lines { count.withLock { $0 += 1 } } }
        #expect(await eventually { count.withLock { $0 == 1 } })
        // The transport checks its clock only when something happens; another request makes it do so.
        func poke() async throws { _ = try await client.send(KubeRequest(method: "GET", path: "/version")) }
        time.advance(seconds: 304.9)
        try await poke()
        time.advance(seconds: 0.2)
        try await poke()
        await #expect(throws: KubeError.transport(.timedOut(.idle, host: "127.0.0.1:\(server.port)", seconds: 305))) {
            try await reading.value
        }
    }

    @Test func cancellingTheReaderEndsTheWatch() async throws {
        let server = try ScriptedServer { _ in .stream([.text("{}\n"), .hang]) }
        let started = Locked(false)
        let task = Task {
            for try await _ in try await lines(server, timeoutSeconds: 300) { started.withLock { $0 = true } }
        }
        #expect(await eventually { started.withLock { $0 } })
        task.cancel()
        // A loop over a cancelled watch throws, so it cannot be mistaken for the server's end.
        let error = await #expect(throws: KubeError.self) { try await task.value }
        #expect(error?.isCancelled == true)
    }

    @Test func logsAreBytes() async throws {
        let bytes: [UInt8] = (0..<200_000).map { UInt8(truncatingIfNeeded: $0) }
        let server = try ScriptedServer { request in
            request.query["container"] == "trial"
                ? .stream([.bytes(bytes)]) : .failure(400, reason: "BadRequest", message: "container collector is waiting to start")
        }
        let client = KubeClient(config: .direct(server: server.url))
        let log = try await client.podLog(key, container: "trial", options: LogOptions(follow: true))
        #expect(try await log.collect(upTo: 1 << 20) == bytes)
        let error = await #expect(throws: KubeError.self) { try await client.podLog(key, container: "collector") }
        #expect(error?.isInvalid == true)
    }
}
