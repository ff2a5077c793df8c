import Base
import HTTPTransport
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

    @Test("live and ready are two questions; metrics are Prometheus text; the rest is refused")
    func endpoints() async throws {
        let ready = Locked(false)
        let server = HealthServer(isReady: { ready.withLock { $0 } }, metrics: { "assay_trials 3\n" })
        let port = try server.start(port: 0, everyAddress: false)
        for path in ["/healthz", "/livez"] { #expect(try await answer(path, port: port).status == 200) }
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
}
