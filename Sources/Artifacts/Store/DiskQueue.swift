import Dispatch

/// A thread for work that waits for the disk (fsync). Tasks share a few threads, and a wait for the disk on one of them would delay
/// other tasks.
final class DiskQueue: Sendable {
    private let queue: DispatchQueue

    init(_ label: String) { queue = DispatchQueue(label: label) }

    /// Runs the work on the thread, in the order of the calls.
    func run<Value: Sendable>(_ work: @escaping @Sendable () -> Value) async -> Value {
        await withCheckedContinuation { continuation in queue.async { continuation.resume(returning: work()) } }
    }
}
