import AssayTesting
import Base
import KubeClient
import KubeCore
import Testing

@testable import KubeRuntime

@Suite("Reflector over HTTP, with faults")
struct ReflectorFaultTests {
    let api: FakeAPI

    init() throws {
        api = try FakeAPI()
        for name in ["a", "b"] { try api.put(.pods, Build.pod(name, phase: "Pending")) }
    }

    func key(_ name: String) -> ObjectKey { ObjectKey(namespace: "default", name: name) }

    func lists(_ plural: String = "pods") -> Int {
        api.server.requests.count { $0.path.hasSuffix(plural) && $0.query["watch"] == nil }
    }

    func watches() -> [ScriptedRequest] { api.server.requests.filter { $0.query["watch"] != nil } }

    /// Makes the open stream send a line, because a stream that ends without one is reopened only after a pause on the test's clock.
    func enlivenStream(_ rig: ReflectorRig) async throws {
        try api.put(.pods, Build.pod("a", phase: "Running"))
        #expect(await rig.shows(["a=Running", "b=Pending"]))
    }

    @Test("follows additions, changes and deletions, by list and by stream", arguments: [true, false])
    func follows(_ watchList: Bool) async throws {
        let rig = ReflectorRig(url: api.url, options: ReflectorRig.quickOptions(watchList: watchList))
        #expect(await rig.shows(["a=Pending", "b=Pending"]))
        try api.put(.pods, Build.pod("a", phase: "Running"))
        try api.put(.pods, Build.pod("c", phase: "Pending"))
        try api.delete(.pods, key("b"))
        #expect(await rig.shows(["a=Running", "c=Pending"]))
        #expect(rig.store.version == api.version)
        #expect(rig.store.resourceVersion(of: key("c")) == api.get(.pods, key("c"))?.at("metadata", "resourceVersion")?.string)
        #expect(lists() == (watchList ? 0 : 1))
        await rig.stop()
    }

    @Test("the requests follow the protocol: no version, pages of 500, bookmarks, a watch with a timeout")
    func requests() async throws {
        let rig = ReflectorRig(url: api.url, labelSelector: "app!=x")
        #expect(await rig.shows(["a=Pending", "b=Pending"]))
        #expect(await eventually { !self.watches().isEmpty })
        let list = try #require(api.server.requests.first)
        #expect(list.query == ["labelSelector": "app!=x", "limit": "500"])
        let watch = try #require(watches().first)
        #expect(watch.query["resourceVersion"] == api.version)
        #expect(watch.query["allowWatchBookmarks"] == "true")
        #expect(watch.query["sendInitialEvents"] == nil)
        let seconds = try #require(watch.query["timeoutSeconds"].flatMap { Int($0) })
        #expect((300...600).contains(seconds))
        await rig.stop()
    }

    @Test("catalogue 1: 410 as HTTP: one relist, nothing lost")
    func goneAsHTTP() async throws {
        let rig = ReflectorRig(url: api.url)
        #expect(await rig.shows(["a=Pending", "b=Pending"]))
        #expect(await eventually { self.api.openStreams == 1 })
        // The following happens while no stream is open, and the history is forgotten.
        api.inject(FakeFault(.answer(.failure(503, reason: "ServiceUnavailable")), on: .init(isWatch: true), times: 1000))
        api.endStreams()
        #expect(await eventually { self.watches().count >= 2 })
        try api.delete(.pods, key("a"))
        try api.put(.pods, Build.pod("c", phase: "Running"))
        api.compact()
        api.clearFaults()
        #expect(await rig.shows(["b=Pending", "c=Running"]))
        #expect(lists() == 2)
        await rig.stop()
    }

