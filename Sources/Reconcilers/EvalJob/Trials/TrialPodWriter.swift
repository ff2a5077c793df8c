import AssayAPI
import Base
import KubeClient
import KubeCore
import KubeRuntime

/// Creates, stops and releases trial pods. Every call may be repeated without further effect.
struct TrialPodWriter: Sendable {
    let client: KubeClient
    let expectations: Expectations<String>
    let deletions: PodDeletions

    /// - Returns: false when another object has the pod's name, or the pod of an earlier try is still being deleted.
    func create(_ pod: JSONValue, namespace: String, jobUID: String) async throws -> Bool {
        let outcome = try await client.createOnce(.pods, pod, namespace: namespace, keeping: .metadata) { found in
            found.at("metadata", "labels", AssayNames.jobUIDLabel)?.string == jobUID
        }
        let metadata = ObjectMeta(of: outcome.object)
        guard case .taken = outcome else {
            if let version = metadata.resourceVersion { expectations.wrote(metadata.key, version: version, for: jobUID) }
            return true
        }
        return false
    }

    /// Asks the node to end the pod's containers. The finalizer keeps the pod until its trial is counted.
    func stop(_ pod: TrialPod, jobUID: String) async throws {
        try await delete(pod, jobUID: jobUID, options: DeleteOptions(uid: pod.uid))
    }

    /// What happens to a pod whose finalizer is taken off.
    enum ReleasePolicy {
        case delete
        /// The pod is deleted in the background: its trial is counted, or has a successor with another name.
        case deleteLater
        /// The pod stays, labelled as counted, so that a person can look at it.
        case preserve
        /// The pod is deleted, and marked so that its outcome does not count: the trial runs again.
        case interrupt
    }

    /// Takes the finalizer off, then deletes the pod unless it is to be kept.
    func release(_ pod: TrialPod, _ policy: ReleasePolicy, jobUID: String) async throws {
        let preserve = policy == .preserve
        if pod.isTracked || (preserve && !pod.isPreserved) {
            // Removes only our finalizer from the present list: others may have been added since the pod was read.
            var metadata: JSONValue = ["$deleteFromPrimitiveList/finalizers": [.string(AssayNames.trialFinalizer)], "uid": .string(pod.uid)]
            if preserve { metadata["labels"] = .object([AssayNames.countedLabel: "true"]) }
            if policy == .interrupt { metadata["annotations"] = .object([AssayNames.interruptedAnnotation: "true"]) }
            do {
                let answer = try await client.patch(.pods, pod.key, .strategic(["metadata": metadata]), keeping: .metadata)
                if let version = answer.at("metadata", "resourceVersion")?.string {
                    expectations.wrote(pod.key, version: version, for: jobUID)
                }
            } catch {
                // The pod is gone, or another pod has its name: the next pass looks again.
                guard error.isNotFound || error.isConflict else { throw error }
                return
            }
        }
        if !preserve, !pod.snapshot.metadata.isDeleting {
            // When the containers have ended, there is no reason to wait for the grace period.
            let options = DeleteOptions(gracePeriodSeconds: pod.snapshot.containersEnded ? 0 : nil, uid: pod.uid)
            // Containers that still run cost money.
            guard policy == .deleteLater, pod.snapshot.containersEnded else { return try await delete(pod, jobUID: jobUID, options: options) }
            deletions.delete(pod, options: options)
        }
    }

    private func delete(_ pod: TrialPod, jobUID: String, options: DeleteOptions) async throws {
        do {
            try await client.delete(.pods, pod.key, options: options, keeping: .metadata)
            expectations.deleted(pod.key, uid: pod.uid, for: jobUID)
        } catch {
            guard error.isNotFound || error.isConflict else { throw error }
        }
    }
}
