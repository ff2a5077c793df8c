import Base

/// Which nodes a task with GPUs may run on.
///
/// The number is a limit of the extended resource. The type is a label of the node, and providers name and spell it differently: the pod may run on a
/// node that has any of these labels with any of the types that the task names. Where no node has one, the pod is pending, and the job says so.
enum GPUNodes {
    /// The extended resource of NVIDIA's device plugin, which all providers use.
    static let resource = "nvidia.com/gpu"
    /// NVIDIA's GPU feature discovery, GKE, Karpenter on AWS, and a label for administrators of other clusters.
    static let labels = ["nvidia.com/gpu.product", "cloud.google.com/gke-accelerator", "karpenter.k8s.aws/instance-gpu-name", "assay.dev/gpu-type"]

    /// Restricts the pod's nodes, beside what templates ask for: terms are alternatives, so each of theirs is combined with each of ours.
    static func require(_ types: [String], in spec: inout JSONValue) {
        guard !types.isEmpty else { return }
        let path = ["affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms"]
        let expressions = labels.map { label -> JSONValue in
            ["key": .string(label), "operator": "In", "values": .array(types.map { .string($0) })]
        }
        var given: JSONValue? = spec
        for key in path { given = given?[key] }
        let terms = (given?.array ?? [[:]]).flatMap { term in
            expressions.map { expression -> JSONValue in
                var term = term
                term["matchExpressions"] = .array((term["matchExpressions"]?.array ?? []) + [expression])
                return term
            }
        }
        spec.set(path, to: .array(terms))
    }
}