    @Test("catalogue 2: 410 as ERROR event, and as a bare Status line: one relist each", arguments: [true, false])
    func goneAsEvent(_ isEvent: Bool) async throws {
        let status: JSONValue = [
            "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Expired", "code": 410,
            "message": "too old resource version",
        ]
        let line = isEvent ? ["type": "ERROR", "object": status] : status
        let rig = ReflectorRig(url: api.url)
        #expect(await rig.shows(["a=Pending", "b=Pending"]))
        #expect(await eventually { self.api.openStreams == 1 })
        api.inject(FakeFault(.answer(.stream([.line(line), .hang])), on: .init(isWatch: true)))
        api.endStreams()
        try api.put(.pods, Build.pod("c", phase: "Running"))
        #expect(await rig.shows(["a=Pending", "b=Pending", "c=Running"]))
        #expect(lists() == 2)
        await rig.stop()
    }

    @Test("catalogue 3: 410 on page 3: one full list, no partial store")
    func goneOnPage3() async throws {
        for number in 0..<7 { try api.put(.pods, Build.pod("p\(number)", phase: "Running")) }
        var options = ReflectorRig.quickOptions()
        options.pageSize = 2
        let gone = ScriptedResponse.failure(410, reason: "Expired", message: "The provided continue parameter is too old")
        let page3 = Locked(0)
        // Page 2 is answered; page 3 is expired.
        api.inject(FakeFault(.staleRead, on: .init(method: "GET", plural: "pods", isWatch: false, isContinued: true)))
        api.inject(FakeFault(.answer(gone), on: .init(method: "GET", plural: "pods", isWatch: false, isContinued: true)))
        let rig = ReflectorRig(url: api.url, options: options)
        rig.store.subscribe { _ in
            // The first state that the store shows is complete.
            page3.withLock { if $0 == 0 { $0 = rig.store.count } }
        }
        #expect(await eventually { rig.store.count == 9 })
        #expect(page3.withLock { $0 } == 9)
        let lists = api.server.requests.filter { $0.query["watch"] == nil }
        #expect(lists.map { $0.query["limit"] } == ["2", "2", "2", nil])
        #expect(lists.last?.query["continue"] == nil)
        await rig.stop()
    }

    @Test("catalogue 4: object deleted during an outage: the deletion is seen")
    func deletedDuringOutage() async throws {
        let rig = ReflectorRig(url: api.url)
        #expect(await rig.shows(["a=Pending", "b=Pending"]))
        #expect(await eventually { self.api.openStreams == 1 })
        let seen = Recorded(rig.store)
        api.inject(FakeFault(.answer(.dropConnection), on: .init(isWatch: true), times: 1000))
        api.endStreams(byCut: true)
        #expect(await eventually { self.watches().count >= 2 })
        try api.delete(.pods, key("a"))
        api.compact()
        api.clearFaults()
        #expect(await rig.shows(["b=Pending"]))
        #expect(seen.lines == ["+Pending", "+Pending", "-Pending"])
        await rig.stop()
    }

    @Test("catalogue 5: cut inside JSON: resumes at the last version, nothing lost or repeated")
    func cutMidJSON() async throws {
        api.inject(FakeFault(.cutStream(afterEvents: 1, midLine: true), on: .init(isWatch: true), times: 3))
        let rig = ReflectorRig(url: api.url)
        #expect(await rig.shows(["a=Pending", "b=Pending"]))
        let seen = Recorded(rig.store)
        for number in 0..<6 { try api.put(.pods, Build.pod("p\(number)", phase: "Running")) }
        #expect(await eventually { rig.store.count == 8 })
        #expect(seen.lines == ["+Pending", "+Pending"] + Array(repeating: "+Running", count: 6))
        #expect(lists() == 1)
        #expect(watches().count >= 4)
        await rig.stop()
    }

