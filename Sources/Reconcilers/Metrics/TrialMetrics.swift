import Base
import EvalModel

/// The metrics about trials on `/metrics`.
struct TrialMetrics: Sendable {
    private let total: MetricsRegistry.Counter
    private let running: MetricsRegistry.Gauge
    private let byJob = Shared()

    private final class Shared: Sendable { let running = Locked<[String: Int]>([:]) }

    init(_ registry: MetricsRegistry) {
        total = registry.counter("assay_trials_total", help: "Trials counted, by result.")
        running = registry.gauge("assay_trials_running", help: "Trials whose pods run or are about to.")
    }

    func count(_ trial: RecordedTrial) {
        let result =
            switch trial.outcome.outcomeClass {
            case .completed: "completed"
            case .failed: "failed"
            case .infrastructure: "infrastructure"
            case .skipped: "skipped"
            }
        total.add(1, ["result": result])
    }

    func setRunning(_ count: Int, of uid: String) {
        let sum = byJob.running.withLock { jobs in
            jobs[uid] = count > 0 ? count : nil
            return jobs.values.reduce(0, +)
        }
        running.set(Double(sum))
    }

    func forget(_ uid: String) { setRunning(0, of: uid) }
}
