import AssayAPI
import Base
import KubeCore
import KubeRuntime
import TrialPods

/// How many trials of each job run, kept up to date by the changes of pods, so that nobody walks all pods to know it.
///
/// A pod counts until its end shows in its status. An end that only time brings (an image that cannot be pulled) shows when the job that
/// owns the pod deletes it.
final class TargetLoad: Sendable {
    private let active = Locked<[String: Set<String>]>([:])
    private let jobsByTarget: StoreIndex<EvalJob, ObjectKey>
    private let bounds: PodFateBounds
    private let time: any TimeSource

    init(jobs: Store<EvalJob>, bounds: PodFateBounds, time: any TimeSource) {
        self.bounds = bounds
        self.time = time
        jobsByTarget = jobs.index { [JobRequirements.targetKey(of: $0.object.spec, in: $0.key.namespace)] }
    }

    /// A pod has changed; called for each change.
    func follow(_ change: StoreChange<TrialPod>) {
        let pod = change.latest.object
        let job = pod.identity.jobUID
        guard pod.snapshot.metadata.controller?.uid == job else { return }
        var runs = false
        if case .deleted = change {} else { runs = PodFate.of(pod.snapshot, at: time.now(), bounds: bounds).end == nil }
        active.withLock { active in
            if runs {
                active[job, default: []].insert(pod.uid)
            } else {
                active[job]?.remove(pod.uid)
                if active[job]?.isEmpty == true { active.removeValue(forKey: job) }
            }
        }
    }

    /// The jobs on a target.
    func jobs(on target: ObjectKey) -> [EvalJob] { jobsByTarget.objects(for: target) }

    /// Trials that run on a target, by job, but for one job.
    func running(on target: ObjectKey, beside uid: String) -> [String: Int] {
        let jobs = jobsByTarget.entries(for: target).map(\.uid)
        return active.withLock { active in
            jobs.reduce(into: [:]) { found, job in
                if job != uid, let count = active[job]?.count { found[job] = count }
            }
        }
    }
}
