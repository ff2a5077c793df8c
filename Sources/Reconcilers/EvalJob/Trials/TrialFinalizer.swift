import AssayAPI
import Base
import KubeClient
import KubeCore
import KubeRuntime

/// Takes the finalizer of trials off their pods.
struct TrialFinalizer: Sendable {
    let client: KubeClient
    /// nil for pods that no decision is about any more: their jobs need not wait until the cache shows the writes.
    let expectations: Expectations<String>?

    /// - Parameters:
    ///   - labels: labels that the same write sets.
    ///   - annotations: annotations that the same write sets.
    /// - Returns: false when the pod is gone, or another pod has its name.
    @discardableResult
    func remove(from pod: TrialPod, labels: [String: JSONValue] = [:], annotations: [String: JSONValue] = [:]) async throws(KubeError) -> Bool {
        // Removes only our finalizer from the present list: others may have been added since the pod was read.
        var metadata: JSONValue = ["$deleteFromPrimitiveList/finalizers": [.string(AssayNames.trialFinalizer)], "uid": .string(pod.uid)]
        if !labels.isEmpty { metadata["labels"] = .object(labels) }
        if !annotations.isEmpty { metadata["annotations"] = .object(annotations) }
        do {
            let answer = try await client.patch(.pods, pod.key, .strategic(["metadata": metadata]), keeping: .metadata)
            if let version = answer.at("metadata", "resourceVersion")?.string {
                expectations?.wrote(pod.key, version: version, for: pod.identity.jobUID)
            }
            return true
        } catch {
            guard error.isNotFound || error.isConflict else { throw error }
            return false
        }
    }
}