    @Test("catalogue 6: cut inside a UTF-8 sequence: the same", arguments: 1...3)
    func cutMidUTF8(_ keep: Int) async throws {
        let pod = try api.put(.pods, Build.pod("c", labels: ["note": "x"], phase: "Running"))
        let old = String((Int(pod.at("metadata", "resourceVersion")?.string ?? "") ?? 0) - 1)
        var marked = pod
        marked["status"] = ["phase": "Running", "message": "fünf 🚀 Säcke"]
        let line = Array("{\"type\":\"ADDED\",\"object\":".utf8) + marked.serialized() + Array("}\n".utf8)
        let rocket = try #require(line.indices.first { line[$0] == 0xF0 })
        let list: JSONValue = [
            "apiVersion": "v1", "kind": "PodList", "metadata": ["resourceVersion": .string(old)], "items": [],
        ]
        let whole = line
        let server = try ScriptedServer { request in
            guard request.query["watch"] != nil else { return .json(list) }
            // The first stream is cut inside the character; the second is complete, but split there.
            let head = Array(whole[..<(rocket + keep)])
            return request.connection == 2 || request.query["resourceVersion"] != old
                ? .stream([.bytes(head), .cut]) : .stream([.bytes(head), .delay(0.01), .bytes(Array(whole[(rocket + keep)...])), .hang])
        }
        let rig = ReflectorRig(url: server.url)
        #expect(await rig.shows(["c=Running"]))
        #expect(server.requests.filter { $0.query["watch"] != nil }.allSatisfy { $0.query["resourceVersion"] == old })
        await rig.stop()
    }

    @Test("catalogue 7: a silent half-open stream is closed at its deadline and resumed at the same version")
    func silentStream() async throws {
        let time = ManualTime()
        let rig = ReflectorRig(url: api.url, time: time)
        #expect(await rig.shows(["a=Pending", "b=Pending"]))
        #expect(await eventually { self.api.openStreams == 1 })
        try await enlivenStream(rig)
        api.inject(FakeFault(.answer(.stream([.hang])), on: .init(isWatch: true)))
        api.endStreams()
        // The earlier stream still has a sleeping task; the hanging stream has another one.
        #expect(await eventually { self.watches().count == 2 && time.sleeperCount == 1 })
        try api.put(.pods, Build.pod("c", phase: "Running"))
        time.advance(seconds: 299)
        #expect(watches().count == 2)
        time.advance(seconds: 307)
        #expect(await rig.shows(["a=Running", "b=Pending", "c=Running"]))
        let versions = watches().map { $0.query["resourceVersion"] }
        try #require(versions.count == 3)
        #expect(versions[2] == versions[1])
        #expect(lists() == 1)
        await rig.stop()
    }

    @Test("catalogue 7: a watch request that is never answered is abandoned, too")
    func silentOpening() async throws {
        let time = ManualTime()
        api.inject(FakeFault(.answer(.silence), on: .init(isWatch: true)))
        let rig = ReflectorRig(url: api.url, time: time)
        #expect(await eventually { self.watches().count == 1 && time.sleeperCount == 1 })
        try api.put(.pods, Build.pod("c", phase: "Running"))
        time.advance(seconds: 606)
        #expect(await rig.shows(["a=Pending", "b=Pending", "c=Running"]))
        await rig.stop()
    }

    @Test("catalogue 8: a server without bookmarks: still correct", arguments: [true, false])
    func noBookmarks(_ watchList: Bool) async throws {
        var options = ReflectorRig.quickOptions(watchList: watchList)
        options.initialSilenceSeconds = 0.1
        api.inject(FakeFault(.noBookmarks, on: .init(isWatch: true), times: 1000))
        let rig = ReflectorRig(url: api.url, options: options)
        #expect(await rig.shows(["a=Pending", "b=Pending"]))
        try api.delete(.pods, key("a"))
        #expect(await rig.shows(["b=Pending"]))
        api.endStreams()
        try api.put(.pods, Build.pod("b", phase: "Succeeded"))
        #expect(await rig.shows(["b=Succeeded"]))
        await rig.stop()
    }

