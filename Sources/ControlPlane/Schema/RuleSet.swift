import Base

struct RuleSet: Sendable {
    init?(_ node: SchemaNode, isResourceRoot: Bool) { return nil }
    func compileErrors(path: String) -> [FieldError] { [] }
    func faults(of value: JSONValue, old: JSONValue?) -> [FieldError] { [] }
}
