/// The limits of a proxy. Times are in seconds.
public struct EgressLimits: Sendable, Hashable {
    /// Client connections at the same time; each takes two descriptors. More are answered with 503.
    public var connections = 4096
    /// Client connections of one address; more are answered with 503.
    public var connectionsPerClient = 1024
    /// Client connections that use one token; more are answered with 429.
    public var connectionsPerToken = 256
    /// From the first byte of a request to the end of its head.
    public var headSeconds = 10.0
    /// How long a connection may wait for a request.
    public var idleSeconds = 60.0
    public var resolveSeconds = 10.0
    /// For all addresses of a name together.
    public var connectSeconds = 10.0
    /// How long a tunnel or an exchange may move no byte. Long, because a model may think for minutes before it answers; peers that have
    /// vanished are found by keep-alive probes.
    public var transferIdleSeconds = 3600.0
    /// The same when one side sends no more.
    public var halfClosedSeconds = 120.0
    /// The limit for the head of a request or response.
    public var headBytes = 48 << 10
    /// Threads that move bytes.
    public var threads = 2

    public init() {}
}
