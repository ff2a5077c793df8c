import AssayAPI
import Base
import KubeCore
import KubeRuntime

/// Why a job does not go on, by consequence.
public enum JobObstacle: Error, Sendable, Hashable {
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
}

/// The words of a status: conditions as data, changed in one place.
struct JobConditions {
    private var conditions: Conditions
    private let generation: Int?
    private let now: Timestamp

    init(_ status: EvalJobStatus, generation: Int?, now: Timestamp) {
        conditions = Conditions(status.conditions)
        self.generation = generation
        self.now = now
    }

    var all: [Condition] { conditions.all }

    mutating func set(_ type: ConditionType, _ status: Condition.Status, _ reason: Reason, _ message: String = "") {
        conditions.set(
            type.rawValue, status, reason: reason.rawValue, message: message, observedGeneration: generation, now: now)
    }

    mutating func clear(_ type: ConditionType) { conditions.remove(type.rawValue) }

    func isTrue(_ type: ConditionType) -> Bool { conditions.isTrue(type.rawValue) }

    mutating func apply(_ obstacle: JobObstacle) {
        if obstacle.condition != .ready { set(obstacle.condition, .no, obstacle.reason, obstacle.message) }
        set(.ready, .no, obstacle.reason, obstacle.message)
        if case .stalled = obstacle {
            set(.stalled, .yes, obstacle.reason, obstacle.message)
        } else {
            clear(.stalled)
        }
    }
}
