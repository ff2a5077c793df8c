import Base
import EvalModel
import TrialRuntime

/// The longest time, in seconds, that a pod may stay in a state that does not end by itself.
public struct PodFateBounds: Sendable, Hashable {
    /// Waiting for a node that has room for it.
    public var unschedulable = 3600.0
    /// Waiting for an image that cannot be pulled, counted from when the pod had a node.
    public var imagePull = 180.0
    /// Waiting for an image that has an invalid name, or that is missing and may not be pulled: waiting longer does not help.
    public var imageUnavailable = 20.0
    /// Waiting for a container that cannot be created; a missing Secret may still be created.
    public var configuration = 60.0
    /// Creating containers, including pulling images.
    public var creation = 1800.0
    /// Running the init container.
    public var initialization = 1800.0
    /// Beyond what a service's health check allows it to start.
    public var serviceStart = 60.0
    /// Without news from the node.
    public var nodeLost = 120.0
    /// The collector still waits, but the trial container ended before the runner began: the command of its image failed.
    public var runnerNotStarted = 30.0
    /// The collector has not ended although its trial has.
    public var collection = 600.0
    /// Waiting for the trial container's status after the collector's.
    public var settling = 15.0

    public init() {}

    /// The longest time from a pod's creation until its task is delivered or the pod is given up.
    public var untilDelivered: Double { unschedulable + creation + initialization }
}

/// What a trial pod's status means for its trial. Pure: the same snapshot at the same time gives the same fate.
public enum PodFate: Sendable, Hashable {
    /// How a pod ended.
    public struct End: Sendable, Hashable {
        /// The collector's report; nil when there is none.
        public var report: TrialReport?
        /// Why there is no verdict, or an outcome that is an error; nil when the report has the verdict.
        public var error: TrialError?

        public init(report: TrialReport? = nil, error: TrialError? = nil) {
            self.report = report
            self.error = error
        }

        /// Reward, error and timings in one value.
        public var outcome: TrialOutcome {
            var outcome = report?.outcome ?? TrialOutcome()
            outcome.error = error
            return outcome
        }
    }

    /// The pod has not started yet. `recheck`: when this becomes `stuck` if nothing changes.
    case waiting(reason: String, message: String, recheck: Timestamp?)
    /// The pod is running. `recheck`: when to look again even if no event comes.
    case running(recheck: Timestamp?)
    /// The trial is over and ended like this.
    case ended(End)
    /// The pod will not change by itself any more: it is to be deleted, and this is its end.
    case stuck(End)

    /// The end, if there is one.
    public var end: End? {
        switch self {
        case .ended(let end), .stuck(let end): end
        case .waiting, .running: nil
        }
    }

    /// When to look at the pod again even if no event comes.
    public var recheck: Timestamp? {
        switch self {
        case .waiting(_, _, let time), .running(let time): time
        case .ended, .stuck: nil
        }
    }

    /// The end of a pod that was gone before its outcome was read (catalogue 19). The trial is tried again; its outcome is never guessed.
    public static let vanished = End(
        error: TrialError(.environmentEvicted, "the pod was deleted before its outcome could be read"))
}

extension PodFate {
    /// The fate of a pod.
    ///
    /// A pod has ended when its collector has terminated, whatever its phase says. A report with a verdict takes precedence over everything
    /// that happened to the pod after the report was written.
    public static func of(_ pod: PodSnapshot, at now: Timestamp, bounds: PodFateBounds = PodFateBounds()) -> PodFate {
        let fate = PodReading(pod: pod, now: now, bounds: bounds).fate
        guard !pod.services.isEmpty, case .ended(let end) = fate else { return fate }
        return .ended(ServiceFate(pod).judged(end))
    }
}

/// One reading of a snapshot. The checks run in order of precedence.
private struct PodReading {
    let pod: PodSnapshot
    let now: Timestamp
    let bounds: PodFateBounds

