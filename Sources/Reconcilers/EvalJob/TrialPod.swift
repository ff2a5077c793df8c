import AssayAPI
import Base
import EvalModel
import KubeCore
import TrialPods

/// A trial pod as it is cached: what its labels and its status say.
public struct TrialPod: Sendable, Hashable {
    public let snapshot: PodSnapshot
    public let identity: TrialPodIdentity
    public let isTracked: Bool
    public let isPreserved: Bool
    public let isInterrupted: Bool

    /// nil when the object is no trial pod.
    public init?(_ pod: JSONValue) {
        guard let snapshot = PodSnapshot.project(pod), let identity = TrialPodIdentity(labels: snapshot.metadata.labels) else { return nil }
        self.snapshot = snapshot
        self.identity = identity
        isTracked = snapshot.metadata.finalizers?.contains(AssayNames.trialFinalizer) ?? false
        isInterrupted = snapshot.metadata.annotations?[AssayNames.interruptedAnnotation] != nil
        isPreserved = snapshot.metadata.labels?[AssayNames.countedLabel] != nil
    }

    var key: ObjectKey { snapshot.metadata.key }
    var uid: String { snapshot.metadata.uid ?? "" }
    var name: String { snapshot.metadata.name }

    /// The job that owns it; of a pod without owner, from whom a deletion that orphans took it, the job that its label names. nil:
    /// somebody else's.
    var jobKey: ObjectKey? {
        let metadata = snapshot.metadata
        if let owner = metadata.controller {
            return owner.kind == EvalJob.resource.kind ? ObjectKey(namespace: key.namespace, name: owner.name) : nil
        }
        guard isTracked, let name = metadata.labels?[AssayNames.jobLabel] else { return nil }
        return ObjectKey(namespace: key.namespace, name: name)
    }

    var isOrphaned: Bool { isTracked && snapshot.metadata.controller == nil }

    /// When its trial was over, by the node's clock; the best that is known.
    var endedAt: Timestamp {
        let metadata = snapshot.metadata
        return snapshot.collector?.termination?.finishedAt ?? snapshot.trial?.termination?.finishedAt
            ?? snapshot.delivery?.termination?.finishedAt ?? metadata.deletionTimestamp ?? metadata.creationTimestamp
            ?? Timestamp(seconds: 0)
    }

    /// - Parameter vanishedAt: when the pod, which is gone, was missed.
    func planned(fate: PodFate, mode: TrialPlanner.Mode, vanishedAt: Timestamp? = nil) -> PlannedPod {
        let stage: PlannedPod.Stage
        if let end = fate.end {
            stage = .ended(error(of: end, mode: mode)?.type, at: vanishedAt ?? endedAt)
        } else {
            stage = .active
        }
        return PlannedPod(
            name: name, index: identity.index, retry: identity.retry, stage: stage, isTracked: isTracked || vanishedAt != nil,
            isDeleting: snapshot.metadata.isDeleting, isPreserved: isPreserved && vanishedAt == nil, isInterrupted: isInterrupted)
    }

    /// What was stopped on purpose was cancelled, unless it had reached a verdict by itself.
    func error(of end: PodFate.End, mode: TrialPlanner.Mode) -> TrialError? {
        let isStopped = mode == .stop || mode == .interrupt && snapshot.metadata.isDeleting
        if isStopped, let error = end.error, error.isInfrastructure || end.report?.interrupted == true {
            return TrialError(.cancelled, "the job was stopped while the trial ran")
        }
        return end.error
    }
}
