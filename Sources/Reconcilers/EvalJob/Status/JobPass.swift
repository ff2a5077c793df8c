import Artifacts
import AssayAPI
import Base
import EvalModel
import KubeCore
import Planning
import SourceSync

/// The findings of one pass over a job. The status is computed from them once, at the end of the pass.
struct JobPass: Sendable {
    let job: EvalJob
    /// The job as this pass last wrote it; nil before.
    var written: EvalJob?
    let identity: JobIdentity
    let memory: JobMemory
    let now: Timestamp

    /// The commit that the job is pinned to.
    var source: String?
    /// The overlays that the job is pinned to; nil when that is not known.
    var overlays: [PinnedOverlay]?
    /// Where the job's plan is stored.
    var plan: PlanStatus?
    /// The images that trials need built; nil when there are none or it is not known.
    var images: ImagesStatus?
    /// What proxied pods on a cluster are given.
    var addresses: ProxiedAddresses?
    var recorder: RecorderState?
    /// Why the job does not go on, or only in part. The first error is the one reported to users first.
    var errors: [ReconcileError] = []
    /// What the pass does once its status is written.
    var work: TrialWork?
    /// Set while the API server refuses to create a trial's pod.
    var refusal: PendingCause?
    /// A failure that did not prevent the other steps; the pass is repeated later.
    var failure: (any Error)?
    var matrix: TrialMatrix?
    /// Trials whose record is kept and which are to be counted in this pass.
    var recorded: [RecordedTrial] = []
    /// Trials whose pod runs.
    var running = 0
    /// Why trials that could run do not run yet, other than `refusal`.
    var pendingCause: PendingCause?
    /// The target whose slots are all taken, when that keeps trials from starting.
    var fullTarget: PendingCause.Slots?
    var pause: Pause?
    /// Why the job is ending: its trials are being stopped, and not all are counted yet.
    var stopping: JobEnding?
    /// Why counting has to wait; nil when it does not.
    var resultsWait: String?
    /// How the job ended; set once the job's own record is kept.
    var ending: JobEnding?
    var isGone = false
    /// The conditions for the job's results may still be those that an earlier process wrote.
    var isPreliminary = false
    private(set) var wakeAfter: Double?

    /// The newest state of the job that is known.
    var latest: EvalJob { written ?? job }
    /// Why trials that could run do not run yet.
    var heldBy: PendingCause? { refusal ?? pendingCause }
    var hasStarted: Bool { job.status?.startTime != nil }
    /// How many trials the job has; nil before it has begun.
    var total: Int? { matrix?.count ?? (hasStarted ? job.status?.trials?.total : nil) }
    var agents: [String] { job.spec.agents.map(\.name) }

    /// Runs a step. If it fails, the failure is remembered and the next steps still run: a pod that cannot be created must not prevent
    /// ended pods from being counted, because counting makes room for the new pod.
    mutating func attempt(_ step: () async throws -> Void) async throws {
        do { try await step() } catch {
            guard !(error is CancellationError), !(error is ReconcileError) else { throw error }
            failure = failure ?? error
        }
    }

    /// - Parameter identity: the job's identity.
    init(job: EvalJob, identity: JobIdentity, memory: JobMemory, now: Timestamp) {
        self.job = job
        self.identity = identity
        self.memory = memory
        self.now = now
    }

    /// Why no new trial starts although the job has not ended.
    enum Pause: Sendable, Hashable {
        case suspended
        case interrupted

        init?(_ job: EvalJob) {
            if job.metadata.annotations?[AssayNames.interruptedAnnotation] != nil {
                self = .interrupted
            } else if job.spec.suspend {
                self = .suspended
            } else {
                return nil
            }
        }
    }

    /// Takes over what the job runs.
    mutating func use(_ prepared: PreparedJob) {
        matrix = prepared.matrix
        overlays = prepared.overlays
    }

    /// Adds an error and asks for the reconcile after its retry time.
    mutating func add(_ error: ReconcileError) {
        errors.append(error)
        if let seconds = error.retryAfterSeconds { wake(after: seconds) }
    }

    /// Asks for a reconcile after this many seconds; the earliest request counts.
    mutating func wake(after seconds: Double) { wakeAfter = min(wakeAfter ?? seconds, seconds) }
    mutating func wake(at time: Timestamp?) {
        if let time { wake(after: max(0, time - now)) }
    }
}
