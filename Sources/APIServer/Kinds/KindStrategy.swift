import Base
import KubeSchema

/// What differs from kind to kind: defaults, validation, and deletion. Values carry no `apiVersion` and `kind`.
///
/// The default implementations suit a kind that is only stored; the caller handles metadata.
protocol KindStrategy: Sendable {
    /// Fills in what the author left out.
    func applyDefaults(_ value: inout JSONValue)
    /// Clears what a client may not set at creation, sets what the server decides.
    func prepareForCreate(_ value: inout JSONValue)
    func validate(_ value: JSONValue, preceding: [FieldError]) -> [FieldError]
    /// Carries over what an update through this path may not touch.
    func prepareForUpdate(_ value: inout JSONValue, old: JSONValue)
    func validateUpdate(_ value: JSONValue, old: JSONValue, preceding: [FieldError]) -> [FieldError]
    func prepareForStatusUpdate(_ value: inout JSONValue, old: JSONValue)
    func validateStatusUpdate(_ value: JSONValue, old: JSONValue, preceding: [FieldError]) -> [FieldError]
    /// Why a name is refused; nil when it is good.
    func fault(inName name: String, isPrefix: Bool) -> String?
    /// Whether `metadata.generation` counts changes of anything but metadata and status.
    var countsGenerations: Bool { get }
    /// Whether a PUT without a resource version overwrites.
    var allowsUnconditionalUpdate: Bool { get }
    /// Whether deleting answers with the object rather than with a status.
    var returnsDeletedObject: Bool { get }
    /// The grace period of a deletion in seconds; nil for kinds that go at once.
    func gracePeriod(_ value: JSONValue, asked: Int?) -> Int?
    /// Finalizers that every new object of the kind gets, or other marks of its being deleted.
    func markDeleting(_ value: inout JSONValue)
}

extension KindStrategy {
    func applyDefaults(_ value: inout JSONValue) {}
    func prepareForCreate(_ value: inout JSONValue) {}
    func validate(_ value: JSONValue, preceding: [FieldError]) -> [FieldError] { [] }
    func prepareForUpdate(_ value: inout JSONValue, old: JSONValue) {}
    func validateUpdate(_ value: JSONValue, old: JSONValue, preceding: [FieldError]) -> [FieldError] {
        validate(value, preceding: preceding)
    }
    func prepareForStatusUpdate(_ value: inout JSONValue, old: JSONValue) {
        value["spec"] = old["spec"]
    }
    func validateStatusUpdate(_ value: JSONValue, old: JSONValue, preceding: [FieldError]) -> [FieldError] { [] }
    func fault(inName name: String, isPrefix: Bool) -> String? { NameRules.subdomain(name, isPrefix: isPrefix) }
    var countsGenerations: Bool { false }
    var allowsUnconditionalUpdate: Bool { true }
    var returnsDeletedObject: Bool { false }
    func gracePeriod(_ value: JSONValue, asked: Int?) -> Int? { nil }
    func markDeleting(_ value: inout JSONValue) {}
}

/// A kind that is only stored, with `spec` and `status` where it has them.
struct PlainStrategy: KindStrategy {
    var countsGenerations = false
    /// Status is only written through its own path.
    var hasStatus = false
    /// Names may be any path segment (RBAC).
    var hasFreeNames = false

    func prepareForCreate(_ value: inout JSONValue) { if hasStatus { value["status"] = [:] } }
    func prepareForUpdate(_ value: inout JSONValue, old: JSONValue) { if hasStatus { value["status"] = old["status"] } }
    func fault(inName name: String, isPrefix: Bool) -> String? {
        hasFreeNames ? NameRules.pathSegment(name) : NameRules.subdomain(name, isPrefix: isPrefix)
    }
}
