import Base

/// The machine's time, with a wall clock that can be moved.
final class ShiftedTime: TimeSource {
    private let offset = Locked(0.0)

    func shift(seconds: Double) { offset.withLock { $0 += seconds } }
    func now() -> Timestamp { SystemTime().now().adding(seconds: offset.withLock { $0 }) }
    func monotonic() -> Double { SystemTime().monotonic() }
    func sleep(seconds: Double) async throws { try await SystemTime().sleep(seconds: seconds) }
}
