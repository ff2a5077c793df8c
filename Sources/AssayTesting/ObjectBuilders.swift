import Base
import KubeCore

/// JSON objects for tests: minimal valid objects that a test can extend.
public enum Build {
    /// Any object.
    public static func object(
        _ type: ResourceType, _ name: String, namespace: String = "default", labels: [String: String] = [:],
        finalizers: [String] = [], spec: JSONValue? = nil, status: JSONValue? = nil
    ) -> JSONValue {
        var metadata: [String: JSONValue] = ["name": .string(name)]
        if type.namespaced { metadata["namespace"] = .string(namespace) }
        if !labels.isEmpty { metadata["labels"] = .object(labels.mapValues { .string($0) }) }
        if !finalizers.isEmpty { metadata["finalizers"] = .array(finalizers.map { .string($0) }) }
        var object: [String: JSONValue] = [
            "apiVersion": .string(type.apiVersion), "kind": .string(type.kind), "metadata": .object(metadata),
        ]
        object["spec"] = spec
        object["status"] = status
        return .object(object)
    }

    /// A pod with one container.
    public static func pod(
        _ name: String, namespace: String = "default", labels: [String: String] = [:], finalizers: [String] = [],
        image: String = "example.invalid/task:1", phase: String? = nil
    ) -> JSONValue {
        object(
            .pods, name, namespace: namespace, labels: labels, finalizers: finalizers,
            spec: ["restartPolicy": "Never", "containers": [["name": "trial", "image": .string(image)]]],
            status: phase.map { ["phase": .string($0)] })
    }

    public static let evalJobs = ResourceType(
        group: "assay.dev", version: "v1alpha1", plural: "evaljobs", kind: "EvalJob", namespaced: true)

    /// An EvalJob with one dataset and the oracle.
    public static func evalJob(
        _ name: String, namespace: String = "default", repo: String = "https://example.invalid/bench.git",
        ref: String = "main", dataset: String = "tasks", attempts: Int = 1
    ) -> JSONValue {
        object(
            evalJobs, name, namespace: namespace,
            spec: [
                "source": ["repo": .string(repo), "ref": .string(ref)], "datasets": [["path": .string(dataset)]],
                "agents": [["name": "oracle"]], "attempts": JSONValue(attempts),
            ])
    }
}
