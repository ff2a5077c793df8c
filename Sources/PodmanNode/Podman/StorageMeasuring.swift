import Base

/// Measures what the containers and volumes of a node hold: one at a time, and not on the threads that tasks share, because the walk through a million
/// files takes long.
final class StorageMeasuring: Sendable {
    private let queue = DiskQueue("assay.node.storage")

    /// Measures from time to time, less often the longer a measurement takes, until something is over its limit.
    ///
    /// - Parameter overLimit: measures; returns the message about what is over its limit, or nil.
    /// - Returns: the message; nil when the task is cancelled.
    func watch(_ clock: any TimeSource, _ overLimit: @escaping @Sendable () -> String?) async -> String? {
        var wait = 1.0
        while true {
            do { try await clock.sleep(seconds: wait) } catch { return nil }
            let isCancelled = Locked(false)
            let (message, seconds) = await withTaskCancellationHandler {
                await queue.run { () -> (String?, Double) in
                    // It may have waited for the measurement of others.
                    if isCancelled.withLock({ $0 }) { return (nil, 0) }
                    let start = clock.monotonic()
                    let message = overLimit()
                    return (message, clock.monotonic() - start)
                }
            } onCancel: {
                isCancelled.withLock { $0 = true }
            }
            if Task.isCancelled { return nil }
            if let message { return message }
            wait = max(2, 20 * seconds)
        }
    }
}
