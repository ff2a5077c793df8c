import Base
import EvalModel
import Planning

/// What a pass has decided to do with pods. It is done once the pass's status is written.
struct TrialWork: Sendable {
    let planner: TrialPlanner
    let observation: JobTrials.Observation
    /// Pods to release whatever the new status counts, by name.
    let release: [String]
    let create: [TrialPlan.Creation]
    /// nil when no pod can be created now.
    let context: TrialCollection.Context?

    /// The pods to release, given the trials that the status counts.
    func due(_ counted: TrialIndexSet, now: Timestamp) -> [JobTrials.Found] {
        guard counted != planner.counted else { return observation.present(release) }
        var planner = planner
        planner.counted = counted
        return observation.present(planner.plan(pods: observation.planned, now: now).release)
    }
}
