import AssayTesting
import Base
import HTTPTransport
import KubeClient
import KubeCore
import KubeRuntime
import Operations
import Testing

@Suite("Health and metrics endpoints")
struct HealthServerTests {
    private func answer(_ path: String, method: String = "GET", port: UInt16) async throws -> (status: Int, type: String, text: String) {
        let response = try await HTTPTransport.shared.send(
            HTTPRequest(method: method, url: "http://127.0.0.1:\(port)\(path)", timeouts: HTTPTimeouts(total: 10), proxy: .none))
        let body = try await response.body.collect(upTo: 1 << 20)
        return (response.status, response.headers["Content-Type"] ?? "", String(decoding: body, as: UTF8.self))
    }

    @Test("liveness and readiness are separate; metrics are Prometheus text; other requests are refused")
    func endpoints() async throws {
        let ready = Locked(false)
        let stalls = Locked<[String]>([])
        let server = HealthServer(
            stalls: { stalls.withLock { $0 } }, unready: { ready.withLock { $0 } ? [] : ["the caches are not filled yet"] },
            metrics: { "assay_trials 3\n" })
        let port = try server.start(port: 0, everyAddress: false)
        for path in ["/healthz", "/livez"] { #expect(try await answer(path, port: port).status == 200) }
        stalls.withLock { $0 = ["watch of pods: no progress", "leader election: no progress"] }
        for path in ["/healthz", "/livez"] {
            let stalled = try await answer(path, port: port)
            #expect(stalled.status == 500 && stalled.text == "watch of pods: no progress\nleader election: no progress\n")
        }
        #expect(try await answer("/readyz", port: port).status == 503)
        ready.withLock { $0 = true }
        #expect(try await answer("/readyz", port: port).status == 200)
        let metrics = try await answer("/metrics", port: port)
        #expect(metrics.status == 200 && metrics.text == "assay_trials 3\n")
        #expect(metrics.type == "text/plain; version=0.0.4; charset=utf-8")
        #expect(try await answer("/secrets", port: port).status == 404)
        #expect(try await answer("/healthz", method: "POST", port: port).status == 405)
        withExtendedLifetime(server) {}
    }

    @Test("a watch without an answer makes /healthz return 500 with its name, until it is answered again")
    func deadWatch() async throws {
        let api = try FakeAPI()
        try api.put(.pods, Build.pod("a", phase: "Running"))
        let time = ManualTime()
        let (liveness, metrics) = (Liveness(time: time), MetricsRegistry())
        var options = WatcherOptions()
        options.usesWatchList = false
        let client = KubeClient(config: .direct(server: api.url), log: Log("test", destination: Log.Destination.none))
        let reflector = Reflector<String>(
            client: client, type: .pods, options: options, time: time, metrics: metrics, liveness: liveness,
            log: Log("test", destination: Log.Destination.none)
        ) { $0.at("status", "phase")?.string ?? "" }
        let server = HealthServer(
            stalls: { liveness.stalled.map(\.description) }, unready: { reflector.unready.map { [$0] } ?? [] }, metrics: { metrics.prometheusText() })
        let port = try server.start(port: 0, everyAddress: false)
        let following = Task { await reflector.run() }
        #expect(await eventually { reflector.store.hasSynced && api.openStreams == 1 })
        #expect(try await answer("/healthz", port: port).status == 200)

        // From now on every request is accepted and none is answered.
        try api.put(.pods, Build.pod("a", phase: "Succeeded"))
        #expect(await eventually { reflector.store.entries().map(\.object) == ["Succeeded"] })
        api.inject(FakeFault(.answer(.silence), times: 1000))
        api.endStreams()
        func watches() -> Int { api.server.requests.count { $0.query["watch"] != nil } }
        var passed = 0.0
        while passed < 1300 {
            // The server answers other requests.
            liveness.serverAnswered()
            #expect(await eventually { time.sleeperCount > 0 })
            time.advance(seconds: 10)
            passed += 10
            // Gives the woken tasks time to run.
            try await SystemTime().sleep(seconds: 0.005)
        }
        #expect(watches() > 1)
        let dead = try await answer("/healthz", port: port)
        #expect(dead.status == 500 && dead.text.hasPrefix("watch of \(ResourceType.pods): no progress for "), "\(dead)")
        let unready = try await answer("/readyz", port: port)
        #expect(unready.status == 503 && unready.text.hasPrefix("\(ResourceType.pods): "), "\(unready)")
        #expect(try await answer("/metrics", port: port).text.contains("assay_watch_age_seconds{resource=\"\(ResourceType.pods)\"} 1"))

        api.clearFaults()
        var isAlive = false
        for _ in 0..<400 where !isAlive {
            time.advance(seconds: 10)
            try await SystemTime().sleep(seconds: 0.005)
            isAlive = liveness.stalled.isEmpty
        }
        #expect(try await answer("/healthz", port: port).status == 200)
        following.cancel()
        await following.value
        #expect(!(try await answer("/metrics", port: port).text.contains("assay_watch_age_seconds{")))
        withExtendedLifetime(server) {}
    }
}