    var fate: PodFate {
        if let ended = pod.collector?.termination { return collected(ended) }
        if let error = initFailure ?? agentFailure ?? serviceFailure { return .ended(.init(error: error)) }
        if pod.phase == "Failed" || pod.phase == "Succeeded" { return .ended(.init(error: PodCause(pod).error(nil))) }
        if pod.runners.contains(where: { $0.state?.termination?.isStartFailure == true }) {
            return .stuck(.init(error: PodCause(pod).error(nil)))
        }
        if let gone = nodeLost { return gone }
        if pod.metadata.deletionTimestamp != nil { return deleting }
        if let waiting = notStarted { return waiting }
        for (role, state) in pod.runners {
            guard let ended = state?.termination, Self.isRunnerStartFailure(ended) else { continue }
            return bounded(
                from: ended.finishedAt ?? pod.startTime, bounds.runnerNotStarted,
                TrialError(
                    .environmentStartFailed,
                    "the \(role.containerName) container ended with \(ended.exitCode) before the runner began: the bash of its image cannot run "
                        + "here (another architecture, a broken or ancient bash)\(ended.message.isEmpty ? "" : ": \(ended.message)")"))
        }
        // The collector waits for separate verifiers after its trial.
        if let ended = pod.trial?.termination, pod.verifiersEnded {
            // The collector ends soon after its trial. If it does not, the node is probably gone.
            return bounded(
                from: ended.finishedAt ?? pod.startTime, bounds.collection,
                TrialError(
                    .environmentNodeLost,
                    "the collector did not end within \(Int(bounds.collection)) s of its trial; the node may be gone"))
        }
        return .running(recheck: nil)
    }

    /// Whether the exit code shows that the runner never began. The runner ends with 0, on a signal, or stopped (143); the shell and the
    /// runtime use these other codes for a script that did not run.
    private static func isRunnerStartFailure(_ ended: PodSnapshot.Termination) -> Bool { [1, 2, 126, 127, 255].contains(ended.exitCode) }

    // MARK: The collector has ended

    private func collected(_ ended: PodSnapshot.Termination) -> PodFate {
        guard let report = TrialReport(terminationMessage: ended.message) else {
            let cause = PodCause(pod)
            if let error = cause.known(nil) { return .ended(.init(error: error)) }
            return .ended(.init(error: cause.collectorWithoutReport(ended)))
        }
        if report.isFinal {
            // The collector only knows that the trial never began; the pod's status says why.
            if report.error?.type == .environmentStartFailed, report.lastPhase == nil, let error = startFailure {
                return .ended(.init(report: report, error: error))
            }
            // The runner survived when its script was killed. Only the container's status says why the script was killed.
            let verifiers = pod.verifiers
            if !verifiers.isEmpty, let error = report.error, error.type.phase == .verify {
                for verifier in verifiers { if let later = awaiting(verifier.state, ended) { return later } }
                if verifiers.contains(where: { $0.state?.termination?.reason == "OOMKilled" }) {
                    return .ended(
                        .init(
                            report: report,
                            error: TrialError(error.type, "the verifier ran out of its memory limit (OOMKilled): \(error.message)")))
                }
            } else if let error = report.error, error.type.consequence == .outcome, report.exitCodes.values.contains(137) {
                if let later = awaiting(pod.trial, ended) { return later }
                if pod.trial?.termination?.reason == "OOMKilled" {
                    return .ended(
                        .init(report: report, error: TrialError(error.type, "the trial ran out of its memory limit (OOMKilled): \(error.message)")))
                }
            }
            return .ended(.init(report: report, error: report.error))
        }
        if report.trialDied, let later = awaiting(pod.trial, ended) { return later }
        let cause = PodCause(pod)
        // A separate verifier has judged what the trial left: what killed the trial is the agent's error beside the reward.
        if report.trialDied, !report.interrupted, report.reward != nil {
            let isOutOfMemory = pod.trial?.termination?.reason == "OOMKilled"
            return .ended(.init(report: report, error: isOutOfMemory ? cause.known(report) : report.error))
        }
        return .ended(.init(report: report, error: cause.known(report) ?? report.error ?? cause.error(report)))
    }

    /// Waits a short time for a container's status, which may come a moment after the collector's.
    private func awaiting(_ state: PodSnapshot.State?, _ collector: PodSnapshot.Termination) -> PodFate? {
        guard state?.isTerminated != true, pod.phase != "Failed", pod.phase != "Succeeded", let finished = collector.finishedAt,
            now - finished < bounds.settling
        else { return nil }
        return .running(recheck: finished.adding(seconds: bounds.settling))
    }

    /// Why the trial container is not running, when its state gives a reason.
    private var startFailure: TrialError? {
        if pod.runners.contains(where: { $0.state?.termination?.isStartFailure == true }) { return PodCause(pod).error(nil) }
        for (role, state) in pod.runners {
            guard case .waiting(let reason, let message) = state else { continue }
            if let limit = Self.limit(reason, message, container: role, bounds) { return limit.error }
        }
        return nil
    }

