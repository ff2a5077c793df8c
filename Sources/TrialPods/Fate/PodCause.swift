import Base
import EvalModel
import TrialRuntime

/// Why a trial died, from what the pod's status says beside the collector's report.
struct PodCause {
    let pod: PodSnapshot

    init(_ pod: PodSnapshot) { self.pod = pod }

    /// The error of a pod that has ended without a verdict; `internal_error` when nothing says why.
    func error(_ report: TrialReport?) -> TrialError {
        if let error = known(report) { return error }
        if let report { return TrialOutcome.death(in: report.lastPhase, because: "the trial was told to stop") }
        if let ended = pod.collector?.termination { return silentCollector(ended) }
        return TrialError(
            .internalError, "the pod ended (\(pod.phase)) and its collector left no report; nothing is known of the trial")
    }

    /// The error that the status names, if it does.
    func known(_ report: TrialReport?) -> TrialError? {
        if let ended = pod.trial?.termination {
            if ended.isStartFailure { return Self.startFailure("\(ContainerRole.trial.containerName): \(ended.reason): \(ended.message)", container: .trial) }
            if ended.reason == "OOMKilled" {
                return outcome(report, "the trial container ran out of its memory limit (OOMKilled)")
            }
        }
        return disturbance(report)
    }

    /// What was done to the pod as a whole.
    func disturbance(_ report: TrialReport?) -> TrialError? {
        let said = (pod.message ?? "").split(whereSeparator: \.isNewline).joined(separator: " ")
        switch pod.reason {
        case "Evicted":
            if Self.isOwnLimit(said) { return outcome(report, "evicted by its own storage limit (\(trim(said)))") }
            return TrialError(.environmentEvicted, "evicted: \(trim(said))")
        case "DeadlineExceeded":
            return deadline(report)
        case "NodeLost":
            return TrialError(.environmentNodeLost, trim(said))
        case "Preempting", "Preempted", "Terminated", "Shutdown", "NodeShutdown":
            return TrialError(.environmentEvicted, "\(pod.reason ?? ""): \(trim(said))")
        case "OutOfcpu", "OutOfmemory", "OutOfpods", "OutOfephemeral-storage", "NodeAffinity", "UnexpectedAdmissionError":
            return TrialError(.environmentResourceAllocationFailed, "the node refused the pod: \(trim(said))")
        default:
            break
        }
        if let disruption = pod.disruption, disruption.isTrue {
            let reason = disruption.reason ?? "disruption"
            let type: TrialErrorType = reason == "DeletionByPodGC" ? .environmentNodeLost : .environmentEvicted
            return TrialError(type, "\(reason): \(disruption.message ?? "")")
        }
        if pod.metadata.deletionTimestamp != nil { return PodFate.vanished.error }
        return nil
    }

    /// The collector ended and said nothing that could be read.
    func silentCollector(_ ended: PodSnapshot.Termination) -> TrialError {
        if ended.isStartFailure {
            return TrialError(.environmentStartFailed, "\(ContainerRole.collector.containerName): \(ended.reason): \(ended.message)")
        }
        return TrialError(
            .internalError,
            "the collector ended with \(ended.exitCode)\(ended.reason.isEmpty ? "" : " (\(ended.reason))") and left no report")
    }

    /// Dying of a limit of its own is an outcome of the phase that the trial was in. Without a report the phase is not
    /// known; the agent's is by far the longest.
    private func outcome(_ report: TrialReport?, _ reason: String) -> TrialError {
        TrialOutcome.death(in: report == nil ? .execute : report?.lastPhase, because: reason)
    }

    /// The pod's deadline is beyond the sum of all limits of the trial: it strikes when a limit did not.
    private func deadline(_ report: TrialReport?) -> TrialError {
        guard pod.trial?.isTerminated == true || report?.lastPhase != nil else {
            return TrialError(.environmentStartFailed, "the pod reached its deadline before the trial began")
        }
        let message = "the pod reached its deadline"
        return switch report?.lastPhase {
        case .install: TrialError(.agentInstallTimeout, message + " during install")
        case .verify: TrialError(.verifierTimeout, message + " during verify")
        case .setup: TrialError(.environmentStartFailed, message + " during setup")
        default: TrialError(.agentExecutionTimeout, message + " during execute")
        }
    }

    /// Whether an eviction is the pod's own doing. The words are the kubelet's eviction manager's; what it says of a
    /// node in need begins otherwise ("The node was low on resource: ...").
    private static func isOwnLimit(_ message: String) -> Bool {
        (message.contains("EmptyDir volume") && message.contains("exceeds the limit"))
            || message.contains("exceeded its local ephemeral storage limit")
            || message.contains("ephemeral local storage usage exceeds the total limit")
    }

    private func trim(_ text: String) -> String {
        var text = text[...]
        while text.last == " " { text.removeLast() }
        return String(text)
    }

    // MARK: Starting

    /// The typed error of repo-cache, else one for how it ended.
    static func initFailure(_ ended: PodSnapshot.Termination) -> TrialError {
        if ended.isStartFailure {
            return TrialError(.environmentStartFailed, "\(ContainerRole.delivery.containerName): \(ended.reason): \(ended.message)")
        }
        if let value = try? JSONValue(parsing: ended.message), let error = value["error"],
            let type = error["type"]?.string.flatMap(TrialErrorType.init(rawValue:))
        {
            return TrialError(type, error["message"]?.string ?? "")
        }
        let how = ended.reason == "OOMKilled" ? "ran out of memory (OOMKilled)" : "ended with \(ended.exitCode)"
        return TrialError(.sourceSyncFailed, "\(ContainerRole.delivery.containerName) \(how)\(ended.message.isEmpty ? "" : ": \(ended.message)")")
    }

    /// A container that cannot start: the task's fault when its image has no bash, else the environment's.
    ///
    /// The runtimes say it in their own words: `exec: "bash": executable file not found in $PATH` (runc),
    /// "executable file `bash` not found in $PATH" (crun), `"/bin/bash": stat /bin/bash: no such file or directory`.
    static func startFailure(_ text: String, container: ContainerRole) -> TrialError {
        let lower = text.lowercased()
        let missing = lower.contains("not found") || lower.contains("no such file or directory")
        if container == .trial, missing, lower.contains("bash") {
            return TrialError(
                .taskInvalid, "the task's image has no bash, which the runner needs; install bash in the image (\(text))")
        }
        return TrialError(.environmentStartFailed, text)
    }
}
