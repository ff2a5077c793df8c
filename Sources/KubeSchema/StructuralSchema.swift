import Base

/// The schema of one version of a custom resource, as the API server of Kubernetes 1.36 applies it.
///
/// Guarantees: pruning, defaulting and validation behave like `k8s.io/apiextensions-apiserver` and give the same messages. The
/// order of the faults is not guaranteed (the server's own order is not stable either). The caller handles `apiVersion`, `kind`
/// and `metadata` at the root.
/// Assumptions: the value passed to `validate` has been pruned and defaulted with the same schema.
public struct StructuralSchema: Sendable {
    let root: SchemaNode
    private let rules: RuleSet?

    /// Parses `spec.versions[].schema.openAPIV3Schema`. Throws `SchemaError` when a keyword has a value of the wrong type. Other
    /// schemas that must be refused are reported by `compileErrors()`.
    public init(_ openAPIV3Schema: JSONValue) throws {
        root = try SchemaNode(parsing: openAPIV3Schema, path: "")
        rules = RuleSet(root, isResourceRoot: true)
    }

    /// The reasons to refuse the definition when it is created: parts that are not structural, and rules that do not compile.
    /// `path` is the path of the schema in the definition.
    public func compileErrors(path: String = "spec.versions[0].schema.openAPIV3Schema") -> [FieldError] {
        StructuralCheck.faults(in: root, path: path) + (rules?.compileErrors(path: path) ?? [])
    }

    /// Removes fields that the schema does not name. Returns their paths, sorted: `spec.colour`, `spec.parts[0].x`.
    public func prune(_ value: inout JSONValue) -> [String] {
        Pruning.prune(&value, root)
    }

    /// Removes nulls that are not allowed and have no default, then sets defaults.
    public func applyDefaults(_ value: inout JSONValue) {
        Defaulting.dropNulls(&value, root)
        Defaulting.fill(&value, root)
    }

    /// All faults of `value`. With `old` this is an update: rules that read `oldSelf` run where an old value corresponds to the
    /// new one, and faults of unchanged parts do not count. `preceding` are faults found elsewhere (in the metadata): they can
    /// prevent the rules from running, and are not returned again.
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

/// A schema that cannot be parsed.
public struct SchemaError: Error, Sendable, CustomStringConvertible {
    /// The path in the schema, `properties.spec.properties.size`.
    public let path: String
    /// What is wrong there.
    public let message: String

    public var description: String { path.isEmpty ? message : "\(path): \(message)" }
}
