import AssayAPI
import EvalModel
import KubeClient
import Planning
import TrialPods

/// The step of a job that has to do with the network of its trials.
extension EvalJobReconciler {
    /// Makes sure that the NetworkPolicies of the job's pods exist before the pods do. What keeps them from restricting the trials is among the errors of the pass:
    /// no pod is created then.
    /// - Returns: whether pods may be created.
    func holdNetwork(_ pass: inout JobPass, _ prepared: PreparedJob, _ target: EvalTargetSpec) async -> Bool {
        guard let networks else { return true }
        do {
            pass.addresses = try await networks.hold(
                JobNetworks.Job(
                    identity: pass.identity, proxiedLabels: prepared.proxiedLabels(of: pass.job, pass.identity, target),
                    template: target.podTemplate))
            pass.wake(after: 2 * JobNetworks.checkSeconds)
            return true
        } catch let error as ReconcileError {
            pass.add(error)
        } catch {
            pass.failure = pass.failure ?? error
        }
        return false
    }

    /// For a job that creates no more pods: removes it from the owners of the policies. The last owner deletes them.
    /// - Returns: false while pods need them; the pass then wakes the job again.
    func releaseNetwork(_ pass: inout JobPass) async throws -> Bool {
        // When the whole namespace is deleted, Kubernetes deletes its policies after its pods.
        guard let networks, pass.memory.namespaceEndSeen == nil else { return true }
        if try await networks.release(pass.identity) { return true }
        pass.wake(after: 1)
        return false
    }
}

extension PreparedJob {
    /// The labels of a pod with a restricted network; nil when no trial needs one.
    fileprivate func proxiedLabels(of job: EvalJob, _ identity: JobIdentity, _ target: EvalTargetSpec) -> [String: String]? {
        let isRestricted = tasks.contains { task in
            guard let task = task.task else { return false }
            return job.spec.agents.contains { !TrialNetwork(of: task, job: job.spec, agent: $0).isOpen }
        }
        guard isRestricted, let first = matrix.coordinate(at: 0) else { return nil }
        var labels = TrialPodNames.labels(job: identity.name, jobUID: identity.uid, coordinate: first, retry: 0)
        labels[AssayNames.networkLabel] = PodNetwork.proxied.rawValue
        for template in [target.podTemplate, job.spec.environment.podTemplate] { labels.merge(template?.labels ?? [:]) { own, _ in own } }
        return labels
    }
}
