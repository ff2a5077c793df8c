/// The deadlines of one transfer. Times are seconds of a monotonic clock.
struct Deadlines: Sendable {
    private let started: Double
    private let timeouts: HTTPTimeouts
    private var lastActivity: Double
    private var paused = false
    /// True until the request has a connection. The connect timeout counts from the start, also while another request opens the
    /// connection.
    private var awaitsConnection: Bool

    init(_ timeouts: HTTPTimeouts, now: Double, awaitsConnection: Bool = false) {
        self.timeouts = timeouts
        self.awaitsConnection = awaitsConnection
        started = now
        lastActivity = now
    }

    /// Records that a byte was sent or received.
    mutating func activity(now: Double) { lastActivity = now }

    /// The request has got a connection.
    mutating func connected(now: Double) {
        awaitsConnection = false
        lastActivity = now
    }

    /// The consumer is slow: the idle timeout stops until `resume`.
    mutating func pause() { paused = true }

    mutating func resume(now: Double) {
        paused = false
        lastActivity = now
    }

    /// The earliest time at which a timeout may expire.
    var next: Double? {
        let total = timeouts.total.map { started + $0 }
        let idle = paused ? nil : timeouts.idle.map { lastActivity + $0 }
        let connect = awaitsConnection ? started + timeouts.connect : nil
        return [total, idle, connect].compactMap { $0 }.min()
    }

    /// The timeout that has expired, and its length.
    func expired(now: Double) -> (HTTPTransportError.Timeout, seconds: Double)? {
        if awaitsConnection, now >= started + timeouts.connect { return (.connect, timeouts.connect) }
        if let total = timeouts.total, now >= started + total { return (.total, total) }
        if !paused, let idle = timeouts.idle, now >= lastActivity + idle { return (.idle, idle) }
        return nil
    }
}
