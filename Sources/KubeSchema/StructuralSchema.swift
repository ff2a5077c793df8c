import Base

/// The schema of one version of a custom resource, as the API server of Kubernetes 1.36 applies it.
///
/// Guarantees: pruning, defaulting and validation behave, and are worded, like `k8s.io/apiextensions-apiserver`; the order of the
/// faults is not promised (the server's own order is not stable either). Root `apiVersion`, `kind` and `metadata` are left to the
/// caller. Assumptions: the value handed to `validate` has been pruned and defaulted with the same schema.
public struct StructuralSchema: Sendable {
    let root: SchemaNode
    private let rules: RuleSet?

    /// Reads `spec.versions[].schema.openAPIV3Schema`. Throws `SchemaError` when a keyword has a value of the wrong type; a schema that
    /// reads but must be refused is reported by `compileErrors()`.
    public init(_ openAPIV3Schema: JSONValue) throws {
        root = try SchemaNode(parsing: openAPIV3Schema, path: "")
        rules = RuleSet(root, isResourceRoot: true)
    }

    /// What must be refused when the definition is created: what is not structural, and rules that do not compile. `path` is where
    /// the schema lies in the definition.
    public func compileErrors(path: String = "spec.versions[0].schema.openAPIV3Schema") -> [FieldError] {
        StructuralCheck.faults(in: root, path: path) + (rules?.compileErrors(path: path) ?? [])
    }

    /// Removes fields that the schema does not know; returns their paths, sorted: `spec.colour`, `spec.parts[0].x`.
    public func prune(_ value: inout JSONValue) -> [String] {
        Pruning.prune(&value, root)
    }

    /// Drops nulls that may not be null and have no default, then fills in defaults.
    public func applyDefaults(_ value: inout JSONValue) {
        Defaulting.dropNulls(&value, root)
        Defaulting.fill(&value, root)
    }

    /// All faults of `value`. With `old` this is an update: rules that read `oldSelf` run where an old value belongs to the new one, and
    /// faults of a part that did not change do not count. `preceding` are faults found elsewhere (in the metadata): they take part
    /// in the decision whether rules run, and are not returned again.
    public func validate(_ value: JSONValue, old: JSONValue? = nil, preceding: [FieldError] = []) -> [FieldError] {
        var faults = SchemaValidation.faults(of: value, old: old, root)
        faults += EmbeddedResources.faults(in: value, root)
        if old.map({ ListTypes.faults(in: $0, root).isEmpty }) ?? true {
            faults += ListTypes.faults(in: value, root)
        }
        guard let rules else { return faults }
        if preceding.contains(where: \.blocksRules) || faults.contains(where: \.blocksRules) {
            faults.append(.rulesNotChecked)
        } else {
            faults += rules.faults(of: value, old: old)
        }
        return faults
    }
}

/// A schema that cannot be read.
public struct SchemaError: Error, Sendable, CustomStringConvertible {
    /// Where in the schema, `properties.spec.properties.size`.
    public let path: String
    /// What is wrong there.
    public let message: String

    public var description: String { path.isEmpty ? message : "\(path): \(message)" }
}