    @Test("catalogue 9: WatchList cut before its end: the buffer is discarded")
    func watchListCut() async throws {
        api.inject(FakeFault(.cutStream(afterEvents: 1, midLine: false), on: .init(isWatch: true), times: 2))
        let rig = ReflectorRig(url: api.url, options: ReflectorRig.quickOptions(watchList: true))
        let sizes = Locked<[Int]>([])
        rig.store.subscribe { _ in sizes.withLock { $0.append(rig.store.count) } }
        #expect(await rig.shows(["a=Pending", "b=Pending"]))
        #expect(sizes.withLock { $0 } == [2, 2])
        #expect(watches().count == 3)
        #expect(watches().allSatisfy { $0.query["sendInitialEvents"] == "true" && $0.query["resourceVersionMatch"] == "NotOlderThan" })
        #expect(lists() == 0)
        await rig.stop()
    }

    @Test("catalogue 10: WatchList refused: LIST")
    func watchListRefused() async throws {
        api.inject(
            FakeFault(
                .answer(
                    .failure(
                        422, reason: "Invalid",
                        message: "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"
                    )),
                on: .init(isWatch: true)))
        let rig = ReflectorRig(url: api.url, options: ReflectorRig.quickOptions(watchList: true))
        #expect(await rig.shows(["a=Pending", "b=Pending"]))
        #expect(lists() == 1)
        #expect(await eventually { rig.reflector.health.failure == nil })
        await rig.stop()
    }

    @Test("catalogue 11: 429 with Retry-After: waits, no relist")
    func throttled() async throws {
        let time = ManualTime()
        let rig = ReflectorRig(url: api.url, time: time)
        #expect(await rig.shows(["a=Pending", "b=Pending"]))
        #expect(await eventually { self.api.openStreams == 1 })
        api.inject(
            FakeFault(.answer(.failure(429, reason: "TooManyRequests", retryAfterSeconds: 40)), on: .init(isWatch: true)))
        try await enlivenStream(rig)
        api.endStreams()
        #expect(await eventually { self.watches().count == 2 && rig.reflector.health.failure != nil })
        #expect(await eventually { time.sleeperCount == 1 && (time.secondsToNextSleeper ?? 300) <= 40 })
        try api.put(.pods, Build.pod("c", phase: "Running"))
        time.advance(seconds: 39)
        #expect(watches().count == 2)
        time.advance(seconds: 2)
        #expect(await rig.shows(["a=Running", "b=Pending", "c=Running"]))
        #expect(await eventually { rig.reflector.health.failure == nil })
        #expect(lists() == 1)
        await rig.stop()
    }

    @Test("catalogue 12: many 500s in a row: growing pauses, then the server is followed again")
    func storm() async throws {
        let time = ManualTime()
        api.inject(FakeFault(.answer(.failure(500, reason: "InternalError")), on: .init(plural: "pods"), times: 1000))
        let rig = ReflectorRig(
            url: api.url,
            options: {
                var o = WatcherOptions(); o.usesWatchList = false; return o
            }(), time: time)
        var pauses: [Double] = []
        while pauses.reduce(0, +) < 600 { pauses.append(await time.advanceToNextSleeper()) }
        #expect(pauses.count < 28)
        #expect(pauses.dropFirst(7).allSatisfy { $0 >= 29.9 })
        let asked = api.server.requests.count
        #expect(asked <= pauses.count + 1)
        #expect(rig.reflector.health.failure != nil)
        api.clearFaults()
        await time.advanceToNextSleeper()
        #expect(await rig.shows(["a=Pending", "b=Pending"]))
        #expect(await eventually { rig.reflector.health.failure == nil })
        await rig.stop()
    }

    @Test("catalogue 13: an old list from a lagging replica does not set the store back")
    func laggingReplica() async throws {
        let rig = ReflectorRig(url: api.url)
        #expect(await rig.shows(["a=Pending", "b=Pending"]))
        #expect(await eventually { self.api.openStreams == 1 })
        let old: JSONValue = ["apiVersion": "v1", "kind": "PodList", "metadata": ["resourceVersion": "5"], "items": []]
        let seen = Recorded(rig.store)
        api.inject(FakeFault(.answer(.failure(410, reason: "Expired")), on: .init(isWatch: true)))
        api.inject(FakeFault(.answer(.json(old)), on: .init(isWatch: false), times: 3))
        api.endStreams()
        #expect(await eventually { self.lists() == 5 })
        #expect(await rig.shows(["a=Pending", "b=Pending"]))
        #expect(seen.lines == ["+Pending", "+Pending"])
        await rig.stop()
    }

