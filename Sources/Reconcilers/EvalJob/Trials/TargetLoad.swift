import AssayAPI
import Base
import KubeCore
import KubeRuntime
import TrialPods

/// The number of running trials of each job, kept up to date by the changes of pods, so that the pods need not be counted each time.
///
/// A pod counts until its status shows its end. An end that follows only from waiting too long (an image that cannot be pulled) does not
/// show in the status; the pod then counts until its job deletes it.
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

    /// Takes account of a change of a pod; called for each change.
    func follow(_ change: StoreChange<TrialPod>) {
        let pod = change.latest.object
        let job = pod.identity.jobUID
        guard pod.snapshot.metadata.controller?.uid == job else { return }
        // A trial that has ended does not run again.
        if case .updated = change, active.withLock({ $0[job]?.contains(pod.uid) != true }) { return }
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

    /// The jobs that use a target.
    func jobs(on target: ObjectKey) -> [EvalJob] { jobsByTarget.objects(for: target) }

    /// Trials that run on a target, by job, without those of one job.
    func running(on target: ObjectKey, beside uid: String) -> [String: Int] {
        let jobs = jobsByTarget.entries(for: target).map(\.uid)
        return active.withLock { active in
            jobs.reduce(into: [:]) { found, job in
                if job != uid, let count = active[job]?.count { found[job] = count }
            }
        }
    }
}