    // MARK: Before the start

    private var initFailure: TrialError? {
        guard pod.neverRestarts, let ended = pod.delivery?.termination, ended.exitCode != 0 else { return nil }
        if let error = PodCause(pod).podFailure(nil) { return error }
        return PodCause.initFailure(ended)
    }

    /// The agent's image could not be copied.
    private var agentFailure: TrialError? {
        guard pod.neverRestarts, let ended = pod.containers[.agent]?.termination, ended.exitCode != 0 else { return nil }
        return PodCause(pod).podFailure(nil) ?? PodCause.agentFailure(ended)
    }

    /// A service that was to end before the trial begins has failed.
    private var serviceFailure: TrialError? {
        guard pod.neverRestarts, let error = ServiceFate(pod).failedStart else { return nil }
        return PodCause(pod).podFailure(nil) ?? error
    }

    /// What holds up the trial: a service that is not up; nil when all are.
    private func serviceNotReady(_ initialized: Timestamp?) -> PodFate? {
        let services = ServiceFate(pod)
        guard let service = services.awaited else { return nil }
        let begun = services.begun(service, initialized)
        let role = ContainerRole.service(service.name)
        // Pulling its image and making its container have their own limits.
        if service.last == nil, case .waiting(let reason, let message) = service.state {
            return waiting(reason, message, container: role, from: begun)
        }
        if let ended = service.last ?? service.state?.termination, ended.isStartFailure {
            return waiting(
                ended.reason, ended.message, from: ended.finishedAt ?? begun,
                StateLimit(seconds: bounds.imageUnavailable, error: ServiceFate.startFailure(service, ended)))
        }
        var since = service.last?.startedAt ?? begun
        if service.last == nil, case .running(let at?) = service.state { since = at }
        let seconds = service.isServer ? (service.checkSeconds ?? 0) + bounds.serviceStart : bounds.initialization
        // Its health check has failed for two instances: a third one is not waited for.
        return waiting(
            "PodInitializing", "\(role.containerName) is not ready", from: since,
            StateLimit(seconds: service.restarts > 1 ? 0 : seconds, error: ServiceFate.late(service, seconds: seconds)))
    }

    private struct StateLimit {
        var seconds: Double
        var error: TrialError
    }

    /// What keeps the pod from running: looks at its containers in the order in which they start.
    private var notStarted: PodFate? {
        if let scheduled = pod.scheduled, !scheduled.isTrue, pod.nodeName == nil {
            let message = scheduled.message ?? ""
            return waiting(
                scheduled.reason ?? "Unschedulable", message, from: pod.metadata.creationTimestamp,
                StateLimit(
                    seconds: bounds.unschedulable,
                    error: TrialError(
                        .environmentResourceAllocationFailed,
                        "no node took the pod within \(Int(bounds.unschedulable)) s: \(message)")))
        }
        if let state = pod.delivery {
            switch state {
            case .terminated(let ended) where ended.exitCode == 0: break
            case .terminated(let ended):
                // The container will be restarted. That seldom helps, so the time for it is limited.
                return waiting(
                    "InitError", ended.message, from: assigned,
                    StateLimit(seconds: bounds.initialization, error: PodCause.initFailure(ended)))
            case .running(let since):
                return waiting(
                    "PodInitializing", "\(ContainerRole.delivery.containerName) is running", from: since,
                    StateLimit(
                        seconds: bounds.initialization,
                        error: TrialError(
                            .sourceSyncFailed, "\(ContainerRole.delivery.containerName) did not end within \(Int(bounds.initialization)) s")))
            case .waiting(let reason, let message):
                return waiting(reason, message, container: .delivery, from: assigned)
            }
        }
        var initialized = pod.delivery?.termination?.finishedAt ?? assigned
        switch pod.containers[.agent] {
        case .waiting(let reason, let message): return waiting(reason, message, container: .agent, from: initialized)
        case .running(let since):
            return waiting(
                "PodInitializing", "\(ContainerRole.agent.containerName) is running", from: since,
                StateLimit(
                    seconds: bounds.initialization,
                    error: TrialError(.environmentStartFailed, "the agent's files were not copied within \(Int(bounds.initialization)) s")))
        case .terminated(let ended): initialized = ended.finishedAt ?? initialized
        case nil: break
        }
        if pod.trial?.isRunning != true, pod.trial?.isTerminated != true, let waiting = serviceNotReady(initialized) { return waiting }
        if case .waiting(let reason, let message) = pod.trial {
            return waiting(reason, message, container: .trial, from: initialized)
        }
        for (role, state) in pod.verifiers {
            guard case .waiting(let reason, let message) = state else { continue }
            return waiting(reason, message, container: role, from: initialized)
        }
        if case .waiting(let reason, let message) = pod.collector {
            return waiting(reason, message, container: .collector, from: initialized)
        }
        if pod.trial == nil, pod.phase == "Pending" {
            return waiting("Pending", "no container has been started", container: .trial, from: assigned)
        }
        return nil
    }

