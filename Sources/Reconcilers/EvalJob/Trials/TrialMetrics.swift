import Base
import EvalModel

/// The metrics of trials.
struct TrialMetrics: Sendable {
    /// The phase of a trial's pod.
    enum Phase: String, CaseIterable {
        case pending, running
        /// The trial has ended and is not counted yet.
        case ended
    }

    private let total: MetricsRegistry.Counter
    private let errors: MetricsRegistry.Counter
    private let phaseSeconds: MetricsRegistry.HistogramMetric
    private let trials: MetricsRegistry.Gauge
    private let byJob = Shared()

    private final class Shared: Sendable { let trials = Locked<[String: [Phase: Int]]>([:]) }

    init(_ registry: MetricsRegistry) {
        total = registry.counter(.trials)
        errors = registry.counter(.trialErrors)
        phaseSeconds = registry.histogram(.trialPhaseSeconds)
        trials = registry.gauge(.trials)
        for phase in Phase.allCases {
            trials.follow(["phase": phase.rawValue]) { [byJob] in Double(byJob.trials.withLock { $0.values.reduce(0) { $0 + ($1[phase] ?? 0) } }) }
        }
    }

    func count(_ trial: RecordedTrial) {
        let outcome = trial.outcome
        total.add(1, ["result": outcome.outcomeClass.rawValue])
        if let error = outcome.error { errors.add(1, ["type": error.type.rawValue]) }
        for (phase, span) in outcome.timings.spans { phaseSeconds.observe(span.seconds, ["phase": phase.rawValue]) }
    }

    /// The trials of a job that have a pod and are not counted.
    func set(_ count: [Phase: Int], of uid: String) { byJob.trials.withLock { $0[uid] = count.isEmpty ? nil : count } }

    func forget(_ uid: String) { set([:], of: uid) }
}
