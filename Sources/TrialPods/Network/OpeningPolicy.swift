import AssayAPI
import Base
import KubeCore

/// Finds a NetworkPolicy of somebody else that lets proxied trial pods connect to more than Assay's own does: policies add up, so one is enough to
/// undo the restriction.
public enum OpeningPolicy {
    /// Labels whose values differ between the pods of a job. A policy that asks for one of them is taken to select some pod.
    private static let varying: Set<String> = [
        AssayNames.indexLabel, AssayNames.rerunLabel, AssayNames.retryLabel, AssayNames.agentIndexLabel,
    ]

    /// The name of the first such policy, in order of names.
    ///
    /// - Parameters:
    ///   - policies: all of the namespace, as the API server returns them.
    ///   - labels: of a pod of the job.
    public static func first(in policies: [JSONValue], labels: [String: String]) -> String? {
        policies.filter { opens($0, labels) }.map { ObjectMeta(of: $0).name }.filter { !TrialPolicies.names.contains($0) }.min()
    }

    private static func opens(_ policy: JSONValue, _ labels: [String: String]) -> Bool {
        guard let spec = policy["spec"], !(spec["egress"]?.array ?? []).isEmpty else { return false }
        // A policy that lists no types has the type Egress when it has such rules.
        let types = spec["policyTypes"]?.array?.compactMap(\.string) ?? []
        guard types.isEmpty || types.contains("Egress") else { return false }
        // A selector that cannot be read may select the pods.
        guard let selector = LabelSelector(json: spec["podSelector"] ?? [:]) else { return true }
        return selector.requirements.allSatisfy { varying.contains($0.key) || $0.holds(for: labels) }
    }
}
