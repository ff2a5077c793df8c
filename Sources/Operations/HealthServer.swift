import HTTPServing

/// What a kubelet and a Prometheus ask of a process: `/healthz` (or `/livez`), `/readyz` and `/metrics`.
///
/// Guarantee: few clients cannot keep others out for long: an idle connection is closed after 15 s.
public final class HealthServer: Sendable {
    private let http: HTTPServer

    /// - Parameters:
    ///   - stalls: what hangs and will not go on by itself, in words; with any of it `/healthz` answers 500, and a kubelet starts the process
    ///     again. Asked for each request.
    ///   - isReady: whether the process does its work now; asked for each request.
    ///   - metrics: Prometheus text.
    public init(
        stalls: @escaping @Sendable () -> [String] = { [] }, isReady: @escaping @Sendable () -> Bool,
        metrics: @escaping @Sendable () -> String
    ) {
        http = HTTPServer(limits: HTTPServerLimits(connections: 32, requestSeconds: 10, idleSeconds: 15)) { request in
            guard request.method == "GET" || request.method == "HEAD" else { return .text(405, "method not allowed\n") }
            switch request.rawPath {
            case "/healthz", "/livez":
                let stalls = stalls()
                return stalls.isEmpty ? .text(200, "ok\n") : .text(500, stalls.map { $0 + "\n" }.joined())
            case "/readyz": return isReady() ? .text(200, "ok\n") : .text(503, "the caches are not filled yet\n")
            case "/metrics":
                return ServerResponse(status: 200, contentType: "text/plain; version=0.0.4; charset=utf-8", parts: [Array(metrics().utf8)])
            default: return .text(404, "not found\n")
            }
        }
    }

    /// - Parameter everyAddress: a kubelet's probes come from outside the pod; on a laptop loopback is enough.
    /// - Returns: the port that was bound.
    public func start(port: UInt16, everyAddress: Bool) throws(HTTPBindFailure) -> UInt16 {
        try http.start(port: port, everyAddress: everyAddress)
    }
}
