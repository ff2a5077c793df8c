import AssayAPI
import Base
import KubeClient
import KubeCore

/// Follows one job to its end.
struct JobWatch: Sendable {
    struct End: Sendable {
        var job: EvalJob
        /// Why it can't go on; nil when it ended.
        var stalled: String?
    }

    let client: KubeClient
    let key: ObjectKey
    let display: ProgressDisplay
    /// Told once, when the job has trials.
    let hasBegun: @Sendable (EvalJob) throws -> Void
    /// Whether a person has asked to stop.
    let isInterrupted: @Sendable () -> Bool
    /// Whether the conditions of the job are this process's findings: what held up an earlier process is not believed.
    let isCurrent: @Sendable (EvalJob) -> Bool

    /// How long something that may pass is waited for before the command gives up.
    private static let patience = 45.0

    /// Asks several times a second: on one machine that costs less than it explains.
    func untilEnd() async throws -> End {
        var told: Set<String> = []
        var hasBegun = false
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
                try self.hasBegun(job)
            }
            if job.status?.isOver == true { return End(job: job, stalled: nil) }
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
                for reason in try await whatHoldsItUp(job, ready) where told.insert(reason).inserted { display.say("waiting: \(reason.replacingControls)") }
            }
            try await time.sleep(seconds: 0.15)
        }
    }

    /// The job, and whether its conditions are this process's; asked in that order, so that they are not older than the answer.
    private func look() async throws -> (EvalJob, isCurrent: Bool) {
        let known = try EvalJob(json: try await client.get(.evalJobs, key))
        guard isCurrent(known) else { return (known, false) }
        return (try EvalJob(json: try await client.get(.evalJobs, key)), true)
    }

    /// Why a job that has begun does not go on by itself, as far as the API server knows.
    private func whatHoldsItUp(_ job: EvalJob, _ ready: Condition?) async throws -> [String] {
        if let ready, [Reason.suspended.rawValue, Reason.trialPodRefused.rawValue].contains(ready.reason), let message = ready.message { return [message] }
        if job.spec.parallelism == 0 { return ["spec.parallelism is 0: no trial starts"] }
        guard job.status?.trials?.running ?? 0 > 0 else { return [] }
        return try await client.listAll(.pods, namespace: key.namespace).items.compactMap { pod in
            guard pod.at("status", "phase") == "Pending" else { return nil }
            let conditions = pod.at("status", "conditions")?.array ?? []
            guard let scheduled = conditions.first(where: { $0["type"] == "PodScheduled" && $0["status"] == "False" }) else { return nil }
            return "pod \(ObjectMeta(of: pod).name): \(scheduled["message"]?.string ?? scheduled["reason"]?.string ?? "not scheduled")"
        }
    }

    /// Nothing of it runs any more, no pod is on its way out, and what had ended is counted.
    private func hasStopped(_ job: EvalJob) async throws -> Bool {
        guard job.status?.startTime != nil else { return true }
        guard job.metadata.annotations?[AssayNames.interruptedAnnotation] != nil, job.status?.phase == .suspended else { return false }
        return try await client.listAll(.pods, namespace: key.namespace).items.allSatisfy { pod in
            let metadata = ObjectMeta(of: pod)
            return !metadata.isDeleting && metadata.finalizers?.contains(AssayNames.trialFinalizer) != true
        }
    }

    /// What an earlier process kept is pushed, or the remote is still away: then a condition says so.
    func untilPushed() async throws -> EvalJob {
        let time = SystemTime()
        let began = time.monotonic()
        while true {
            let (job, isCurrent) = try await look()
            let artifacts = job.status?.conditions.first { $0.type == ConditionType.artifactsReady.rawValue }
            let isAway = artifacts?.isFalse == true
            if isCurrent && (job.status?.artifacts?.pending ?? 0 == 0 || isAway) || time.monotonic() - began > Self.patience { return job }
            try await time.sleep(seconds: 0.15)
        }
    }

    /// On one machine nobody else will create what is missing while the command waits.
    private static func isHopeless(_ reason: String?) -> Bool {
        guard let reason = reason.flatMap(Reason.init(rawValue:)) else { return false }
        return [.targetNotFound, .targetNotReady, .secretNotFound, .remoteRejected, .sourceUnreachable].contains(reason)
    }
}
