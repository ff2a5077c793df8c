import Glibc

/// A source of time. Code that decides takes the time as a parameter; code that waits takes a `TimeSource`, so that a test can
/// move the time by hand.
public protocol TimeSource: Sendable {
    /// The wall clock, which may jump.
    func now() -> Timestamp
    /// Seconds since a fixed moment; never jumps and never goes back.
    func monotonic() -> Double
    /// Returns after the time has passed; throws `CancellationError` when the task is cancelled first.
    func sleep(seconds: Double) async throws
}

/// The machine's clocks.
public struct SystemTime: TimeSource {
    public init() {}

    public func now() -> Timestamp {
        let t = Self.read(CLOCK_REALTIME)
        return Timestamp(seconds: Int64(t.tv_sec), nanoseconds: Int32(t.tv_nsec))
    }

    public func monotonic() -> Double {
        let t = Self.read(CLOCK_MONOTONIC)
        return Double(t.tv_sec) + Double(t.tv_nsec) / 1e9
    }

    public func sleep(seconds: Double) async throws {
        guard seconds > 0 else {
            try Task.checkCancellation()
            return
        }
        try await Task.sleep(for: .nanoseconds(Int64(min(seconds, 1e9) * 1e9)))
    }

    private static func read(_ clock: clockid_t) -> timespec {
        var t = timespec()
        clock_gettime(clock, &t)
        return t
    }
}
