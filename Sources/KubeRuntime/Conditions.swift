import Base
import KubeCore

/// The conditions of one object's status, and the rules by which they change.
///
/// A condition's transition time changes only when its status changes. A condition of negative polarity (`Stalled`, `Failed`) is present
/// only while it is true. Conditions keep the order in which they first appeared, so that equal conditions always give an equal status.
public struct Conditions: Sendable, Hashable {
    public private(set) var all: [Condition]

    public init(_ conditions: [Condition] = []) { all = conditions }

    public subscript(type: String) -> Condition? { all.first { $0.type == type } }

    public func isTrue(_ type: String) -> Bool { self[type]?.isTrue ?? false }

    /// Sets a condition. Returns true when any of its fields changed.
    @discardableResult
    public mutating func set(
        _ type: String, _ status: Condition.Status, reason: String, message: String = "",
        observedGeneration: Int? = nil, now: Timestamp
    ) -> Bool {
        var new = Condition(
            type: type, status: status, reason: reason, message: message, lastTransitionTime: now,
            observedGeneration: observedGeneration)
        guard let at = all.firstIndex(where: { $0.type == type }) else {
            all.append(new)
            return true
        }
        if all[at].status == new.status { new.lastTransitionTime = all[at].lastTransitionTime ?? now }
        guard all[at] != new else { return false }
        all[at] = new
        return true
    }

    /// Sets a condition of negative polarity, or removes it when `isTrue` is false. Returns true when anything changed.
    @discardableResult
    public mutating func setNegative(
        _ type: String, _ isTrue: Bool, reason: String, message: String = "", observedGeneration: Int? = nil,
        now: Timestamp
    ) -> Bool {
        guard isTrue else { return remove(type) }
        return set(type, .yes, reason: reason, message: message, observedGeneration: observedGeneration, now: now)
    }

    /// Removes a condition. Returns true when it was present.
    @discardableResult
    public mutating func remove(_ type: String) -> Bool {
        guard let at = all.firstIndex(where: { $0.type == type }) else { return false }
        all.remove(at: at)
        return true
    }
}
