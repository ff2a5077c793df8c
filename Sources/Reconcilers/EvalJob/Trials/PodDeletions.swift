import Base
import KubeClient
import KubeCore

/// Deletes counted pods in the background, a few at a time and after a pause. So neither the other trials of a job nor its end wait for these
/// deletions, and the creations, logs and counts of a job whose trials all end together come first.
///
/// - Guarantees: a pod is asked to be deleted once, however often `delete` is called for it, until it is gone or the call has failed. After a
///   failure its job is reconciled again, which calls `delete` anew. Deletions that are not made before `stop` are made by the next operator.
final class PodDeletions: Sendable {
    private struct Deletion {
        let pod: TrialPod
        let options: DeleteOptions
    }

    private struct State {
        var waiting: ArraySlice<Deletion> = []
        /// The UIDs of the pods that wait or whose deletion was accepted.
        var known: Set<String> = []
        var workers: [Int: Task<Void, Never>] = [:]
        var nextWorker = 0
        var isStopped = false
    }

    private static let width = 4
    private static let secondsAfterFailure = 5.0

    private let client: KubeClient
    private let pauseSeconds: Double
    private let time: any TimeSource
    private let log: Log
    private let reconcile: @Sendable (ObjectKey) -> Void
    private let state = Locked(State())

    /// - Parameters:
    ///   - pauseSeconds: the time from the first pod of a series to the first deletion.
    ///   - reconcile: asks for a reconcile of a job; must not block.
    init(client: KubeClient, pauseSeconds: Double, time: any TimeSource, log: Log, reconcile: @escaping @Sendable (ObjectKey) -> Void) {
        self.client = client
        self.pauseSeconds = pauseSeconds
        self.time = time
        self.log = log
        self.reconcile = reconcile
    }

    /// Deletes a pod later. The call returns at once.
    func delete(_ pod: TrialPod, options: DeleteOptions) {
        state.withLock { state in
            guard !state.isStopped, state.known.insert(pod.uid).inserted else { return }
            state.waiting.append(Deletion(pod: pod, options: options))
            guard state.workers.count < Self.width else { return }
            let worker = state.nextWorker
            state.nextWorker += 1
            state.workers[worker] = Task { [self] in await work(as: worker) }
        }
    }

    /// Forgets a pod that is gone.
    func forget(_ uid: String) { state.withLock { _ = $0.known.remove(uid) } }

    /// Returns when no deletion is under way any more.
    func stop() async {
        let workers = state.withLock { state in
            state.isStopped = true
            state.waiting = []
            return Array(state.workers.values)
        }
        for worker in workers { worker.cancel() }
        for worker in workers { await worker.value }
    }

    private func work(as worker: Int) async {
        if pauseSeconds > 0 { try? await time.sleep(seconds: pauseSeconds) }
        while let deletion = next(for: worker) {
            do {
                try await client.delete(.pods, deletion.pod.key, options: deletion.options, keeping: .metadata)
            } catch  where error.isNotFound || error.isConflict {
                // The pod is gone, or another pod has its name: no event of its deletion may come any more.
                forget(deletion.pod.uid)
            } catch {
                forget(deletion.pod.uid)
                log.warning(
                    "a counted pod could not be deleted",
                    [
                        "object": .string(deletion.pod.key.description), "error": .string("\(error)"),
                        "retryInSeconds": JSONValue(Int(Self.secondsAfterFailure)),
                    ])
                try? await time.sleep(seconds: Self.secondsAfterFailure)
                if let job = deletion.pod.jobKey { reconcile(job) }
            }
        }
    }

    /// The next deletion; nil, and the end of the worker, when none waits.
    private func next(for worker: Int) -> Deletion? {
        state.withLock { state in
            guard let deletion = state.waiting.popFirst() else {
                state.workers.removeValue(forKey: worker)
                return nil
            }
            return deletion
        }
    }
}
