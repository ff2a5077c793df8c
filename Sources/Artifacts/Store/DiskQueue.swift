import Dispatch

/// A thread for work that waits for the disk (fsync): such a wait on one of the few threads that run all tasks stops whatever else
/// is due there.
final class DiskQueue: Sendable {
    private let queue: DispatchQueue

    init(_ label: String) { queue = DispatchQueue(label: label) }

    /// One after another, in the order of the calls.
    func run<Value: Sendable>(_ work: @escaping @Sendable () -> Value) async -> Value {
        await withCheckedContinuation { continuation in queue.async { continuation.resume(returning: work()) } }
    }
}
