import AssayAPI
import Base
import KubeClient
import KubeCore
import KubeRuntime

/// Creates, stops and releases trial pods. Every call may be repeated without further effect.
struct TrialPodWriter: Sendable {
    let client: KubeClient
    let expectations: Expectations<String>
    let finalizer: TrialFinalizer
    let releases: PodReleases

    /// - Parameters:
    ///   - pace: when ended pods of counted trials are released.
    ///   - reconcile: asks for a reconcile of a job; must not block.
    init(
        client: KubeClient, expectations: Expectations<String>, pace: ReleasePace, time: any TimeSource, log: Log,
        reconcile: @escaping @Sendable (ObjectKey) -> Void
    ) {
        self.client = client
        self.expectations = expectations
        finalizer = TrialFinalizer(client: client, expectations: expectations)
        releases = PodReleases(
            client: client, finalizer: TrialFinalizer(client: client, expectations: nil), pace: pace, time: time, log: log, reconcile: reconcile)
    }

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
        /// The same, in the background when the pod's containers have ended: its trial is counted, or has a successor with another name.
        case deleteLater
        /// The pod stays, labelled as counted, so that a person can look at it.
        case preserve
        /// The pod is deleted, and marked so that its outcome does not count: the trial runs again.
        case interrupt
    }

    /// Takes the finalizer off, then deletes the pod unless it is to be kept.
    func release(_ pod: TrialPod, _ policy: ReleasePolicy, jobUID: String) async throws {
        let preserve = policy == .preserve
        // When the containers have ended, there is no reason to wait for the grace period.
        let options = DeleteOptions(gracePeriodSeconds: pod.snapshot.containersEnded ? 0 : nil, uid: pod.uid)
        // Containers that still run cost money, and somebody waits for a pod that is being deleted.
        if policy == .deleteLater, pod.snapshot.containersEnded, !pod.snapshot.metadata.isDeleting {
            return releases.release(pod, options: options)
        }
        if pod.isTracked || (preserve && !pod.isPreserved) {
            let isThere = try await finalizer.remove(
                from: pod, labels: preserve ? [AssayNames.countedLabel: "true"] : [:],
                annotations: policy == .interrupt ? [AssayNames.interruptedAnnotation: "true"] : [:])
            // Otherwise the next pass looks again.
            guard isThere else { return }
        }
        if !preserve, !pod.snapshot.metadata.isDeleting { try await delete(pod, jobUID: jobUID, options: options) }
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
