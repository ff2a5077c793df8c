import HTTPServing

/// Answers a kubelet and Prometheus: `/healthz` (or `/livez`), `/readyz` and `/metrics`.
///
/// Guarantee: a few clients cannot block others for long, because an idle connection is closed after 15 s.
public final class HealthServer: Sendable {
    private let http: HTTPServer

    /// - Parameters:
    ///   - stalls: descriptions of work that hangs and will not recover by itself. When there are any, `/healthz` answers 500,
    ///     and a kubelet restarts the process. Called for each request.
    ///   - unready: why the process cannot do its work now. When there is any reason, `/readyz` answers 503 with it. Called for each request.
    ///   - metrics: returns Prometheus text.
    public init(
        stalls: @escaping @Sendable () -> [String] = { [] }, unready: @escaping @Sendable () -> [String] = { [] },
        metrics: @escaping @Sendable () -> String
    ) {
        http = HTTPServer(limits: HTTPServerLimits(connections: 32, requestSeconds: 10, idleSeconds: 15)) { request in
            guard request.method == "GET" || request.method == "HEAD" else { return .text(405, "method not allowed\n") }
            switch request.rawPath {
            case "/healthz", "/livez":
                let stalls = stalls()
                return stalls.isEmpty ? .text(200, "ok\n") : .text(500, stalls.map { $0 + "\n" }.joined())
            case "/readyz":
                let reasons = unready()
                return reasons.isEmpty ? .text(200, "ok\n") : .text(503, reasons.map { $0 + "\n" }.joined())
            case "/metrics":
                return ServerResponse(status: 200, contentType: "text/plain; version=0.0.4; charset=utf-8", parts: [Array(metrics().utf8)])
            default: return .text(404, "not found\n")
            }
        }
    }

    /// - Parameter everyAddress: false listens on loopback only, which is enough on a laptop; true is for the probes of a
    ///   kubelet, which come from outside the pod.
    /// - Returns: the bound port.
    public func start(port: UInt16, everyAddress: Bool) throws(HTTPBindFailure) -> UInt16 {
        try http.start(port: port, everyAddress: everyAddress)
    }

    public func stop() { http.stop() }
}
