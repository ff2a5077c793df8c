import AssayAPI
import TrialRuntime

/// The values that delivery hands on for one phase only: the verifier's, and the oracle's solution's. Secrets among them come as variables of the
/// delivery container, and the values name these.
struct DeliveredValues: Sendable {
    private(set) var secrets: [(variable: String, reference: SecretKeyReference)] = []
    /// For each step.
    private(set) var verifier: [[String: VerifierVariables.Value]] = []
    private(set) var solution: [String: VerifierVariables.Value] = [:]

    init(_ request: TrialPodRequest) {
        // A separate verifier's container has them as its own.
        if !request.isVerifiedSeparately {
            for table in request.verifierVariables { verifier.append(delivered(table)) }
        }
        solution = delivered(request.solutionVariables)
    }

    private mutating func delivered(_ table: [String: TaskValue]) -> [String: VerifierVariables.Value] {
        var result: [String: VerifierVariables.Value] = [:]
        // Sorted, so that the same request gives the same pod.
        for (name, value) in table.sorted(by: { $0.key < $1.key }) {
            switch value {
            case .literal(let text): result[name] = .literal(text)
            case .secret(let reference): result[name] = .variable(variable(reference))
            }
        }
        return result
    }

    private mutating func variable(_ reference: SecretKeyReference) -> String {
        if let known = secrets.first(where: { $0.reference == reference }) { return known.variable }
        let variable = "\(TrialVariables.value)\(secrets.count)"
        secrets.append((variable, reference))
        return variable
    }
}
