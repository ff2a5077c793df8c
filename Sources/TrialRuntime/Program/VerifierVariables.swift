import Base
import EvalModel

/// The values of the verifier's environment. The operator gives them to delivery as a JSON object, and delivery gives them to the collector as a
/// file of entries `NAME=value`, each ended by a NUL so that a value may hold any other byte. The collector gives that file to the runner
/// together with the tests.
public enum VerifierVariables {
    /// The key in the separate ConfigMap that holds the values when they are too large for the pod.
    public static let key = "env.json"

    public static func json(_ variables: [String: String]) -> String {
        JSONValue.object(variables.mapValues { .string($0) }).text
    }

    /// - Throws: `internal_error`.
    static func entries(json: some Sequence<UInt8>) throws(TrialError) -> [UInt8] {
        guard let object = (try? JSONValue(parsing: Array(json)))?.object else {
            throw TrialError(.internalError, "the verifier's environment is no JSON object")
        }
        return object.sorted { $0.key < $1.key }.flatMap { Array("\($0.key)=\($0.value.string ?? "")".utf8.filter { $0 != 0 }) + [0] }
    }
}
