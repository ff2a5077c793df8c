import Base
import EvalModel
import TrialRuntime

extension EgressAccess {
    /// What the operator gave to delivery in a trial's pod; nil for one whose network is not restricted.
    ///
    /// - Throws: `internal_error` when it cannot be read.
    public init?(ofPod pod: JSONValue) throws(TrialError) {
        let variables = (pod.at("spec", "initContainers")?.array ?? []).flatMap { $0["env"]?.array ?? [] }
        guard let text = variables.first(where: { $0["name"]?.string == TrialVariables.egress })?["value"]?.string else { return nil }
        try self.init(json: text.utf8)
    }
}
