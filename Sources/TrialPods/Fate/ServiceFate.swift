import Base
import EvalModel
import TrialRuntime

/// What the services of a trial say about its end. Pure.
struct ServiceFate {
    let pod: PodSnapshot

    init(_ pod: PodSnapshot) { self.pod = pod }

    /// The service that is not up yet and holds up what comes after it; nil when none does. One before it may start again: that holds up nothing.
    var awaited: PodSnapshot.Service? {
        let begun = pod.services.lastIndex { $0.hasBegun } ?? 0
        return pod.services.dropFirst(begun).first { !$0.isReady }
    }

    /// When the service could begin: when what comes before it was done.
    func begun(_ service: PodSnapshot.Service, _ initialized: Timestamp?) -> Timestamp? {
        let before = pod.services.prefix { $0.name != service.name }.map { $0.isServer ? $0.state?.began : $0.state?.termination?.finishedAt }
        return ([initialized] + before).compactMap { $0 }.max()
    }

    /// The error of a service that ended before the trial began, and that is not started again.
    var failedStart: TrialError? {
        for service in pod.services where !service.isServer {
            guard let ended = service.state?.termination, ended.exitCode != 0 else { continue }
            return Self.error(service, "it ended with \(ended.exitCode) before the agent began", ended)
        }
        return nil
    }

    /// The error of a service whose container cannot be started.
    static func startFailure(_ service: PodSnapshot.Service, _ ended: PodSnapshot.Termination) -> TrialError {
        error(service, "its container cannot start", ended)
    }

    /// The error of a service that did not come up in its time.
    static func late(_ service: PodSnapshot.Service, seconds: Double) -> TrialError {
        let ended = service.last ?? service.state?.termination
        let how = service.checkSeconds == nil ? "it did not run" : "its health check did not succeed"
        let restarts = service.restarts == 0 ? "" : ", with \(service.restarts) restart\(service.restarts == 1 ? "" : "s")"
        return error(service, "\(how) within \(Int(seconds)) s\(restarts)", ended)
    }

    private static func error(_ service: PodSnapshot.Service, _ what: String, _ ended: PodSnapshot.Termination?) -> TrialError {
        var message = "the service \"\(service.name)\": \(what)"
        if ended?.reason == "OOMKilled" {
            message += "; it ran out of its memory limit (OOMKilled): raise deploy.resources.limits.memory in \(TaskServices.file)"
        }
        // What a service writes may hold a secret; what the runtime says of its start does not.
        if let ended, ended.isStartFailure, !ended.message.isEmpty { message += ": \(ended.message.replacingControls.suffix(500))" }
        return TrialError(.environmentServiceFailed, message)
    }

    /// The services that ended with an error while the trial ran.
    var deaths: [(service: PodSnapshot.Service, end: PodSnapshot.Termination)] {
        guard let begun = pod.trial?.began else { return [] }
        return pod.services.filter(\.isServer).compactMap { service in
            func isDeath(_ ended: PodSnapshot.Termination) -> Bool { ended.exitCode != 0 && ended.finishedAt.map { $0 >= begun } ?? false }
            if let ended = service.state?.termination, isDeath(ended),
                // After the collector, services are told to end. Times are in whole seconds.
                pod.collector?.termination?.finishedAt.map({ collected in ended.finishedAt.map { $0 < collected } ?? false }) ?? true
            {
                return (service, ended)
            }
            // One that was started again ended while the trial or the collector still ran.
            return service.last.flatMap { isDeath($0) ? (service, $0) : nil }
        }
    }

    /// The end of a trial, with a service's death as its error when the trial has failed: the failure is then not the agent's.
    func judged(_ end: PodFate.End) -> PodFate.End {
        guard let death = deaths.first, !end.outcome.isPass, Self.isFailure(end.error) else { return end }
        var judged = end
        var error = Self.error(death.service, "it ended with \(death.end.exitCode) while the trial ran", death.end)
        error.message += end.error.map { "; the trial then ended with \($0)" } ?? "; the trial then failed its tests"
        judged.error = error
        return judged
    }

    /// Whether a trial with the error has failed: without one it has a reward, and no pass.
    private static func isFailure(_ error: TrialError?) -> Bool {
        guard let error else { return true }
        switch error.type.consequence {
        case .outcome, .advisory: return true
        case .infrastructure, .input, .cancelled: return false
        }
    }
}

extension PodSnapshot {
    /// The names of the services that ended with an error while the trial ran.
    public var servicesThatDied: Set<String> { Set(ServiceFate(self).deaths.map(\.service.name)) }
}

extension PodSnapshot.State {
    /// When the container began.
    fileprivate var began: Timestamp? {
        switch self {
        case .running(let at): at
        case .terminated(let ended): ended.startedAt
        case .waiting: nil
        }
    }
}
