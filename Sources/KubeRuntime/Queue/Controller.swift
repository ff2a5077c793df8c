import Base

/// How a reconcile of one key ended. Each way of ending is one case, so that contradictory results cannot be expressed.
public enum ReconcileOutcome: Sendable {
    /// Nothing to do until something changes.
    case done
    /// Progress was made. Reconcile again after this many seconds, or earlier when something changes.
    case requeue(afterSeconds: Double)
    /// Something that the key needs is not there yet. Reconcile again after this many seconds, or earlier when something changes. The key's
    /// backoff stays as it is.
    case waiting(afterSeconds: Double)
    /// The reconcile failed. Try again after the key's backoff.
    case retry(any Error)
}

/// Why a key is to be reconciled.
public enum WakeCause: Sendable, Hashable {
    /// Something that the key depends on changed. A key in backoff is reconciled as soon as `BackoffPolicy.eventSeconds` allows.
    case event
    /// The desired state of the key has changed. Its backoff starts over.
    case specChanged
    /// One of many events in quick succession. The first one causes a reconcile at once; those of the following time cause one reconcile
    /// at its end.
    case gathered
}

/// Workers that take keys from a queue and reconcile them.
///
/// - Guarantees: no key is reconciled by two workers at once; every added key is reconciled at least once after it was added, unless the
///   controller stops; a failed key is tried again after 5 ms, doubling up to 1000 s, and a success resets that delay.
/// - Assumptions: `reconcile` is level-based (it looks at the present state, whatever caused the call) and returns in bounded time.
/// - Recovery: work left undone at a stop is found again by the lists of the next start.
public final class Controller<Key: Hashable & Sendable>: Sendable {
    public typealias Reconcile = @Sendable (Key) async -> ReconcileOutcome

    public let name: String
    public let queue: WorkQueue<Key>
    private let workers: Int
    private let time: any TimeSource
    private let log: Log
    private let metrics: ControllerMetrics?
    private let liveness: Liveness?
    private let reconcileBound: Double
    private let reconcile: Reconcile
    private let gathering = Locked(EventGathering<Key>())
    private let gatherSeconds: @Sendable (Key) -> Double

    /// - Parameters:
    ///   - name: for logs and metrics.
    ///   - workers: how many keys may be reconciled at once.
    ///   - liveness: notified of a reconcile that has not returned after `reconcileBound` seconds.
    ///   - gatherSeconds: how long events of a key with the cause `gathered` are collected before its next reconcile.
    public init(
        name: String, workers: Int, time: any TimeSource = SystemTime(), backoff: BackoffPolicy = .perKey,
        gatherSeconds: @escaping @Sendable (Key) -> Double = { _ in 0.25 }, metrics: MetricsRegistry? = nil, liveness: Liveness? = nil,
        reconcileBound: Double = 1800, log: Log? = nil,
        reconcile: @escaping Reconcile
    ) {
        self.gatherSeconds = gatherSeconds
        self.name = name
        self.workers = max(1, workers)
        self.time = time
        self.log = log ?? Log(name)
        self.liveness = liveness
        self.reconcileBound = reconcileBound
        self.reconcile = reconcile
        let metrics = metrics.map { ControllerMetrics(registry: $0, controller: name, time: time) }
        self.metrics = metrics
        queue = WorkQueue(time: time, backoff: backoff, onTake: { metrics?.waited($0) })
        metrics?.followDepth { [weak queue] in queue?.depth }
    }

    /// Asks for a reconcile of the key. May be called at any time and from any thread; a request made before `run` is kept.
    public func enqueue(_ key: Key, _ cause: WakeCause = .event) {
        switch cause {
        case .event: queue.add(key)
        case .specChanged: queue.addAnew(key)
        case .gathered:
            let (now, seconds) = (time.monotonic(), gatherSeconds(key))
            queue.add(key, afterSeconds: gathering.withLock { $0.delay(key, seconds: seconds, now: now) })
        }
        metrics?.added()
    }

    /// Asks for a reconcile of the key after some seconds. If the key is already due earlier, that time stays.
    public func enqueue(_ key: Key, afterSeconds seconds: Double) {
        queue.add(key, afterSeconds: seconds)
        metrics?.added()
    }

    /// Makes `run` end gracefully: no new reconcile starts, and running ones finish.
    public func stop() { queue.shutDown(.now) }

    /// Works until `stop` is called or the calling task is cancelled. Returns when no reconcile is running any more.
    ///
    /// `stop` lets running reconciles finish undisturbed. Cancelling the task cancels them too, and `run` still waits for them.
    public func run() async {
        log.info("started", ["workers": .int(Int64(workers))])
        await withTaskCancellationHandler {
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<workers { group.addTask { await self.work() } }
            }
        } onCancel: {
            queue.shutDown(.now)
        }
        log.info("stopped")
    }

    private func work() async {
        while let key = await queue.next() {
            let begin = time.monotonic()
            let running = metrics?.begin()
            let pulse = liveness?.begin("reconcile of \(name) \(key)", within: reconcileBound)
            let outcome = await reconcile(key)
            pulse?.end()
            if let running { metrics?.end(running) }
            finish(key, outcome, seconds: time.monotonic() - begin)
        }
    }

    private func finish(_ key: Key, _ outcome: ReconcileOutcome, seconds: Double) {
        let object: JSONValue = .string(String(describing: key))
        let now = time.monotonic()
        switch outcome {
        case .done:
            queue.finish(key, .done)
            log.debug("reconciled", ["object": object, "seconds": .double(seconds)])
        case .requeue(let after):
            queue.finish(key, .again(at: now + after))
            log.debug("reconciled", ["object": object, "seconds": .double(seconds), "again": .double(after)])
        case .waiting(let after):
            queue.finish(key, .waiting(at: now + after))
            log.debug("waiting", ["object": object, "seconds": .double(seconds), "again": .double(after)])
        case .retry(let error):
            let delay = queue.finish(key, .failed) ?? 0
            if queue.isShutDown { break }
            log.warning(
                "reconcile failed",
                [
                    "object": object, "error": .string(String(describing: error)), "retryInSeconds": .double(delay),
                    "failures": .int(Int64(queue.failures(of: key))),
                ])
        }
        metrics?.reconciled(outcome, seconds: seconds)
    }
}
