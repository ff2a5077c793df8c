import Base

/// The six phases of a trial, in order.
public enum TrialPhase: String, Sendable, Hashable, Codable, CaseIterable {
    case setup
    case install
    case execute
    case verify
    case collect
    case teardown
}

/// When a phase began and how long it took.
public struct PhaseSpan: Sendable, Hashable, Codable {
    public var startedAt: Timestamp
    /// Measured, not the difference of two readings of a clock that may jump.
    public var seconds: Double

    public init(startedAt: Timestamp, seconds: Double) {
        self.startedAt = startedAt
        self.seconds = seconds
    }

    public var endedAt: Timestamp { startedAt.adding(seconds: seconds) }
}

/// The timings of a trial; a phase that did not happen has none.
public struct PhaseTimings: Sendable, Hashable, Codable {
    public var setup: PhaseSpan?
    public var install: PhaseSpan?
    public var execute: PhaseSpan?
    public var verify: PhaseSpan?
    public var collect: PhaseSpan?
    public var teardown: PhaseSpan?

    public init() {}

    /// Of a trial with several steps: each phase from its first beginning, with the seconds of all its spans.
    public init(summing all: [PhaseTimings]) {
        for timings in all {
            for (phase, span) in timings.spans {
                guard let known = self[phase] else {
                    self[phase] = span
                    continue
                }
                self[phase] = PhaseSpan(startedAt: min(known.startedAt, span.startedAt), seconds: known.seconds + span.seconds)
            }
        }
    }

    public subscript(phase: TrialPhase) -> PhaseSpan? {
        get {
            switch phase {
            case .setup: setup
            case .install: install
            case .execute: execute
            case .verify: verify
            case .collect: collect
            case .teardown: teardown
            }
        }
        set {
            switch phase {
            case .setup: setup = newValue
            case .install: install = newValue
            case .execute: execute = newValue
            case .verify: verify = newValue
            case .collect: collect = newValue
            case .teardown: teardown = newValue
            }
        }
    }

    /// The spans that there are, in the order of the phases.
    public var spans: [(phase: TrialPhase, span: PhaseSpan)] {
        TrialPhase.allCases.compactMap { phase in self[phase].map { (phase, $0) } }
    }

    /// When the first phase began.
    public var startedAt: Timestamp? { spans.map(\.span.startedAt).min() }
    /// When the last phase ended.
    public var endedAt: Timestamp? { spans.map(\.span.endedAt).max() }
    /// The sum of the phases, in seconds.
    public var totalSeconds: Double { spans.reduce(0) { $0 + $1.span.seconds } }
}
