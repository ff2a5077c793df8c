import Base

/// Polls a condition until it holds; false when it does not hold within the time. For conditions without a notification.
///
/// Uses real time. The limit only ends broken tests; it measures nothing.
public func eventually(
    within seconds: Double = 60, _ condition: @Sendable () async throws -> Bool
) async rethrows -> Bool {
    let time = SystemTime()
    let deadline = time.monotonic() + seconds
    while true {
        if try await condition() { return true }
        if time.monotonic() > deadline || Task.isCancelled { return false }
        try? await time.sleep(seconds: 0.002)
    }
}
