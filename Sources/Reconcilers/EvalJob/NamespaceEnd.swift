import AssayAPI
import Base
import KubeClient
import KubeCore

/// What a job does when its namespace is being deleted.
///
/// Since Kubernetes 1.33 the pods of such a namespace are deleted before everything else, and nothing can be created in it. The job itself gets
/// no deletion timestamp while the finalizers of its pods hold them, and a try that was ended can have no successor. So the end of the namespace
/// is the end of the job: what ended is recorded, and all finalizers are removed within a bound, whether or not the results remote answers.
extension EvalJobReconciler {
    /// Seconds after which the finalizers are removed even if results are not recorded: otherwise the namespace might never be deleted, and the
    /// Secrets for the results are deleted soon anyway.
    static let namespaceSeconds = 15.0
    /// Seconds between two requests for the namespace of one job.
    private static let namespaceAskSeconds = 3.0

    /// Finds out whether the job's namespace is being deleted: a creation was refused for that reason, or somebody else deletes the job's pods.
    /// The next pass then ends the job.
    func lookForNamespaceEnd(_ pass: inout JobPass) async {
        if let refusal = pass.failure as? KubeError, refusal.isNamespaceTerminating {
            pass.failure = nil
            noteNamespaceEnd(pass)
        } else if trials.pods.unordered(pass.identity.uid).contains(where: { $0.isTracked && $0.snapshot.metadata.isDeleting }) {
            await askForNamespace(&pass)
        }
        if pass.memory.namespaceEndSeen != nil { pass.wake(after: 0) }
    }

    /// Handles a job whose namespace is being deleted although the job itself is not.
    func endWithNamespace(_ pass: inout JobPass) async throws {
        let isHeld = pass.job.metadata.finalizers?.contains(AssayNames.jobFinalizer) == true
        guard isHeld || trials.pods.unordered(pass.identity.uid).contains(where: \.isTracked) else { return }
        // The roles of an operator that works for this namespace only are deleted as soon as no pod is left. The pods' own finalizers keep them, and
        // with them the roles, until the trials are recorded; only the job's own record may be too late.
        if configuration.namespace != nil, try await !removeJobFinalizer(pass.job) { return pass.wake(after: 0.1) }
        guard try await recordDeleted(&pass), !pass.isGone else { return }
        try await releaseJob(&pass)
    }

    /// Whether the job's namespace has been in deletion for so long that its results are not waited for any more.
    func namespaceWaitsTooLong(_ pass: inout JobPass) async -> Bool {
        await askForNamespace(&pass)
        guard let since = pass.memory.namespaceEndSeen else { return false }
        return time.monotonic() - since >= Self.namespaceSeconds
    }

    private func noteNamespaceEnd(_ pass: JobPass) {
        let now = time.monotonic()
        let isNews = pass.memory.state.withLock { state in
            defer { state.namespaceEndSeen = state.namespaceEndSeen ?? now }
            return state.namespaceEndSeen == nil
        }
        guard isNews else { return }
        // Other jobs of the namespace may have no pods and would not notice it by themselves.
        for entry in jobs.entries() where entry.key.namespace == pass.identity.namespace && entry.uid != pass.identity.uid {
            let known = memory(of: entry.uid).state.withLock { state in
                defer { state.namespaceEndSeen = state.namespaceEndSeen ?? now }
                return state.namespaceEndSeen != nil
            }
            if !known { wakeLater(entry.key, 0) }
        }
        log.info("the namespace of the job is being deleted: the job ends", ["object": .string(pass.identity.description)])
    }

    private func askForNamespace(_ pass: inout JobPass) async {
        let now = time.monotonic()
        let next = pass.memory.state.withLock { state -> Double? in
            guard state.namespaceEndSeen == nil else { return nil }
            let next = state.namespaceAskedAt.map { $0 + Self.namespaceAskSeconds } ?? now
            if next <= now { state.namespaceAskedAt = now }
            return next
        }
        guard let next else { return }
        guard next <= now else { return pass.wake(after: next - now) }
        do {
            let namespace = try await client.get(.namespaces, ObjectKey(namespace: "", name: pass.identity.namespace), keeping: .metadata)
            if ObjectMeta(of: namespace).isDeleting { noteNamespaceEnd(pass) }
        } catch {
            // An operator that may not read the namespace learns of its end when a creation is refused.
            if !error.isForbidden { pass.wake(after: Self.namespaceAskSeconds) }
        }
    }
}
