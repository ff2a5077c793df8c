import AssayAPI
import Base
import KubeClient
import KubeCore
import KubeRuntime
import Planning
import TrialPods

/// The NetworkPolicies of trials in the namespaces of jobs.
///
/// The jobs of a namespace share them, and each is an owner. So they exist from before the first pod until after the last one, whatever the order in which jobs come
/// and go, and Kubernetes collects them when the owners are deleted without an operator. Every write names the resource version that was read. When two operators or
/// two jobs write at the same time, the second write fails with a conflict, and its writer reads and decides again.
struct TrialNetworkPolicies: Sendable {
    /// How often a write is tried that conflicts with the write of another operator or job.
    private static let attempts = 8
    /// Seconds after which a pod that is being deleted is no longer waited for, because its node is lost. That node enforces the policies that it
    /// knows, and ends the pod when it comes back.
    private static let lostSeconds = 300.0

    let client: KubeClient
    let time: any TimeSource

    /// Creates or repairs both policies, and makes `owner` one of their owners.
    ///
    /// - Returns: the namespace's other policies.
    /// - Throws: `KubeError`; `ReconcileError` when a policy that Assay did not make has one of the names.
    func hold(_ policies: TrialPolicies, in namespace: String, owner: OwnerReference) async throws -> [JSONValue] {
        var left = Self.attempts
        while true {
            left -= 1
            let found = try await list(namespace)
            do {
                for wanted in policies.objects(namespace: namespace) { try await make(wanted, like: found, owner) }
                return found.filter { !TrialPolicies.names.contains(ObjectMeta(of: $0).name) }
            } catch let error as KubeError where (error.isConflict || error.isAlreadyExists || error.isNotFound) && left > 0 {
                continue
            }
        }
    }

    /// Removes the owner from the policies. The last owner deletes them, once no pod is left that they select.
    ///
    /// - Returns: false while pods still need them.
    func release(in namespace: String, owner uid: String) async throws -> Bool {
        var left = Self.attempts
        while true {
            left -= 1
            let ours = try await list(namespace).filter { TrialPolicies.names.contains(ObjectMeta(of: $0).name) && Self.isOurs($0) }
            let held = ours.filter { policy in (ObjectMeta(of: policy).ownerReferences ?? []).contains { $0.uid == uid } }
            if held.isEmpty { return true }
            let isLast = held.contains { (ObjectMeta(of: $0).ownerReferences ?? []).count == 1 }
            if isLast, try await hasPods(namespace) { return false }
            do {
                for policy in held { try await drop(policy, owner: uid) }
                return true
            } catch let error as KubeError where error.isConflict && left > 0 {
                continue
            }
        }
    }

    private func list(_ namespace: String) async throws(KubeError) -> [JSONValue] {
        try await client.listAll(.networkPolicies, namespace: namespace).items
    }

    private func make(_ wanted: JSONValue, like found: [JSONValue], _ owner: OwnerReference) async throws {
        let name = ObjectMeta(of: wanted).name
        var policy = wanted
        guard let known = found.first(where: { ObjectMeta(of: $0).name == name }) else {
            policy.set(["metadata", "ownerReferences"], to: .array([try JSONValueEncoder().encode(owner)]))
            try await client.create(.networkPolicies, policy, namespace: ObjectMeta(of: wanted).namespace)
            return
        }
        let metadata = ObjectMeta(of: known)
        guard Self.isOurs(known) else {
            throw ReconcileError.waiting(
                .networkNotEnforced, "the NetworkPolicy \(metadata.key) was not made by Assay but has the name of one of its policies; delete it",
                on: .ready,
                retryAfterSeconds: 30)
        }
        let owners = metadata.ownerReferences ?? []
        guard !metadata.isDeleting else {
            throw ReconcileError.waiting(
                .networkNotEnforced, "the NetworkPolicy \(metadata.key) is being deleted; the operator creates it again when it is gone", on: .ready,
                retryAfterSeconds: 2)
        }
        if known["spec"] == wanted["spec"], owners.contains(where: { $0.uid == owner.uid }) { return }
        policy = known
        policy["spec"] = wanted["spec"]
        if !owners.contains(where: { $0.uid == owner.uid }) {
            policy.set(["metadata", "ownerReferences"], to: .array(try (owners + [owner]).map { try JSONValueEncoder().encode($0) }))
        }
        try await client.update(.networkPolicies, policy)
    }

    private func drop(_ policy: JSONValue, owner uid: String) async throws {
        let metadata = ObjectMeta(of: policy)
        let others = (metadata.ownerReferences ?? []).filter { $0.uid != uid }
        do {
            guard others.isEmpty else {
                var policy = policy
                policy.set(["metadata", "ownerReferences"], to: .array(try others.map { try JSONValueEncoder().encode($0) }))
                try await client.update(.networkPolicies, policy)
                return
            }
            try await client.delete(
                .networkPolicies, metadata.key, options: DeleteOptions(uid: metadata.uid, resourceVersion: metadata.resourceVersion),
                keeping: .metadata)
        } catch let error as KubeError where error.isNotFound {
            return
        }
    }

    private func hasPods(_ namespace: String) async throws(KubeError) -> Bool {
        let pods = try await client.listAll(.pods, namespace: namespace, options: ListOptions(labelSelector: AssayNames.networkLabel)).items
        let now = time.now()
        return pods.contains { pod in
            let hasEnded = ["Succeeded", "Failed"].contains(pod.at("status", "phase")?.string)
            let isLost = ObjectMeta(of: pod).deletionTimestamp.map { $0.adding(seconds: Self.lostSeconds) < now } ?? false
            return !hasEnded && !isLost
        }
    }

    private static func isOurs(_ policy: JSONValue) -> Bool {
        ObjectMeta(of: policy).labels?[AssayNames.managedByLabel] == AssayNames.managedByValue
    }
}
