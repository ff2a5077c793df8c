import Artifacts
import AssayAPI
import Base
import EvalModel
import KubeCore

/// What one pass over a job has found out; the status is computed from it, once, at the end.
struct JobPass: Sendable {
    let job: EvalJob
    let identity: JobIdentity
    let memory: JobMemory
    let now: Timestamp

    /// The commit that the job is pinned to.
    var source: String?
    /// Where the job's plan is kept.
    var plan: PlanStatus?
    var recorder: RecorderState?
    /// Why the job does not go on, or not in every respect; the first one is what users are told first.
    var errors: [ReconcileError] = []
    /// What went wrong on the way without keeping the rest from being done: the pass is repeated after a while.
    var failure: (any Error)?
    var matrix: TrialMatrix?
    /// Trials whose record is kept and which are to be counted now.
    var recorded: [RecordedTrial] = []
    var running = 0
    var pause: Pause?
    /// The job is to end and its trials are stopped, though not all are counted.
    var stopping: JobEnding?
    /// Why counting waits; nil when it does not.
    var resultsWait: String?
    /// The job is over: its end, when its own record is kept.
    var ending: JobEnding?
    var isGone = false
    /// What the status says of the job's results may still be an earlier process's finding.
    var isPreliminary = false
    private(set) var wakeAfter: Double?

    var hasStarted: Bool { job.status?.startTime != nil }
    /// How many trials the job has; nil before it began.
    var total: Int? { matrix?.count ?? (hasStarted ? job.status?.trials?.total : nil) }
    var agents: [String] { job.spec.agents.map(\.name) }

    /// Does a step; that it failed is remembered, and the next steps are done: a pod that cannot be created must not keep
    /// those that ended from being counted, which is what makes room for it.
    mutating func attempt(_ step: () async throws -> Void) async throws {
        do { try await step() } catch {
            guard !(error is CancellationError), !(error is ReconcileError) else { throw error }
            failure = failure ?? error
        }
    }

    /// - Parameter identity: of the job.
    init(job: EvalJob, identity: JobIdentity, memory: JobMemory, now: Timestamp) {
        self.job = job
        self.identity = identity
        self.memory = memory
        self.now = now
    }

    /// Why no new trial starts although the job is not over.
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

    /// Takes an error up, and looks again when it says.
    mutating func add(_ error: ReconcileError) {
        errors.append(error)
        if let seconds = error.retryAfterSeconds { wake(after: seconds) }
    }

    /// Look again after so many seconds, or sooner.
    mutating func wake(after seconds: Double) { wakeAfter = min(wakeAfter ?? seconds, seconds) }
    mutating func wake(at time: Timestamp?) {
        if let time { wake(after: max(0, time - now)) }
    }
}

/// Why a job ends.
enum JobEnding: Sendable, Hashable {
    case complete
    case cancelled
    case deadlineExceeded

    var phase: EvalJobStatus.Phase {
        switch self {
        case .complete: .succeeded
        case .cancelled: .cancelled
        case .deadlineExceeded: .failed
        }
    }

    var reason: Reason {
        switch self {
        case .complete: .trialsComplete
        case .cancelled: .cancelled
        case .deadlineExceeded: .deadlineExceeded
        }
    }
}
