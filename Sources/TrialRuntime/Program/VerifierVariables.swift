import Base
import EvalModel

/// The values of the verifier's environment, and of the oracle's solution. The operator gives them to delivery as JSON: an object for each step,
/// in which a secret stands as the name of delivery's own variable that holds it. Delivery writes a file for each step with entries
/// `NAME=value`, each ended by a NUL so that a value may hold any other byte. The collector gives the step's file to the runner together with
/// the tests.
public enum VerifierVariables {
    /// A value, or where delivery finds it.
    public enum Value: Sendable, Hashable {
        case literal(String)
        /// The variable of the delivery container.
        case variable(String)
    }

    /// The key in the separate ConfigMap that holds the values when they are too large for the pod.
    public static let key = "env.json"

    private static let variableKey = "variable"

    /// - Parameter steps: one for all steps, or one for each.
    public static func json(_ steps: [[String: Value]]) -> String {
        let objects = steps.map { step in
            JSONValue.object(
                step.mapValues { value in
                    switch value {
                    case .literal(let text): .string(text)
                    case .variable(let name): [variableKey: .string(name)]
                    }
                })
        }
        return (objects.count == 1 ? objects[0] : .array(objects)).text
    }

    public static func json(_ variables: [String: String]) -> String { json([variables.mapValues { .literal($0) }]) }

    /// The files of the steps.
    ///
    /// - Parameters:
    ///   - steps: how many the trial has; an object that is for all of them is repeated.
    ///   - environment: delivery's own.
    /// - Throws: `internal_error`.
    static func entries(json: some Sequence<UInt8>, steps: Int = 1, environment: [String: String] = [:]) throws(TrialError) -> [[UInt8]] {
        let value = try? JSONValue(parsing: Array(json))
        let objects: [[String: JSONValue]]
        if let object = value?.object {
            objects = Array(repeating: object, count: max(1, steps))
        } else {
            objects = value?.array?.compactMap(\.object) ?? []
            guard objects.count == steps else { throw TrialError(.internalError, "the verifier's environment has no JSON object for each step") }
        }
        var files: [[UInt8]] = []
        for object in objects {
            var file: [UInt8] = []
            for (name, value) in object.sorted(by: { $0.key < $1.key }) {
                // A secret that is optional and not there leaves its variable unset.
                guard let text = value.string ?? value[variableKey]?.string.flatMap({ environment[$0] }) else { continue }
                file += Array("\(name)=\(text)".utf8.filter { $0 != 0 }) + [0]
            }
            files.append(file)
        }
        return files
    }
}
