/// When a transfer has taken too long. Instants are seconds of a clock that never jumps.
struct Deadlines: Sendable {
    private let started: Double
    private let timeouts: HTTPTimeouts
    private var heard: Double
    private var paused = false

    init(_ timeouts: HTTPTimeouts, now: Double) {
        self.timeouts = timeouts
        started = now
        heard = now
    }

    /// A byte came or went.
    mutating func activity(now: Double) { heard = now }

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
        guard let total else { return idle }
        return min(total, idle ?? total)
    }

    /// What has run out, with its length.
    func expired(now: Double) -> (HTTPTransportError.Timeout, seconds: Double)? {
        if let total = timeouts.total, now >= started + total { return (.total, total) }
        if !paused, let idle = timeouts.idle, now >= heard + idle { return (.idle, idle) }
        return nil
    }
}
