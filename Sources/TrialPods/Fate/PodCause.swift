import Base
import EvalModel
import TrialRuntime

/// Finds out why a trial died, from the pod's status in addition to the collector's report.
struct PodCause {
    let pod: PodSnapshot

    init(_ pod: PodSnapshot) { self.pod = pod }

    /// The error of a pod that ended without a verdict; `internal_error` when nothing gives a cause.
    func error(_ report: TrialReport?) -> TrialError {
        if let error = known(report) { return error }
        if let report { return TrialOutcome.errorOfDeath(in: report.lastPhase, because: "the trial was told to stop") }
        if let ended = pod.collector?.termination { return collectorWithoutReport(ended) }
        return TrialError(
            .internalError, "the pod ended (\(pod.phase)) and its collector left no report; nothing is known of the trial")
    }

    /// The error that the pod's status names, if any.
    func known(_ report: TrialReport?) -> TrialError? {
        for (role, state) in pod.runners {
            guard let ended = state?.termination, ended.isStartFailure else { continue }
            return Self.startFailure("\(role.containerName): \(ended.reason): \(ended.message)", container: role)
        }
        if let ended = pod.trial?.termination {
            if ended.reason == "OOMKilled" {
                return memoryOutcome(report)
            }
        }
        return podFailure(report)
    }

    /// The error for something that happened to the pod as a whole.
    func podFailure(_ report: TrialReport?) -> TrialError? {
        let message = (pod.message ?? "").split(whereSeparator: \.isNewline).joined(separator: " ")
        switch pod.reason {
        case "Evicted":
            if Self.isOwnLimit(message) { return outcome(report, "evicted by its own storage limit (\(trim(message)))") }
            return TrialError(.environmentEvicted, "evicted: \(trim(message))")
        case "DeadlineExceeded":
            return deadline(report)
        case "NodeLost":
            return TrialError(.environmentNodeLost, trim(message))
        case "Preempting", "Preempted", "Terminated", "Shutdown", "NodeShutdown":
            return TrialError(.environmentEvicted, "\(pod.reason ?? ""): \(trim(message))")
        case "OutOfcpu", "OutOfmemory", "OutOfpods", "OutOfephemeral-storage", "NodeAffinity", "UnexpectedAdmissionError":
            return TrialError(.environmentResourceAllocationFailed, "the node refused the pod: \(trim(message))")
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

    /// The error when the collector ended without a readable report.
    func collectorWithoutReport(_ ended: PodSnapshot.Termination) -> TrialError {
        if ended.isStartFailure {
            return TrialError(.environmentStartFailed, "\(ContainerRole.collector.containerName): \(ended.reason): \(ended.message)")
        }
        return TrialError(
            .internalError,
            "the collector ended with \(ended.exitCode)\(ended.reason.isEmpty ? "" : " (\(ended.reason))") and left no report")
    }

    /// When the trial dies of one of its own limits, that is an outcome of the phase it was in. Without a report the phase is not known;
    /// the agent's phase is assumed, because it is by far the longest.
    private func outcome(_ report: TrialReport?, _ reason: String) -> TrialError {
        TrialOutcome.errorOfDeath(in: report == nil ? .execute : report?.lastPhase, because: reason)
    }

    /// The kernel may kill a phase's script a moment before the rest of the container. A script that was killed (137) was the one that used
    /// the memory, even if the runner went on to the next phase before it was killed, too.
    private func memoryOutcome(_ report: TrialReport?) -> TrialError {
        let reason = "the trial container ran out of its memory limit (OOMKilled)"
        guard let killed = TrialPhase.allCases.first(where: { report?.exitCodes[$0.rawValue] == 137 }) else { return outcome(report, reason) }
        return TrialOutcome.errorOfDeath(in: killed, because: reason)
    }

    /// The pod's deadline is longer than the sum of all limits of the trial, so it is reached only when another limit had no effect.
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

    /// Whether the pod was evicted for exceeding its own limit. The texts are those of the kubelet's eviction manager; its message for a
    /// node with too few resources begins differently ("The node was low on resource: ...").
    static func isOwnLimit(_ message: String) -> Bool {
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

    /// The typed error that repo-cache reported; without one, an error that describes how the container ended.
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

    /// The error of the agent's init container. What its image lacks, it lacks at the next try too.
    static func agentFailure(_ ended: PodSnapshot.Termination) -> TrialError {
        let message = ended.message.replacingControls
        if ended.isStartFailure { return startFailure(message, container: .agent) }
        if ended.reason == "OOMKilled" { return TrialError(.environmentStartFailed, "copying the agent's files ran out of memory (OOMKilled)") }
        if message.contains("No space left") {
            return TrialError(.environmentResourceAllocationFailed, "the agent's files do not fit on the node: \(message)")
        }
        guard ended.exitCode < 126 else {
            return TrialError(.environmentStartFailed, "copying the agent's files ended with \(ended.exitCode): \(message)")
        }
        return TrialError(.taskInvalid, "the agent's image (agents[].image) must have its files in \(TrialPaths().agentImage): \(message)")
    }

    /// The error of a container that cannot start. It is the task's fault when its image has no bash, and the agent's when its image has no cp;
    /// otherwise the environment's.
    ///
    /// The container runtimes use different texts: `exec: "bash": executable file not found in $PATH` (runc),
    /// "executable file `bash` not found in $PATH" (crun), `"/bin/bash": stat /bin/bash: no such file or directory`.
    static func startFailure(_ text: String, container: ContainerRole) -> TrialError {
        let lower = text.lowercased()
        let missing = lower.contains("not found") || lower.contains("no such file or directory")
        if container == .agent, missing, lower.contains("cp") {
            return TrialError(
                .taskInvalid, "the agent's image (agents[].image) has no cp, with which its files are copied; install coreutils (\(text))")
        }
        if container == .trial || container.isVerifier, missing, lower.contains("bash") {
            return TrialError(
                .taskInvalid,
                "the \(container == .trial ? "task" : "verifier")'s image has no bash, which the runner needs; install bash in the image (\(text))")
        }
        return TrialError(.environmentStartFailed, text)
    }
}
