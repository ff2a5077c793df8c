import EvalModel
import AssayAPI
import Base
import EvalFormats

/// A Secret whose values come from the environment of whoever runs the job: it carries `${VAR}` in an annotation and no value. `assay run`
/// fills it in; on a cluster a person creates its values.
public enum EnvironmentSecret {
    /// On a Secret: a JSON object of its keys with texts such as `${API_KEY}`.
    public static let annotation = "assay.dev/from-environment"

    /// nil when there is nothing to hold.
    static func object(_ metadata: JSONValue, templates: [String: String]) -> JSONValue? {
        guard !templates.isEmpty else { return nil }
        var metadata = metadata
        metadata["annotations"] = [annotation: .string(JSONValue.object(templates.mapValues { .string($0) }).text)]
        return ["apiVersion": "v1", "kind": "Secret", "metadata": metadata]
    }

    /// The keys of a Secret and their templates; nil when the object has no such annotation.
    public static func templates(of object: JSONValue) -> [String: String]? {
        guard let text = object.at("metadata", "annotations", annotation)?.string, case .object(let members)? = try? JSONValue(parsing: text)
        else { return nil }
        return members.compactMapValues(\.string)
    }

    /// The Secret with its values.
    ///
    /// - Parameter environment: the caller's.
    /// - Throws: `MissingVariables`, all of them at once.
    public static func filled(_ object: JSONValue, from environment: [String: String]) throws(MissingVariables) -> JSONValue {
        guard let templates = templates(of: object) else { return object }
        var object = object
        var missing: Set<String> = []
        for (key, text) in templates {
            let template = VariableTemplate(text)
            missing.formUnion(template.missing(in: environment))
            if let value = template.resolved(in: environment) { object.set(["stringData", key], to: .string(value)) }
        }
        guard missing.isEmpty else { throw MissingVariables(names: missing.sorted(), secret: object.at("metadata", "name")?.string ?? "") }
        return object
    }

    public struct MissingVariables: Error, Sendable, Hashable, CustomStringConvertible {
        public let names: [String]
        public let secret: String
        public var description: String {
            "the environment has no value for \(names.joined(separator: ", ")), which the Secret \"\(secret)\" needs: export it before the run"
        }
    }
}
