extension CustomResourceDefinitions {
    /// The YAML documents of manifests/crds, one definition each. The embedded control plane installs them itself.
    public static let documents = [evalJobs, evalTargets, overlaySources]
}
