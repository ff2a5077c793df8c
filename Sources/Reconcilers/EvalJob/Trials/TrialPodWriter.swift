import AssayAPI
import Base
import KubeClient
import KubeCore
import KubeRuntime

/// Creates, stops and releases trial pods. Every call may be repeated: the second one finds the work done.
struct TrialPodWriter: Sendable {
    let client: KubeClient
    let expectations: Expectations<String>

    /// - Returns: false when another object has the pod's name, or the pod of an earlier try is still on its way out.
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

    /// Asks the node to end the pod's containers; the finalizer keeps the pod until it is counted.
    func stop(_ pod: TrialPod, jobUID: String) async throws {
        try await delete(pod, jobUID: jobUID, options: DeleteOptions(uid: pod.uid))
    }

    /// What happens to a pod whose finalizer is taken off.
    enum ReleasePolicy {
        case delete
        /// Stays, labelled as counted, for a person to look at.
        case preserve
        /// Deleted, and marked so that its end counts for nothing: the trial runs again.
        case interrupt
    }

    /// Takes the finalizer off; then deletes the pod, unless it is to be kept.
    func release(_ pod: TrialPod, _ policy: ReleasePolicy, jobUID: String) async throws {
        let preserve = policy == .preserve
        if pod.isTracked || (preserve && !pod.isPreserved) {
            // Ours alone is taken out of the list as it is now: another's may have come since the pod was seen.
            var metadata: JSONValue = ["$deleteFromPrimitiveList/finalizers": [.string(AssayNames.trialFinalizer)], "uid": .string(pod.uid)]
            if preserve { metadata["labels"] = .object([AssayNames.countedLabel: "true"]) }
            if policy == .interrupt { metadata["annotations"] = .object([AssayNames.interruptedAnnotation: "true"]) }
            do {
                let answer = try await client.patch(.pods, pod.key, .strategic(["metadata": metadata]), keeping: .metadata)
                if let version = answer.at("metadata", "resourceVersion")?.string {
                    expectations.wrote(pod.key, version: version, for: jobUID)
                }
            } catch {
                // Gone, or another pod has the name: the next pass looks again.
                guard error.isNotFound || error.isConflict else { throw error }
                return
            }
        }
        if !preserve, !pod.snapshot.metadata.isDeleting {
            // Its containers have ended, or nothing comes of them any more: no reason to wait.
            try await delete(pod, jobUID: jobUID, options: DeleteOptions(gracePeriodSeconds: pod.snapshot.containersEnded ? 0 : nil, uid: pod.uid))
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
