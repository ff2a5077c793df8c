import Base

/// The metrics of one controller and its queue, as controller-runtime has them (`workqueue_depth`, `_adds_total`, `_queue_duration_seconds`,
/// `_longest_running_processor_seconds`).
struct ControllerMetrics: Sendable {
    private let depth: MetricsRegistry.Gauge
    private let adds: MetricsRegistry.Counter
    private let waits: MetricsRegistry.HistogramMetric
    private let total: MetricsRegistry.Counter
    private let errors: MetricsRegistry.Counter
    private let durations: MetricsRegistry.HistogramMetric
    private let time: any TimeSource
    private let running = Running()

    private final class Running: Sendable { let begins = Locked<(next: Int, at: [Int: Double])>((0, [:])) }

    init(registry: MetricsRegistry, controller: String, time: any TimeSource) {
        let part = ["controller": controller]
        depth = registry.gauge(.workqueueDepth, part)
        adds = registry.counter(.workqueueAdds, part)
        waits = registry.histogram(.workqueueWait, part)
        total = registry.counter(.reconciles, part)
        errors = registry.counter(.reconcileErrors, part)
        durations = registry.histogram(.reconcileSeconds, part)
        self.time = time
        registry.gauge(.workqueueLongestRunning, part).follow { [running, time] in
            let first = running.begins.withLock { $0.at.values.min() }
            return first.map { time.monotonic() - $0 } ?? 0
        }
    }

    /// - Parameter current: nil once the queue is gone.
    func followDepth(_ current: @escaping @Sendable () -> Int?) { depth.follow { current().map(Double.init) } }

    func added() { adds.add() }

    /// A worker took a key that had been ready for some seconds.
    func waited(_ seconds: Double) { waits.observe(seconds) }

    /// A reconcile begins. Returns what `end` needs.
    func begin() -> Int {
        let now = time.monotonic()
        return running.begins.withLock { running in
            running.next += 1
            running.at[running.next] = now
            return running.next
        }
    }

    func end(_ number: Int) { running.begins.withLock { _ = $0.at.removeValue(forKey: number) } }

    func reconciled(_ outcome: ReconcileOutcome, seconds: Double) {
        let result =
            switch outcome {
            case .done: "done"
            case .requeue: "requeue"
            case .waiting: "waiting"
            case .retry: "error"
            }
        total.add(1, ["result": result])
        if case .retry = outcome { errors.add() }
        durations.observe(seconds)
    }
}
