import Base

/// One entry of `status.conditions` (`metav1.Condition`).
public struct Condition: Codable, Sendable, Hashable {
    public enum Status: String, Codable, Sendable, Hashable {
        case yes = "True"
        case no = "False"
        case unknown = "Unknown"
    }

    /// CamelCase; unique within the list.
    public var type: String
    /// `True`, `False` or `Unknown`. A string, because conditions written by others are read too.
    public var status: String
    /// CamelCase, for programs.
    public var reason: String?
    /// For people.
    public var message: String?
    /// When `status` last changed, not when the condition was last written.
    public var lastTransitionTime: Timestamp?
    /// The `metadata.generation` that this was computed from.
    public var observedGeneration: Int?

    public init(
        type: String, status: String, reason: String? = nil, message: String? = nil,
        lastTransitionTime: Timestamp? = nil, observedGeneration: Int? = nil
    ) {
        self.type = type
        self.status = status
        self.reason = reason
        self.message = message
        self.lastTransitionTime = lastTransitionTime
        self.observedGeneration = observedGeneration
    }

    public init(
        type: String, status: Status, reason: String? = nil, message: String? = nil,
        lastTransitionTime: Timestamp? = nil, observedGeneration: Int? = nil
    ) {
        self.init(
            type: type, status: status.rawValue, reason: reason, message: message,
            lastTransitionTime: lastTransitionTime, observedGeneration: observedGeneration)
    }

    public var isTrue: Bool { status == Status.yes.rawValue }
    public var isFalse: Bool { status == Status.no.rawValue }
}