    @Test("catalogue 17: the resource's definition is removed: reported and retried until it is back")
    func definitionRemoved() async throws {
        let metrics = MetricsRegistry()
        let rig = ReflectorRig(url: api.url, metrics: metrics)
        #expect(await rig.shows(["a=Pending", "b=Pending"]))
        #expect(await eventually { self.api.openStreams == 1 })
        let absent = ScriptedResponse.failure(404, reason: "NotFound", message: "the server could not find the requested resource")
        api.inject(FakeFault(.answer(absent), times: 1000))
        try api.delete(.pods, key("a"))
        try api.delete(.pods, key("b"))
        api.endStreams()
        #expect(await eventually { rig.reflector.health.failure != nil })
        guard case .rejected(404, _) = rig.reflector.health.failure else {
            Issue.record("the health does not say 404: \(rig.reflector.health)")
            return
        }
        try api.put(.pods, Build.pod("c", phase: "Running"))
        api.clearFaults()
        #expect(await rig.shows(["c=Running"]))
        #expect(await eventually { rig.reflector.health == .init() })
        let failures = try #require(metrics.prometheusText().firstMatch(of: /assay_watch_failures_total\{resource="pods"\} (\d+)/)?.output.1)
        #expect(Int(failures) ?? 0 >= 1)
        await rig.stop()
    }

    @Test("catalogue 17: 403: reported and retried; the store keeps its state", arguments: [true, false])
    func forbidden(_ beforeSync: Bool) async throws {
        let refusal = FakeFault(.answer(.failure(403, reason: "Forbidden", message: "pods is forbidden")), times: 1000)
        if beforeSync { api.inject(refusal) }
        let rig = ReflectorRig(url: api.url)
        if !beforeSync {
            #expect(await rig.shows(["a=Pending", "b=Pending"]))
            #expect(await eventually { self.api.openStreams == 1 })
            api.inject(refusal)
            api.endStreams()
        }
        #expect(await eventually { self.api.server.requests.count >= 3 })
        #expect(rig.store.count == (beforeSync ? 0 : 2))
        try api.put(.pods, Build.pod("c", phase: "Running"))
        api.clearFaults()
        #expect(await rig.shows(["a=Pending", "b=Pending", "c=Running"]))
        await rig.stop()
    }

    @Test("an object that cannot be read is reported and does not stop the stream")
    func unreadable() async throws {
        try api.put(.pods, Build.pod("nophase"))
        let rig = ReflectorRig(url: api.url)
        #expect(await rig.shows(["a=Pending", "b=Pending"]))
        try api.put(.pods, Build.pod("another"))
        try api.put(.pods, Build.pod("c", phase: "Running"))
        #expect(await rig.shows(["a=Pending", "b=Pending", "c=Running"]))
        #expect(rig.unreadable.withLock { $0 } == ["nophase", "another"])
        await rig.stop()
    }

    @Test("a server that restarts at another point of its history is followed again")
    func restart() async throws {
        let rig = ReflectorRig(url: api.url)
        #expect(await rig.shows(["a=Pending", "b=Pending"]))
        api.server.stop()
        #expect(await eventually { rig.reflector.health.failure != nil })
        let other: JSONValue = [
            "apiVersion": "v1", "kind": "PodList", "metadata": ["resourceVersion": "900"],
            "items": [Build.pod("z", phase: "Running").merging(version: "890")],
        ]
        let second = try ScriptedServer(port: api.server.port) { request in
            request.query["watch"] == nil
                ? .json(other)
                : request.query["resourceVersion"] == "900" ? .stream([.hang]) : .failure(410, reason: "Expired")
        }
        #expect(await rig.shows(["z=Running"]))
        second.stop()
        await rig.stop()
    }
}
