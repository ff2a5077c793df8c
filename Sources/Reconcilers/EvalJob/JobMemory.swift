import AssayAPI
import Base
import EvalModel
import KubeRuntime
import Planning
import TrialPods

/// What a process remembers of a job between passes. All of it can be found again after a restart; keeping it saves that work in each pass.
/// Only the worker that holds the job's key changes it, except that deleted pods are added from outside.
final class JobMemory: Sendable {
    struct State: Sendable {
        /// The generation of the spec that the rest was derived from. Until the job begins, its spec may change.
        var generation: Int?
        var prepared: PreparedJob?
        /// When a pass first asked for the overlays of this spec, by the monotonic clock.
        var overlaysWantedAt: Double?
        /// Where `prepared` is stored.
        var plan: PlanStatus?
        /// Why the last preparation failed, until one succeeds, and when to try again, by the monotonic clock; nil when only a change of
        /// the spec helps.
        var preparationFailure: (error: ReconcileError, retryAt: Double?)?
        /// The stored plan was read and cannot be used.
        var planIsUnreadable = false
        var refusals: TrialRefusals?
        /// The images that must be built on this target, by their use.
        var images: (target: EvalTargetSpec, builds: [ImageUse: ImageBuild])?
        /// Pods whose image could not be pulled and was looked up again, by UID.
        var missedImages: Set<String> = []
        /// The job had begun before this process first saw it, so the ledger may have runs that the status does not have.
        var wasRunning: Bool?
        /// Runs that were submitted to the ledger and are not in the status yet, by index.
        var submitted: [Int: SubmittedTrial] = [:]
        /// Failed tries whose record was submitted, by pod UID.
        var keptRetries: Set<String> = []
        /// Trials that the ledger has no record of, so that they may be started.
        var notRecorded: Set<TrialPlan.Creation> = []
        /// Work that was given to `TrialRecording` and whose result was not taken yet.
        var recording: Set<TrialRecording.Work> = []
        /// Recording work that failed and is tried again later.
        var recordingFailures: [TrialRecording.Work: RecordingFailure] = [:]
        /// How fast the next pods are created.
        var pace = SlowStart()
        /// Why the API server refused to create a pod when that was last tried; nil when it did not.
        var refusal: PendingCause?
        /// What waited when results were last pushed early.
        var earlyPush: EarlyPush?
        /// Trials whose pod cannot be created, by index. They end with this error.
        var startFailures: [Int: TrialError] = [:]
        /// Pods that were deleted before they were counted, in their last seen state, by name.
        var vanished: [String: VanishedPod] = [:]
        /// The name of the job's own record, once it was submitted.
        var jobRecord: String?
        /// How ended pods ended, by UID. Kept because many passes may look at the same thousand ended pods.
        var ended: [String: EndedPod] = [:]
        /// The number of running trials found by the last pass.
        var running = 0
        /// The kinds of causes for which an Event was written (`PendingCause.kind`).
        var reportedCauses: Set<String> = []
        /// The push at the job's end has begun.
        var endFlushBegan = false
        /// When `earlyPush` was asked for, by the monotonic clock.
        var earlyPushAskedAt: Double?
        /// Existing ConfigMaps that the job's trials share, by name.
        var sharedMade: Set<String> = []
        /// When the shared ConfigMaps were last looked for because pods waited.
        var sharedCheckedAt: Timestamp?
        /// When the job's status was last written, by the monotonic clock.
        var statusWrittenAt: Double?
        /// The finished job's results were compared with their destination.
        var resultsWereChecked = false
        /// The job is being deleted, and all that could be recorded is: its pods, its policies and its finalizer go.
        var isReleasing = false
        /// When the job's namespace was found to be in deletion, by the monotonic clock.
        var namespaceEndSeen: Double?
        /// When the API server was last asked for the namespace, by the monotonic clock.
        var namespaceAskedAt: Double?
    }

    struct SubmittedTrial: Sendable {
        /// The record's name, as `PendingRun.name`.
        let name: String
        let trial: RecordedTrial
    }

    /// The branch's tip and the number of records that wait.
    struct EarlyPush: Sendable, Hashable {
        let head: String?
        let pending: Int
    }

    struct EndedPod: Sendable {
        let version: String?
        let fate: PodFate
    }

    struct VanishedPod: Sendable {
        let pod: TrialPod
        let noticedAt: Timestamp
    }

    let state = Locked(State())

    /// The trials that cannot run. `find` looks at every agent and task, so it is called only when `basis` is not that of the last call.
    func refusals(basis: TrialRefusals.Basis, find: () -> TrialRefusals) -> TrialRefusals {
        if let known = state.withLock({ $0.refusals }), known.basis == basis { return known }
        let found = find()
        state.withLock { $0.refusals = found }
        return found
    }

    /// When the job's namespace was found to be in deletion, by the monotonic clock; nil when it was not.
    var namespaceEndSeen: Double? { state.withLock { $0.namespaceEndSeen } }
}

/// The failures of one piece of recording work.
struct RecordingFailure: Sendable, Hashable {
    /// The number of failed attempts.
    private(set) var count: Int
    /// Times are by the monotonic clock.
    private(set) var firstAt: Double
    private(set) var nextAt: Double

    /// A log that breaks off in each attempt counts as lost after this many attempts and this many seconds, whichever comes later: many
    /// attempts may happen within a few seconds, and a kubelet may be unreachable for a minute.
    static let logAttempts = 12
    static let logSeconds = 300.0

    init(at now: Double) {
        count = 1
        firstAt = now
        nextAt = now + 0.5
    }

    mutating func again(at now: Double) {
        count += 1
        nextAt = now + min(15, 0.5 * Double(1 << min(count - 1, 5)))
    }

    func logIsLost(at now: Double) -> Bool { count >= Self.logAttempts && now - firstAt >= Self.logSeconds }
}
