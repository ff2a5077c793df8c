import AssayAPI
import Base
import EvalModel
import KubeCore
import TrialPods

/// A trial pod in the form it is cached: the content of its labels and its status. A class, so that the caches, indexes and passes that hold a pod
/// share one copy.
public final class TrialPod: Sendable, Equatable {
    /// Without labels and annotations: what is needed of them is below, and each pod would hold its own copy.
    public let snapshot: PodSnapshot
    public let uid: String
    public let identity: TrialPodIdentity
    public let isTracked: Bool
    public let isPreserved: Bool
    public let isInterrupted: Bool
    /// The job that its label names, for a pod without an owner.
    private let labelledJob: String?

    /// nil when the object is no trial pod, or did not come from an API server and has no UID.
    public init?(_ pod: JSONValue) {
        guard var snapshot = PodSnapshot.project(pod), let uid = snapshot.metadata.uid, !uid.isEmpty,
            let identity = TrialPodIdentity(labels: snapshot.metadata.labels)
        else { return nil }
        let metadata = snapshot.metadata
        isTracked = metadata.finalizers?.contains(AssayNames.trialFinalizer) ?? false
        isInterrupted = metadata.annotations?[AssayNames.interruptedAnnotation] != nil
        isPreserved = metadata.labels?[AssayNames.countedLabel] != nil
        labelledJob = metadata.controller == nil ? metadata.labels?[AssayNames.jobLabel] : nil
        (snapshot.metadata.labels, snapshot.metadata.annotations, snapshot.metadata.generateName) = (nil, nil, nil)
        self.snapshot = snapshot
        self.uid = uid
        self.identity = identity
    }

    public static func == (one: TrialPod, other: TrialPod) -> Bool {
        one === other
            || one.uid == other.uid && one.snapshot == other.snapshot && one.identity == other.identity && one.isInterrupted == other.isInterrupted
                && one.isPreserved == other.isPreserved && one.labelledJob == other.labelledJob
    }

    var key: ObjectKey { snapshot.metadata.key }
    var name: String { snapshot.metadata.name }

    /// The job that owns the pod. A pod has no owner after a deletion that orphaned it; its job is then the one that its label names. nil
    /// when the pod belongs to something else.
    var jobKey: ObjectKey? {
        let metadata = snapshot.metadata
        if let owner = metadata.controller {
            return owner.kind == EvalJob.resource.kind ? ObjectKey(namespace: key.namespace, name: owner.name) : nil
        }
        guard isTracked, let name = labelledJob else { return nil }
        return ObjectKey(namespace: key.namespace, name: name)
    }

    var isOrphaned: Bool { isTracked && snapshot.metadata.controller == nil }

    /// When the pod's trial was over, by the node's clock, as exactly as is known.
    var endedAt: Timestamp {
        let metadata = snapshot.metadata
        return snapshot.collector?.termination?.finishedAt ?? snapshot.trial?.termination?.finishedAt
            ?? snapshot.delivery?.termination?.finishedAt ?? metadata.deletionTimestamp ?? metadata.creationTimestamp
            ?? Timestamp(seconds: 0)
    }

    /// - Parameter vanishedAt: for a pod that is gone, when that was noticed.
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

    /// The error of an end. A trial that was stopped on purpose counts as cancelled, unless it had already reached a verdict.
    func error(of end: PodFate.End, mode: TrialPlanner.Mode) -> TrialError? {
        let isStopped = mode == .stop || mode == .interrupt && snapshot.metadata.isDeleting
        if isStopped, let error = end.error, error.isInfrastructure || end.report?.interrupted == true {
            return TrialError(.cancelled, "the job was stopped while the trial ran")
        }
        return end.error
    }
}
