import Base

/// Looks at a condition until it holds; false when it did not within the time. For conditions that nothing announces.
///
/// It runs on real time: the bound is there so that a broken test ends, not to measure anything.
public func eventually(
    within seconds: Double = 20, _ condition: @Sendable () async throws -> Bool
) async rethrows -> Bool {
    let time = SystemTime()
    let deadline = time.monotonic() + seconds
    while true {
        if try await condition() { return true }
        if time.monotonic() > deadline || Task.isCancelled { return false }
        try? await time.sleep(seconds: 0.002)
    }
}