    /// When the pod had a node.
    private var assigned: Timestamp? { pod.startTime ?? pod.scheduled?.since ?? pod.metadata.creationTimestamp }

    private func waiting(_ reason: String, _ message: String, container: ContainerRole, from start: Timestamp?) -> PodFate {
        let usual = StateLimit(
            seconds: bounds.creation,
            error: TrialError(
                .environmentStartFailed,
                "the \(container.containerName) container was not created within \(Int(bounds.creation)) s (\(reason)); "
                    + "`kubectl describe pod` shows what the node waits for"))
        return waiting(
            reason, message, from: start, Self.limit(reason, message, container: container, bounds) ?? usual)
    }

    private func waiting(_ reason: String, _ message: String, from start: Timestamp?, _ limit: StateLimit) -> PodFate {
        guard let start else { return .waiting(reason: reason, message: message, recheck: nil) }
        if now - start >= limit.seconds { return .stuck(.init(error: limit.error)) }
        return .waiting(reason: reason, message: message, recheck: start.adding(seconds: limit.seconds))
    }

    private static func limit(
        _ reason: String, _ message: String, container: ContainerRole, _ bounds: PodFateBounds
    ) -> StateLimit? {
        let text = "\(container.containerName): \(reason): \(message)"
        switch reason {
        case "ErrImagePull", "ImagePullBackOff", "ImageInspectError", "RegistryUnavailable", "SignatureValidationFailed":
            return StateLimit(seconds: bounds.imagePull, error: TrialError(.environmentImagePullFailed, text))
        case "InvalidImageName", "ErrImageNeverPull":
            return StateLimit(seconds: bounds.imageUnavailable, error: TrialError(.environmentImagePullFailed, text))
        case "CreateContainerConfigError", "CreateContainerError", "RunContainerError", "PreCreateHookError",
            "PreStartHookError", "PostStartHookError":
            return StateLimit(seconds: bounds.configuration, error: PodCause.startFailure(text, container: container))
        case "CrashLoopBackOff":
            let type: TrialErrorType = container == .delivery ? .sourceSyncFailed : .environmentStartFailed
            return StateLimit(seconds: bounds.configuration, error: TrialError(type, text))
        default:
            return nil
        }
    }

    // MARK: The node

    private var nodeLost: PodFate? {
        let error = TrialError(.environmentNodeLost, "the node \(pod.nodeName ?? "") is not heard of any more")
        // The node controller sets Ready to False without a reason; a kubelet that sets it gives a reason.
        if let ready = pod.ready, !ready.isTrue, ready.reason == nil, pod.trial?.isRunning == true, let since = ready.since {
            return bounded(from: since, bounds.nodeLost, error)
        }
        if pod.phase == "Unknown" || pod.reason == "NodeLost" {
            return bounded(from: pod.ready?.since ?? pod.metadata.deletionTimestamp ?? pod.startTime, bounds.nodeLost, error)
        }
        return nil
    }

    /// The pod is being deleted, and its node has not reported yet that the containers ended.
    private var deleting: PodFate {
        let error = PodCause(pod).known(nil) ?? PodFate.vanished.error
        guard pod.nodeName != nil else { return .ended(.init(error: error)) }
        // The deletion timestamp is the time at which the grace period ends.
        return bounded(
            from: pod.metadata.deletionTimestamp, bounds.nodeLost,
            TrialError(
                .environmentNodeLost,
                "the pod is being deleted and the node \(pod.nodeName ?? "") does not say that it ended"))
    }

    private func bounded(from start: Timestamp?, _ seconds: Double, _ error: TrialError) -> PodFate {
        guard let start else { return .running(recheck: nil) }
        if now - start >= seconds { return .stuck(.init(error: error)) }
        return .running(recheck: start.adding(seconds: seconds))
    }
}
