import AssayAPI
import EvalModel

/// A variable's value in a pod.
enum TaskValue: Sendable, Hashable {
    case literal(String)
    case secret(SecretKeyReference)

    var literal: String? { if case .literal(let text) = self { text } else { nil } }
    var secret: SecretKeyReference? { if case .secret(let reference) = self { reference } else { nil } }
}

/// The variables that a job gives to the `${VAR}` of its tasks (`spec.environment.env`). Nothing else resolves them, least of all the operator's
/// own environment.
struct TaskValues: Sendable {
    private let given: [String: TaskValue]

    init(_ variables: [EnvironmentVariable]) {
        given = Dictionary(
            variables.map { variable in
                (variable.name, variable.valueFrom?.secretKeyRef.map { .secret($0) } ?? .literal(variable.value ?? ""))
            }, uniquingKeysWith: { _, last in last })
    }

    subscript(name: String) -> TaskValue? { given[name] }

    /// A task's table with each `${VAR}` replaced. A variable that has neither value nor default is left out: such a job has not started.
    func resolved(_ table: [String: String]) -> [String: TaskValue] {
        table.compactMapValues { text in
            guard let variable = TaskVariable(text) else { return .literal(text) }
            return given[variable.name] ?? variable.fallback.map { .literal($0) }
        }
    }
}
