import AssayAPI
import EvalModel

/// Why a job ends.
enum JobEnding: Sendable, Hashable {
    /// Every trial has ended, and at least one was measured.
    case complete
    /// Every trial has ended and none was measured: each is an infrastructure failure, or its task is invalid. The error is the most frequent
    /// one.
    case nothingMeasured(TrialErrorType)
    case cancelled
    case deadlineExceeded

    /// How a job ends whose trials have all ended.
    static func ofTrials(_ trials: TrialsStatus?) -> JobEnding {
        guard let trials, trials.infrastructure > 0, trials.completed == 0, trials.failed == trials.infrastructure else { return .complete }
        return .nothingMeasured(trials.mostFrequentError ?? .internalError)
    }

    /// Whether the job counts as successful.
    var isSuccess: Bool { self == .complete }

    var phase: EvalJobStatus.Phase {
        switch self {
        case .complete: .succeeded
        case .cancelled: .cancelled
        case .deadlineExceeded, .nothingMeasured: .failed
        }
    }

    /// One word, for conditions, Events and the job's record.
    var reason: String {
        switch self {
        case .complete: Reason.trialsComplete.rawValue
        case .cancelled: Reason.cancelled.rawValue
        case .deadlineExceeded: Reason.deadlineExceeded.rawValue
        case .nothingMeasured(let error): error.rawValue.split(separator: "_").map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
        }
    }

    /// The reason in words, with the final counts.
    func message(_ trials: TrialsStatus, _ spec: EvalJobSpec) -> String {
        let counts = "\(trials.completed) completed, \(trials.failed) failed, \(trials.skipped) skipped"
        let errors = Self.list(trials.errors ?? [:])
        switch self {
        case .complete:
            guard trials.infrastructure > 0 else { return counts }
            return "\(counts); \(Count.of(trials.infrastructure, "trial")) could not be measured (\(errors))"
        case .nothingMeasured:
            return "nothing was measured: \(Count.of(trials.infrastructure, "trial")) ended without a result of the agent (\(errors)); "
                + "the Events and the records of the trials say why"
        case .cancelled: return "the job was stopped: \(counts)"
        case .deadlineExceeded:
            return "the job ran longer than spec.activeDeadlineSeconds (\(spec.activeDeadlineSeconds ?? 0)): \(counts)"
        }
    }

    private static func list(_ errors: [String: Int]) -> String {
        errors.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { "\($0.key): \($0.value)" }.joined(separator: ", ")
    }
}
