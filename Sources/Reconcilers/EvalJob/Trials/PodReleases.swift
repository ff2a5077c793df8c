import Base
import KubeClient
import KubeCore

/// Releases ended pods of counted trials in the background, a few at a time, when no further trial has been counted for a while
/// (`ReleasePace`): the finalizer is taken off and the pod deleted. So neither the other trials of a job nor its end wait for these calls:
/// creations, logs and counts come first.
///
/// - Guarantees: a pod is released once, however often `release` is called for it, until it is gone or a call has failed. After a failure its
///   job is reconciled again, which calls `release` anew. Releases that are not made before `stop` are made by the next operator: the job keeps
///   its own finalizer until its pods have none.
final class PodReleases: Sendable {
    private struct Release {
        let pod: TrialPod
        let options: DeleteOptions
        let since: Double
    }

    private enum Next {
        case release(Release)
        case wait(seconds: Double)
    }

    private struct State {
        var waiting: ArraySlice<Release> = []
        var lastAdded = 0.0
        /// The UIDs of the pods that wait or whose deletion was accepted.
        var known: Set<String> = []
        var workers: [Int: Task<Void, Never>] = [:]
        var nextWorker = 0
        var isStopped = false
    }

    private static let width = 4
    private static let secondsAfterFailure = 5.0

    private let client: KubeClient
    private let finalizer: TrialFinalizer
    private let pace: ReleasePace
    private let time: any TimeSource
    private let log: Log
    private let reconcile: @Sendable (ObjectKey) -> Void
    private let state = Locked(State())

    /// - Parameter reconcile: asks for a reconcile of a job; must not block.
    init(
        client: KubeClient, finalizer: TrialFinalizer, pace: ReleasePace, time: any TimeSource, log: Log,
        reconcile: @escaping @Sendable (ObjectKey) -> Void
    ) {
        self.client = client
        self.finalizer = finalizer
        self.pace = pace
        self.time = time
        self.log = log
        self.reconcile = reconcile
    }

    /// Releases a pod later. The call returns at once.
    func release(_ pod: TrialPod, options: DeleteOptions) {
        let now = time.monotonic()
        state.withLock { state in
            guard !state.isStopped, state.known.insert(pod.uid).inserted else { return }
            state.waiting.append(Release(pod: pod, options: options, since: now))
            state.lastAdded = now
            guard state.workers.count < Self.width else { return }
            let worker = state.nextWorker
            state.nextWorker += 1
            state.workers[worker] = Task { [self] in await work(as: worker) }
        }
    }

    /// Forgets a pod that is gone.
    func forget(_ uid: String) { state.withLock { _ = $0.known.remove(uid) } }

    /// Whether the release of a pod waits, or its deletion was accepted.
    func isKnown(_ uid: String) -> Bool { state.withLock { $0.known.contains(uid) } }

    /// Returns when no release is under way any more.
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
        while let next = next(for: worker) {
            guard case .release(let release) = next else {
                if case .wait(let seconds) = next { try? await time.sleep(seconds: seconds) }
                continue
            }
            do {
                if release.pod.isTracked { try await finalizer.remove(from: release.pod) }
                try await client.delete(.pods, release.pod.key, options: release.options, keeping: .metadata)
            } catch  where error.isNotFound || error.isConflict {
                // The pod is gone, or another pod has its name. It is not reported as deleted once more, so nobody else forgets it.
                forget(release.pod.uid)
            } catch {
                forget(release.pod.uid)
                if state.withLock({ $0.isStopped }) { continue }
                log.warning(
                    "a counted pod could not be released",
                    [
                        "object": .string(release.pod.key.description), "error": .string("\(error)"),
                        "retryInSeconds": JSONValue(Int(Self.secondsAfterFailure)),
                    ])
                try? await time.sleep(seconds: Self.secondsAfterFailure)
                if let job = release.pod.jobKey { reconcile(job) }
            }
        }
    }

    /// What a worker does next; nil, and the end of the worker, when no release waits.
    private func next(for worker: Int) -> Next? {
        let now = time.monotonic()
        return state.withLock { state in
            guard let first = state.waiting.first else {
                // A slice keeps what was removed from it.
                state.waiting = []
                state.workers.removeValue(forKey: worker)
                return nil
            }
            let seconds = pace.secondsToWait(waiting: state.waiting.count, sinceFirst: now - first.since, sinceLast: now - state.lastAdded)
            guard seconds <= 0 else { return .wait(seconds: seconds) }
            state.waiting.removeFirst()
            return .release(first)
        }
    }
}
