import AssayAPI
import Base

/// Applies a pod template to a pod. Later templates take precedence; the parts that make a pod a trial pod are never overridden. A
/// template's resources apply to the trial container; `TrialResources` computes them.
enum TemplateMerge {
    static func apply(_ template: PodTemplate, metadata: inout JSONValue, spec: inout JSONValue) {
        add(template.labels, to: &metadata, "labels")
        add(template.annotations, to: &metadata, "annotations")
        if let name = template.serviceAccountName { spec["serviceAccountName"] = .string(name) }
        if let name = template.runtimeClassName { spec["runtimeClassName"] = .string(name) }
        if let name = template.priorityClassName { spec["priorityClassName"] = .string(name) }
        if let affinity = template.affinity { spec["affinity"] = affinity }
        if let selector = template.nodeSelector {
            for (key, value) in selector { spec.set(["nodeSelector", key], to: .string(value)) }
        }
        if let tolerations = template.tolerations { append(tolerations.map(json), to: &spec, "tolerations") }
        if let secrets = template.imagePullSecrets {
            append(secrets.map { ["name": .string($0.name)] }, to: &spec, "imagePullSecrets")
        }
    }

    /// Labels and annotations of Assay and Kubernetes are not changed.
    private static func add(_ values: [String: String]?, to metadata: inout JSONValue, _ field: String) {
        for (key, value) in values ?? [:] where metadata[field]?[key] == nil {
            metadata.set([field, key], to: .string(value))
        }
    }

    private static func json(_ toleration: PodTemplate.Toleration) -> JSONValue {
        // A toleration has only strings and a number, so encoding it cannot fail.
        (try? JSONValueEncoder().encode(toleration)) ?? [:]
    }

    private static func append(_ items: [JSONValue], to spec: inout JSONValue, _ field: String) {
        var list = spec[field]?.array ?? []
        for item in items where !list.contains(item) { list.append(item) }
        spec[field] = .array(list)
    }
}
