import Base
import KubeSchema

/// The rules that differ between kinds: defaults, validation and deletion. Values have no `apiVersion` and `kind`.
///
/// The default implementations suit a kind that is only stored. The caller handles metadata.
protocol KindStrategy: Sendable {
    /// Fills in values that the author left out.
    func applyDefaults(_ value: inout JSONValue)
    /// Removes values that a client may not set at creation, and sets those that the server decides.
    func prepareForCreate(_ value: inout JSONValue)
    func validate(_ value: JSONValue, preceding: [FieldError]) -> [FieldError]
    /// Restores from the old object the values that an update through this path may not change.
    func prepareForUpdate(_ value: inout JSONValue, old: JSONValue)
    func validateUpdate(_ value: JSONValue, old: JSONValue, preceding: [FieldError]) -> [FieldError]
    func prepareForStatusUpdate(_ value: inout JSONValue, old: JSONValue)
    func validateStatusUpdate(_ value: JSONValue, old: JSONValue, preceding: [FieldError]) -> [FieldError]
    /// Why a name is refused; nil when it is valid.
    func fault(inName name: String, isPrefix: Bool) -> String?
    /// Whether `metadata.generation` counts the changes outside metadata and status.
    var countsGenerations: Bool { get }
    /// Whether a PUT without a resource version overwrites the object.
    var allowsUnconditionalUpdate: Bool { get }
    /// Whether the answer to a deletion is the object rather than a status.
    var returnsDeletedObject: Bool { get }
    /// The grace period of a deletion in seconds; nil for kinds that are deleted at once.
    func gracePeriod(_ value: JSONValue, asked: Int?) -> Int?
    /// Marks an object whose deletion has been requested, for example in its status.
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

/// The strategy of a kind that is only stored, with `spec` and `status` where the kind has them.
struct PlainStrategy: KindStrategy {
    var countsGenerations = false
    /// Whether status can be written only through its own path.
    var hasStatus = false
    /// Whether names may be any path segment (RBAC).
    var hasFreeNames = false

    func prepareForCreate(_ value: inout JSONValue) { if hasStatus { value["status"] = [:] } }
    func prepareForUpdate(_ value: inout JSONValue, old: JSONValue) { if hasStatus { value["status"] = old["status"] } }
    func fault(inName name: String, isPrefix: Bool) -> String? {
        hasFreeNames ? NameRules.pathSegment(name) : NameRules.subdomain(name, isPrefix: isPrefix)
    }
}
