import AssayAPI
import Base
import KubeCore
import TrialRuntime

/// The pod that reads a PersistentVolumeClaim for the operator, which has no claim of another namespace. Pure.
public struct ClaimPod: Sendable {
    /// Seconds for the pod's whole life, with the pull of its image.
    public static let deadlineSeconds = 1500

    private let settings: TrialPodSettings

    public init(_ settings: TrialPodSettings) { self.settings = settings }

    /// - Parameters:
    ///   - upload: the name of the pack at the cache service.
    ///   - template: of the target: the claim may be on certain nodes only.
    public func pod(
        name: String, namespace: String, owner: OwnerReference, claim: ClaimSpec, upload: String, cache: CacheAccess, template: PodTemplate?
    ) throws -> JSONValue {
        var mounts: [JSONValue] = [
            ["name": .string(ClaimContract.claimVolume), "mountPath": .string(ClaimContract.claim()), "readOnly": true],
            ["name": .string(ClaimContract.workVolume), "mountPath": .string(ClaimContract.work())],
        ]
        var volumes: [JSONValue] = [
            ["name": .string(ClaimContract.claimVolume), "persistentVolumeClaim": ["claimName": .string(claim.name), "readOnly": true]],
            ["name": .string(ClaimContract.workVolume), "emptyDir": ["sizeLimit": "8Gi"]],
        ]
        if case .socket(let directory) = cache.endpoint {
            mounts.append(["name": "repo-cache", "mountPath": .string(TrialPaths().cache), "readOnly": true])
            volumes.append(["name": "repo-cache", "hostPath": ["path": .string(directory), "type": "Directory"]])
        }
        var container: JSONValue = [
            "name": .string(ClaimContract.containerName), "image": .string(settings.assayImage),
            "command": .array(ClaimContract.command.map { .string($0) }),
            "env": .array(
                PodEnvironment.cache(cache) + [
                    PodEnvironment.literal(ClaimContract.folder, claim.folder), PodEnvironment.literal(ClaimContract.upload, upload),
                ]),
            "volumeMounts": .array(mounts), "securityContext": TrialPodBuilder.security,
            "resources": [
                "requests": ["cpu": "50m", "memory": "64Mi", "ephemeral-storage": "64Mi"], "limits": ["memory": "1Gi", "ephemeral-storage": "9Gi"],
            ],
            "terminationMessagePath": .string(TrialPaths().terminationLog), "terminationMessagePolicy": "FallbackToLogsOnError",
        ]
        if let policy = settings.imagePullPolicy { container["imagePullPolicy"] = .string(policy) }
        var spec: JSONValue = [
            "restartPolicy": "Never", "automountServiceAccountToken": false, "enableServiceLinks": false, "terminationGracePeriodSeconds": 1,
            "activeDeadlineSeconds": JSONValue(Self.deadlineSeconds), "volumes": .array(volumes), "containers": [container],
        ]
        var metadata: JSONValue = [
            "name": .string(name), "namespace": .string(namespace), "ownerReferences": [try JSONValueEncoder().encode(owner)],
            "labels": .object([
                AssayNames.managedByLabel: .string(AssayNames.managedByValue), NetworkCheckPod.label: "claim",
                AssayNames.networkLabel: .string(PodNetwork.public.rawValue),
            ]),
        ]
        if let template { TemplateMerge.apply(template, metadata: &metadata, spec: &spec) }
        return ["apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec]
    }
}

extension ClaimSpec {
    /// The folder relative to the claim's root; empty: all of it.
    var folder: String { (path ?? "").split(separator: "/").joined(separator: "/") }
}
