import AssayAPI

/// Why a job does not go on. The cases differ in what has to happen next.
public enum ReconcileError: Error, Sendable, Hashable {
    /// The spec must change; nothing is tried again until it does.
    case stalled(Reason, String, on: ConditionType)
    /// Something outside the job must change; it is checked again later.
    case waiting(Reason, String, on: ConditionType, retryAfterSeconds: Double)

    public var reason: Reason {
        switch self {
        case .stalled(let reason, _, _), .waiting(let reason, _, _, _): reason
        }
    }

    public var message: String {
        switch self {
        case .stalled(_, let message, _), .waiting(_, let message, _, _): message
        }
    }

    public var condition: ConditionType {
        switch self {
        case .stalled(_, _, let condition), .waiting(_, _, let condition, _): condition
        }
    }

    /// The same error, reported on another condition.
    public func on(_ condition: ConditionType) -> ReconcileError {
        switch self {
        case .stalled(let reason, let message, _): .stalled(reason, message, on: condition)
        case .waiting(let reason, let message, _, let seconds): .waiting(reason, message, on: condition, retryAfterSeconds: seconds)
        }
    }

    /// Seconds until the next check; nil when only a change of the spec helps.
    public var retryAfterSeconds: Double? {
        if case .waiting(_, _, _, let seconds) = self { seconds } else { nil }
    }
}
