import Base
import KubeSchema

/// The strategy of a custom resource, which follows from its schema.
struct CustomStrategy: KindStrategy {
    let schema: StructuralSchema
    let hasStatus: Bool

    func applyDefaults(_ value: inout JSONValue) { schema.applyDefaults(&value) }
    /// A status that a client sends is dropped. What the schema has as its default is there from the first read, as with a real server, which
    /// applies defaults to what it reads from etcd.
    func prepareForCreate(_ value: inout JSONValue) {
        guard hasStatus else { return }
        value["status"] = nil
        schema.applyDefaults(&value)
    }
    func validate(_ value: JSONValue, preceding: [FieldError]) -> [FieldError] { schema.validate(value, preceding: preceding) }

    func prepareForUpdate(_ value: inout JSONValue, old: JSONValue) { if hasStatus { value["status"] = old["status"] } }

    func validateUpdate(_ value: JSONValue, old: JSONValue, preceding: [FieldError]) -> [FieldError] {
        schema.validate(value, old: old, preceding: preceding)
    }

    func prepareForStatusUpdate(_ value: inout JSONValue, old: JSONValue) {
        let status = value["status"]
        let managed = value.at("metadata", "managedFields")
        value = old
        value["status"] = status
        value.set(["metadata", "managedFields"], to: managed)
    }

    func validateStatusUpdate(_ value: JSONValue, old: JSONValue, preceding: [FieldError]) -> [FieldError] {
        schema.validate(value, old: old, preceding: preceding).map { fault in
            // A real server validates the status on its own, so its messages name fields relative to the status.
            guard fault.field.hasPrefix("status.") else { return fault }
            let inner = fault.field.dropFirst("status.".count)
            return FieldError(
                fault.kind, fault.field, message: fault.message.replacing("\(fault.field) in body", with: "\(inner) in body"))
        }
    }

    var countsGenerations: Bool { true }
    var allowsUnconditionalUpdate: Bool { false }
}
