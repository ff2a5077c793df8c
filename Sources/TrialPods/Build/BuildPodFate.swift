import Base
import EvalModel
import TrialRuntime

/// What a build pod's status means. Pure: the same pod at the same time gives the same fate.
public enum BuildPodFate: Sendable, Hashable {
    /// It waits or works.
    case underWay
    case built(digest: String)
    /// The builder, or what comes before or after it, failed, and would fail again.
    case failed(Failure)
    /// The build took longer than it may.
    case timedOut
    /// Something outside the build ended it: another attempt may succeed.
    case interrupted(String)

    public enum Failure: Sendable, Hashable {
        /// The builder ended with this exit code: its log says why.
        case builder(exitCode: Int)
        case other(String)
    }

    /// - Parameters:
    ///   - pod: the pod as the API server has it.
    ///   - timeoutSec: seconds that the builder may take.
    public static func of(_ pod: JSONValue, at now: Timestamp, timeoutSec: Double, bounds: PodFateBounds = PodFateBounds()) -> BuildPodFate {
        guard let snapshot = PodSnapshot.project(pod) else { return .interrupted("the pod has no name") }
        return Reading(pod: snapshot, states: states(pod), now: now, timeoutSec: timeoutSec, bounds: bounds).fate
    }

    private static func states(_ pod: JSONValue) -> [BuildRole: PodSnapshot.State] {
        var states: [BuildRole: PodSnapshot.State] = [:]
        for list in ["initContainerStatuses", "containerStatuses"] {
            for container in pod.at("status", list)?.array ?? [] {
                guard let role = container["name"]?.string.flatMap(BuildRole.init(rawValue:)) else { continue }
                states[role] = PodSnapshot.state(container["state"])
            }
        }
        return states
    }
}

private struct Reading {
    let pod: PodSnapshot
    let states: [BuildRole: PodSnapshot.State]
    let now: Timestamp
    let timeoutSec: Double
    let bounds: PodFateBounds

    var fate: BuildPodFate {
        if let ended = states[.push]?.termination, ended.exitCode == 0, case .pushed(let digest)? = BuildMessage(ended.message) {
            return .built(digest: digest)
        }
        if let fate = podFailure { return fate }
        for role in BuildRole.allCases {
            if let ended = states[role]?.termination, ended.exitCode != 0 || role == .push { return self.ended(role, ended) }
        }
        if pod.metadata.deletionTimestamp != nil { return .interrupted("the build pod was deleted") }
        if pod.phase == "Unknown" { return .interrupted("the node \(pod.nodeName ?? "") of the build pod is not heard of any more") }
        if pod.phase == "Failed" || pod.phase == "Succeeded" {
            return .interrupted("the build pod ended (\(pod.phase)) without saying why\(pod.message.map { ": \($0)" } ?? "")")
        }
        if case .running(let since?)? = states[.builder], now - since >= timeoutSec { return .timedOut }
        return notStarted ?? .underWay
    }

    /// Something that happened to the pod as a whole.
    private var podFailure: BuildPodFate? {
        let message = (pod.message ?? "").replacingControls
        if pod.reason == "DeadlineExceeded" {
            return states[.builder] == nil || states[.builder]?.isWaiting == true
                ? .interrupted("the build pod reached its deadline before the build began") : .timedOut
        }
        if pod.reason == "Evicted", PodCause.isOwnLimit(message) {
            return .failed(.other("the build wrote more to the disk than it may (spec.image.build.resources of the EvalTarget): \(message)"))
        }
        guard pod.metadata.deletionTimestamp == nil, let error = PodCause(pod).podFailure(nil) else { return nil }
        return .interrupted(error.message)
    }

    private func ended(_ role: BuildRole, _ ended: PodSnapshot.Termination) -> BuildPodFate {
        if ended.reason == "OOMKilled" { return .interrupted("the \(role.containerName) container ran out of memory (OOMKilled)") }
        if ended.isStartFailure { return .failed(.other("the \(role.containerName) container cannot start: \(ended.message.replacingControls)")) }
        if role == .builder { return .failed(.builder(exitCode: ended.exitCode)) }
        guard case .failure(let error)? = BuildMessage(ended.message) else {
            return .interrupted("the \(role.containerName) container ended with \(ended.exitCode) and left no message")
        }
        // A source that cannot be reached may be reached later; what a registry refuses, it refuses again.
        return role == .context && error.isRetryable ? .interrupted(error.message) : .failed(.other(error.message))
    }

    private var notStarted: BuildPodFate? {
        if let scheduled = pod.scheduled, !scheduled.isTrue, pod.nodeName == nil {
            guard let created = pod.metadata.creationTimestamp, now - created >= bounds.unschedulable else { return nil }
            return .failed(.other("no node took the build pod within \(Int(bounds.unschedulable)) s: \(scheduled.message ?? "")"))
        }
        for role in BuildRole.allCases {
            guard case .waiting(let reason, let message)? = states[role], let limit = self.limit(reason) else { continue }
            let start = states.values.compactMap { $0.termination?.finishedAt }.max { $0 < $1 } ?? pod.startTime ?? pod.metadata.creationTimestamp
            guard let start, now - start >= limit else { return nil }
            return .failed(.other("the \(role.containerName) container cannot start: \(reason): \(message)".replacingControls))
        }
        return nil
    }

    private func limit(_ reason: String) -> Double? {
        switch reason {
        case "ErrImagePull", "ImagePullBackOff", "ImageInspectError", "RegistryUnavailable", "SignatureValidationFailed": bounds.imagePull
        case "InvalidImageName", "ErrImageNeverPull": bounds.imageUnavailable
        case "CreateContainerConfigError", "CreateContainerError", "RunContainerError", "CrashLoopBackOff": bounds.configuration
        default: nil
        }
    }
}
