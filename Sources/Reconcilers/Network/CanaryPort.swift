import HTTPServing

/// A port of the cache service's pods that no NetworkPolicy of trials allows. It answers everyone: a trial with a restricted network starts only when its pod
/// cannot connect to this port.
public final class CanaryPort: Sendable {
    private let server = HTTPServer(limits: HTTPServerLimits(connections: 64, requestSeconds: 5, idleSeconds: 5)) { _ in
        .text(404, "this port shows pods that their NetworkPolicy is not enforced\n")
    }

    public init() {}

    /// Begins to accept connections, on every address of this machine.
    /// - Parameter port: 0 takes a free one.
    /// - Returns: the bound port.
    public func start(port: UInt16) throws(HTTPBindFailure) -> UInt16 { try server.start(port: port, everyAddress: true) }

    public func stop() { server.stop() }
}
