import Base

/// How a container ended.
struct ContainerEnd: Sendable, Hashable, Codable {
    var exitCode: Int
    var reason: String
    var message: String?
    var startedAt: Timestamp
    var finishedAt: Timestamp
    var containerID: String?

    /// The end of a container that podman does not know any more, in the kubelet's words.
    static func lost(containerID: String?, started: Timestamp, now: Timestamp, whilePodWas what: String) -> ContainerEnd {
        ContainerEnd(
            exitCode: 137, reason: "ContainerStatusUnknown",
            message: "The container could not be located when the pod was \(what).", startedAt: started, finishedAt: now,
            containerID: containerID)
    }
}

/// What the node knows of one container of a pod. It is kept on disk, so that a node that was killed can continue.
struct ContainerRecord: Sendable, Hashable, Codable {
    enum State: Sendable, Hashable, Codable {
        /// Not started. Without a reason the container waits until the plan starts it.
        case waiting(reason: String?, message: String?)
        case running(since: Timestamp)
        case ended(ContainerEnd)
    }

    var state = State.waiting(reason: nil, message: nil)
    var last: ContainerEnd?
    /// How often the container was started again after it had run (`restartCount`).
    var restarts = 0
    /// podman's id of the latest instance.
    var containerID: String?
    var imageID = ""
    /// The earliest time of the next attempt to start the container.
    var notBefore: Timestamp?
    /// How many attempts in a row failed (pulls, configuration errors, or runs that ended), for the back-off.
    var failures = 0
    /// Whether podman was asked to start the container and has not answered yet.
    var starting = false
    /// When the container will be killed; set when TERM was sent to it.
    var killAt: Timestamp?
    /// When the startup probe of this instance succeeded; nil before, and for a container without one.
    var startedAt: Timestamp?

    var isRunning: Bool { if case .running = state { true } else { false } }
    var end: ContainerEnd? { if case .ended(let end) = state { end } else { nil } }
    /// Whether the container ran at least once.
    var hasRun: Bool { containerID != nil || last != nil || end != nil }
}

/// Why a pod is ended before its containers end by themselves.
struct PodEnding: Sendable, Hashable, Codable {
    enum Cause: String, Sendable, Codable { case deleted, deadline, evicted }
    var cause: Cause
    /// Published as the pod's reason and message; nil for a deletion.
    var reason: String?
    var message: String?
    /// Seconds between TERM and KILL.
    var graceSeconds: Int
}

/// Everything that the node knows of a pod and the API server does not: one file on disk.
struct PodJournal: Sendable, Hashable, Codable {
    var namespace: String
    var name: String
    var uid: String
    var startTime: Timestamp
    var containers: [String: ContainerRecord]
    /// Whether the volumes exist and containers can be started.
    var ready = false
    var ending: PodEnding?
    /// Whether the containers are removed, so that the pod's last phase may be published.
    var tornDown = false
    /// When the first containers were told to end, from which the grace period counts; nil while none was.
    var stoppingSince: Timestamp?
}
