/// When a transfer has taken too long. Instants are seconds of a clock that never jumps.
struct Deadlines: Sendable {
    private let started: Double
    private let timeouts: HTTPTimeouts
    private var heard: Double
    private var paused = false
    /// Whether a connection has to come yet: its time counts from the start, also while another request makes it.
    private var awaitsConnection: Bool

    init(_ timeouts: HTTPTimeouts, now: Double, awaitsConnection: Bool = false) {
        self.timeouts = timeouts
        self.awaitsConnection = awaitsConnection
        started = now
        heard = now
    }

    /// A byte came or went.
    mutating func activity(now: Double) { heard = now }

    /// The request goes over a connection.
    mutating func connected(now: Double) {
        awaitsConnection = false
        heard = now
    }

    /// The consumer is the slow one: its time is not the peer's silence.
    mutating func pause() { paused = true }

    mutating func resume(now: Double) {
        paused = false
        heard = now
    }

    /// The next instant at which something may be due.
    var next: Double? {
        let total = timeouts.total.map { started + $0 }
        let idle = paused ? nil : timeouts.idle.map { heard + $0 }
        let connect = awaitsConnection ? started + timeouts.connect : nil
        return [total, idle, connect].compactMap { $0 }.min()
    }

    /// What has run out, with its length.
    func expired(now: Double) -> (HTTPTransportError.Timeout, seconds: Double)? {
        if awaitsConnection, now >= started + timeouts.connect { return (.connect, timeouts.connect) }
        if let total = timeouts.total, now >= started + total { return (.total, total) }
        if !paused, let idle = timeouts.idle, now >= heard + idle { return (.idle, idle) }
        return nil
    }
}
