import Dispatch

/// A thread for work that waits for the disk, or reads much of it. Tasks share a few threads, and such work on one of them would delay other
/// tasks.
public final class DiskQueue: Sendable {
    private let queue: DispatchQueue

    public init(_ label: String) { queue = DispatchQueue(label: label) }

    /// Runs the work on the thread, in the order of the calls.
    public func run<Value: Sendable>(_ work: @escaping @Sendable () -> Value) async -> Value {
        await withCheckedContinuation { continuation in queue.async { continuation.resume(returning: work()) } }
    }
}
