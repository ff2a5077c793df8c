import AssayAPI

/// Why a job does not go on, by consequence.
public enum ReconcileError: Error, Sendable, Hashable {
    /// The spec must change; nothing is tried again until it does.
    case stalled(Reason, String, on: ConditionType)
    /// Something outside must change; it is looked at again after a while.
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

    /// The same, said of another condition.
    func on(_ condition: ConditionType) -> ReconcileError {
        switch self {
        case .stalled(let reason, let message, _): .stalled(reason, message, on: condition)
        case .waiting(let reason, let message, _, let seconds): .waiting(reason, message, on: condition, retryAfterSeconds: seconds)
        }
    }

    /// When to look again; nil when only another spec helps.
    var retryAfterSeconds: Double? {
        if case .waiting(_, _, _, let seconds) = self { seconds } else { nil }
    }
}
