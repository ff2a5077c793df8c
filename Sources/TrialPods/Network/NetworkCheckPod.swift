import AssayAPI
import Base
import KubeCore
import TrialRuntime

/// The pod that checks whether the cluster enforces the policy of proxied pods in a namespace. Pure.
public struct NetworkCheckPod: Sendable {
    /// On a pod of the operator's own that runs no trial and builds nothing; its value says what it is for.
    public static let label = "assay.dev/check"
    /// Seconds for the pod's whole life, with the pull of its image.
    public static let deadlineSeconds = 240

    private let settings: TrialPodSettings

    public init(_ settings: TrialPodSettings) { self.settings = settings }

    /// - Parameters:
    ///   - allowed: `HOST:PORT` of the cache service, with an address for HOST.
    ///   - canary: the same of the canary.
    public func pod(name: String, namespace: String, owner: OwnerReference, template: PodTemplate?, allowed: String, canary: String) throws
        -> JSONValue
    {
        var container: JSONValue = [
            "name": "check", "image": .string(settings.assayImage), "command": [.string(ContainerRole.executable), "check-network"],
            "env": [
                ["name": .string(NetworkCheckCommand.allowed), "value": .string(allowed)],
                ["name": .string(NetworkCheckCommand.canary), "value": .string(canary)],
            ],
            "securityContext": TrialPodBuilder.security,
            "resources": ["requests": ["cpu": "10m", "memory": "32Mi"], "limits": ["memory": "256Mi"]],
            "terminationMessagePath": .string(TrialPaths().terminationLog), "terminationMessagePolicy": "FallbackToLogsOnError",
        ]
        if let policy = settings.imagePullPolicy { container["imagePullPolicy"] = .string(policy) }
        var spec: JSONValue = [
            "restartPolicy": "Never", "automountServiceAccountToken": false, "enableServiceLinks": false, "terminationGracePeriodSeconds": 1,
            "activeDeadlineSeconds": JSONValue(Self.deadlineSeconds), "securityContext": ["seccompProfile": ["type": "RuntimeDefault"]],
            "dnsPolicy": "None", "dnsConfig": ["nameservers": ["127.0.0.1"]], "containers": [container],
        ]
        var metadata: JSONValue = [
            "name": .string(name), "namespace": .string(namespace), "ownerReferences": [try JSONValueEncoder().encode(owner)],
            "labels": .object([
                AssayNames.managedByLabel: .string(AssayNames.managedByValue), Self.label: "network",
                AssayNames.networkLabel: .string(PodNetwork.proxied.rawValue),
            ]),
        ]
        // On the nodes that trials run on, with what they need to start there.
        if let template { TemplateMerge.apply(template, metadata: &metadata, spec: &spec) }
        return ["apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec]
    }
}
