extension CustomResourceDefinitions {
    /// The YAML documents of manifests/crds, one definition each: for the embedded control plane, where nobody applies them.
    public static let documents = [evalJobs, evalTargets, overlaySources]
}
