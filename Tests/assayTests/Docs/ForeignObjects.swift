import Base

/// Kinds in examples that the embedded API server does not serve, with the fields that their documentation has. An example may use only these, so that
/// a misspelled one is found.
enum ForeignObjects {
    struct Shape {
        /// The fields at the top, besides apiVersion, kind and metadata.
        var fields: Set<String> = ["spec"]
        /// The fields of `spec`.
        var spec: Set<String> = []
        /// Where the template of a pod is, which the API server does know.
        var pod: [String]?

        /// The paths of fields that the kind does not have.
        func unknown(in object: JSONValue) -> [String] {
            let top = (object.object ?? [:]).keys.filter { !fields.contains($0) && !["apiVersion", "kind", "metadata"].contains($0) }
            return top.sorted() + (object["spec"]?.object ?? [:]).keys.filter { !spec.contains($0) }.sorted().map { "spec.\($0)" }
        }
    }

    static let shapes: [String: Shape] = [
        "batch/v1/CronJob": Shape(
            spec: [
                "concurrencyPolicy", "failedJobsHistoryLimit", "jobTemplate", "schedule", "startingDeadlineSeconds", "successfulJobsHistoryLimit",
                "suspend", "timeZone",
            ],
            pod: ["spec", "jobTemplate", "spec", "template"]),
        "node.k8s.io/v1/RuntimeClass": Shape(fields: ["handler", "overhead", "scheduling"]),
        "source.toolkit.fluxcd.io/v1/GitRepository": Shape(spec: ["interval", "ref", "secretRef", "timeout", "url"]),
        "helm.toolkit.fluxcd.io/v2/HelmRelease": Shape(
            spec: ["chart", "install", "interval", "releaseName", "targetNamespace", "upgrade", "values"]),
        "kustomize.toolkit.fluxcd.io/v1/Kustomization": Shape(spec: ["interval", "path", "prune", "sourceRef", "timeout", "wait"]),
        "argoproj.io/v1alpha1/Application": Shape(spec: ["destination", "project", "source", "syncPolicy"]),
    ]
}
