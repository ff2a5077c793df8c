import AssayAPI
import Base
import KubeCore
import KubeRuntime
import Planning

/// The conditions of a job's status. All changes to them are made through this type.
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
        set(type, status, reason.rawValue, message)
    }

    /// The conditions of a job that has ended. `Stalled` tells those who follow kstatus that one without success makes no progress any more.
    mutating func end(_ ending: JobEnding, _ message: String) {
        set(.ready, ending.isSuccess ? .yes : .no, ending.reason, message)
        set(ending.isSuccess ? .complete : .failed, .yes, ending.reason, message)
        set(.finished, .yes, ending.reason, message)
        if !ending.isSuccess { set(.stalled, .yes, ending.reason, message) }
    }

    mutating func set(_ type: ConditionType, _ status: Condition.Status, _ reason: String, _ message: String) {
        conditions.set(type.rawValue, status, reason: reason, message: message, observedGeneration: generation, now: now)
    }

    mutating func clear(_ type: ConditionType) { conditions.remove(type.rawValue) }

    func isTrue(_ type: ConditionType) -> Bool { conditions.isTrue(type.rawValue) }

    /// Sets the conditions that say why the job does not go on.
    /// - Parameter isReady: whether `Ready` reports this error as well.
    mutating func apply(_ error: ReconcileError, isReady: Bool) {
        if error.condition != .ready { set(error.condition, .no, error.reason, error.message) }
        if isReady { set(.ready, .no, error.reason, error.message) }
        if case .stalled = error { set(.stalled, .yes, error.reason, error.message) }
    }
}
