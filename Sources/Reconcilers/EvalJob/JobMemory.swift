import AssayAPI
import Base
import EvalModel
import KubeRuntime
import TrialPods

/// What a process remembers of a job between two passes. Everything in it can be found again after a restart; it saves the work of
/// finding it each time. Only the worker that holds the job's key changes it, but for pods that are deleted.
final class JobMemory: Sendable {
    struct State: Sendable {
        /// Of the spec that the rest was worked out from; until the job begins, its spec may change.
        var generation: Int?
        var prepared: PreparedJob?
        /// Where `prepared` is kept.
        var plan: PlanStatus?
        /// Why the last preparation failed, until one succeeds, and when to try again, by the monotonic clock; nil: only another spec helps.
        var preparationFailure: (error: ReconcileError, retryAt: Double?)?
        /// The kept plan was asked for and cannot be used.
        var planIsUnreadable = false
        var refusals: TrialRefusals?
        /// The job had begun before this process saw it: the ledger may know runs that the status does not.
        var wasRunning: Bool?
        /// Runs that were handed to the ledger and are not in the status yet, by index.
        var submitted: [Int: SubmittedTrial] = [:]
        /// Failed tries whose record was handed over, by pod.
        var keptRetries: Set<String> = []
        /// Trials that the ledger knows nothing of: they may be started.
        var notRecorded: Set<TrialPlan.Creation> = []
        /// Work that was given to `TrialRecording` and whose result was not taken yet.
        var recording: Set<TrialRecording.Work> = []
        /// Work of the recording that failed, and is tried again.
        var recordingFailures: [TrialRecording.Work: RecordingFailure] = [:]
        /// Trials whose pod cannot be made, by index: that is how they end.
        var startFailures: [Int: TrialError] = [:]
        /// Pods that are gone though nobody counted them, as they were seen last, by name.
        var vanished: [String: VanishedPod] = [:]
        /// The name of the job's own record, once it was handed over.
        var jobRecord: String?
        /// How ended pods ended, by UID: a thousand that end together are looked at in each of many passes.
        var ended: [String: EndedPod] = [:]
        /// As the last pass found it.
        var running = 0
        /// ConfigMaps that the job's trials share and that are there, by name.
        var sharedMade: Set<String> = []
        /// A finished job's results were looked for at their destination.
        var resultsWereChecked = false
    }

    struct SubmittedTrial: Sendable {
        /// `PendingRun.name`.
        let name: String
        let trial: RecordedTrial
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
}

/// Trials of a prepared job that cannot run, worked out once and not in each pass.
struct TrialRefusals: Sendable {
    /// The default image of the target, which they depend on.
    let defaultImage: String?
    let errors: [ErrorRange]
    let indexes: TrialIndexSet

    /// The trials of one agent on one task.
    struct ErrorRange: Sendable {
        let indexes: ClosedRange<Int>
        let error: TrialError
    }

    init(_ prepared: PreparedJob, spec: EvalJobSpec, defaultImage: String?) {
        self.defaultImage = defaultImage
        var errors: [ErrorRange] = []
        var indexes = TrialIndexSet()
        for (agentIndex, agent) in spec.agents.enumerated() {
            for (taskIndex, task) in prepared.tasks.enumerated() {
                let image = task.task?.image(override: spec.environment.image, targetDefault: defaultImage)
                guard let error = task.refusal(for: agent.agent, image: image) else { continue }
                let first = (agentIndex * prepared.tasks.count + taskIndex) * spec.attempts
                let range = first...(first + spec.attempts - 1)
                errors.append(ErrorRange(indexes: range, error: error))
                indexes.insert(range)
            }
        }
        self.errors = errors
        self.indexes = indexes
    }

    /// The first so many that are in none of the sets.
    func open(atMost count: Int, except settled: TrialIndexSet) -> [(index: Int, error: TrialError)] {
        var found: [(index: Int, error: TrialError)] = []
        for range in errors {
            for index in range.indexes where !settled.contains(index) {
                guard found.count < count else { return found }
                found.append((index, range.error))
            }
        }
        return found
    }
}

/// Work of the recording that failed.
struct RecordingFailure: Sendable, Hashable {
    /// Attempts that failed.
    private(set) var count: Int
    /// By the monotonic clock.
    private(set) var firstAt: Double
    private(set) var nextAt: Double

    /// A log that breaks off each time is taken for lost after so many attempts and so many seconds, whichever comes later: many
    /// attempts may fall into a few seconds, and a kubelet may be away for a minute.
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
