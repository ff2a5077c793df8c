import AssayAPI
import Base
import KubeSchema
import YAML

/// The schema of the EvalJob, for commands that start no API server: what it refuses and which defaults it adds.
struct JobSchema {
    private let schema: StructuralSchema

    init() throws {
        let definition = try YAML.parseSingle(CustomResourceDefinitions.evalJobs)
        let versions = definition.at("spec", "versions")?.array ?? []
        schema = try StructuralSchema(versions.first?.at("schema", "openAPIV3Schema") ?? .null)
    }

    /// The object with its defaults. Throws a `UsageError` with every mistake.
    func completed(_ object: JSONValue, file: String) throws -> JSONValue {
        var value = object
        // The metadata is not the schema's.
        value["metadata"] = .object([:])
        let unknown = schema.prune(&value)
        schema.applyDefaults(&value)
        let mistakes = unknown.map { "unknown field \"\($0)\"" } + schema.validate(value).map(\.description)
        guard mistakes.isEmpty else { throw UsageError("\(file): \(mistakes.joined(separator: "; "))") }
        value["metadata"] = object["metadata"]
        return value
    }
}
