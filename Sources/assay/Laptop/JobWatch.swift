import AssayAPI
import Base
import KubeClient
import KubeCore

/// Follows one job to its end.
struct JobWatch: Sendable {
    struct End: Sendable {
        var job: EvalJob
        /// Why the job cannot continue; nil when it has ended.
        var stalled: String?
    }

    let client: KubeClient
    let key: ObjectKey
    let display: ProgressDisplay
    /// Called once, when the job has trials.
    let hasBegun: @Sendable (EvalJob) async throws -> Void
    /// Called when other trials than before have their result.
    let hasCounted: @Sendable () -> Void
    /// Whether the user has asked to stop.
    let isInterrupted: @Sendable () -> Bool
    /// Whether the conditions of the job were written by this process. Conditions of an earlier process are ignored.
    let isCurrent: @Sendable (EvalJob) -> Bool

    /// The seconds to wait for a problem to disappear before the command gives up.
    private static let patience = 45.0
    /// The seconds that the removal of a finished job's pods may take.
    private static let removalSeconds = 15.0

    /// Polls the job several times a second, which costs little on one machine.
    func waitForEnd() async throws -> End {
        var told: Set<String> = []
        var hasBegun = false
        var counted = -1
        var nextLook = 0.0
        var waitingSince: Double?
        var interruptedSince: Double?
        let time = SystemTime()
        while true {
            let (job, isCurrent) = try await look()
            if let trials = job.status?.trials {
                display.show(
                    .init(
                        total: trials.total, done: trials.completed + trials.failed + trials.skipped, failed: trials.failed, running: trials.running))
            }
            if job.status?.startTime != nil, !hasBegun {
                hasBegun = true
                try await self.hasBegun(job)
            }
            if hasBegun, let trials = job.status?.trials {
                let ended = trials.completed + trials.failed + trials.skipped
                if ended != counted { hasCounted() }
                counted = ended
            }
            if job.status?.isOver == true {
                try await waitUntilRemoved(job)
                return End(job: job, stalled: nil)
            }
            if isInterrupted() {
                interruptedSince = interruptedSince ?? time.monotonic()
                let waited = time.monotonic() - (interruptedSince ?? 0)
                if try await hasStopped(job) || waited > Self.patience { return End(job: job, stalled: nil) }
            }
            let ready = isCurrent ? job.status?.conditions.first { $0.type == ConditionType.ready.rawValue } : nil
            if isCurrent, job.status?.conditions.contains(where: { $0.type == ConditionType.stalled.rawValue && $0.isTrue }) == true,
                job.status?.observedGeneration == job.metadata.generation
            {
                return End(job: job, stalled: ready?.message ?? "the job is stalled")
            }
            if job.status?.startTime == nil, let ready, ready.isFalse, ready.reason != Reason.progressing.rawValue, let message = ready.message,
                !message.isEmpty
            {
                if told.insert(message).inserted { display.say("waiting: \(message.replacingControls)") }
                waitingSince = waitingSince ?? time.monotonic()
                if time.monotonic() - (waitingSince ?? 0) > Self.patience || Self.isHopeless(ready.reason) { return End(job: job, stalled: message) }
            } else {
                waitingSince = nil
            }
            if job.status?.startTime != nil, time.monotonic() >= nextLook {
                nextLook = time.monotonic() + 2
                if let reason = waitingReason(job, ready), told.insert(reason).inserted { display.say("waiting: \(reason.replacingControls)") }
            }
            try await time.sleep(seconds: 0.15)
        }
    }

    /// The job, and whether its conditions come from this process. After that check the job is read again, so that its conditions
    /// are at least as new as the check.
    private func look() async throws -> (EvalJob, isCurrent: Bool) {
        let known = try EvalJob(json: try await client.get(.evalJobs, key))
        guard isCurrent(known) else { return (known, false) }
        return (try EvalJob(json: try await client.get(.evalJobs, key)), true)
    }

    /// Why a running job does not continue, as its condition says.
    private func waitingReason(_ job: EvalJob, _ ready: Condition?) -> String? {
        if job.spec.parallelism == 0 { return "spec.parallelism is 0: no trial starts" }
        let reasons: [Reason] = [.suspended, .trialPodRefused, .trialsPending, .waitingForSlot, .pushPending, .buildingImages]
        return reasons.contains { $0.rawValue == ready?.reason } ? ready?.message : nil
    }

    /// True when no trial of the job runs, no pod is being deleted, and all ended trials are counted.
    private func hasStopped(_ job: EvalJob) async throws -> Bool {
        guard job.status?.startTime != nil else { return true }
        guard job.metadata.annotations?[AssayNames.interruptedAnnotation] != nil, job.status?.phase == .suspended else { return false }
        return try await client.listAll(.pods, namespace: key.namespace).items.allSatisfy { pod in
            let metadata = ObjectMeta(of: pod)
            return !metadata.isDeleting && metadata.finalizers?.contains(AssayNames.trialFinalizer) != true
        }
    }

    /// Waits until the node has removed the pods of the finished job, so that none of their processes outlives the command. Pods that the job
    /// keeps (`preserveEnv`) stay.
    private func waitUntilRemoved(_ job: EvalJob) async throws {
        guard let uid = job.metadata.uid else { return }
        let keepsPods = job.spec.environment.preserveEnv != .never
        let options = ListOptions(labelSelector: "\(AssayNames.jobUIDLabel)=\(uid)")
        let time = SystemTime()
        let began = time.monotonic()
        while time.monotonic() - began < Self.removalSeconds {
            let pods = try await client.listAll(.pods, namespace: key.namespace, options: options).items
            if pods.allSatisfy({ keepsPods && !ObjectMeta(of: $0).isDeleting }) { return }
            try await time.sleep(seconds: 0.1)
        }
    }

    /// Waits until results kept by an earlier process are pushed, or until a condition says that the remote is unreachable.
    func waitUntilPushed() async throws -> EvalJob {
        let time = SystemTime()
        let began = time.monotonic()
        while true {
            let (job, isCurrent) = try await look()
            let artifacts = job.status?.conditions.first { $0.type == ConditionType.artifactsReady.rawValue }
            let isUnreachable = artifacts?.isFalse == true
            if isCurrent && (job.status?.artifacts?.pending ?? 0 == 0 || isUnreachable) || time.monotonic() - began > Self.patience { return job }
            try await time.sleep(seconds: 0.15)
        }
    }

    /// Reasons that do not disappear by waiting: on one machine nobody else creates the missing object meanwhile.
    private static func isHopeless(_ reason: String?) -> Bool {
        guard let reason = reason.flatMap(Reason.init(rawValue:)) else { return false }
        return [.targetNotFound, .targetNotReady, .secretNotFound, .remoteRejected, .sourceUnreachable, .overlayNotFound, .overlayNotReady].contains(
            reason)
    }
}
