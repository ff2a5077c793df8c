import Base

/// How a container ended.
struct ContainerEnd: Sendable, Hashable, Codable {
    var exitCode: Int
    var reason: String
    var message: String?
    var startedAt: Timestamp
    var finishedAt: Timestamp
    var containerID: String?

    /// The end of a container that cannot be found any more, in the kubelet's words.
    static func lost(containerID: String?, started: Timestamp, now: Timestamp, whilePodWas what: String) -> ContainerEnd {
        ContainerEnd(
            exitCode: 137, reason: "ContainerStatusUnknown",
            message: "The container could not be located when the pod was \(what).", startedAt: started, finishedAt: now,
            containerID: containerID)
    }
}

/// What the node knows of one container of a pod: kept on disk, so that a node that was killed continues where it was.
struct ContainerRecord: Sendable, Hashable, Codable {
    enum State: Sendable, Hashable, Codable {
        /// Not started; a nil reason: it is waiting for its turn.
        case waiting(reason: String?, message: String?)
        case running(since: Timestamp)
        case ended(ContainerEnd)
    }

    var state = State.waiting(reason: nil, message: nil)
    var last: ContainerEnd?
    /// How often it was started again after it had run (`restartCount`).
    var restarts = 0
    /// podman's id of the newest instance.
    var containerID: String?
    var imageID = ""
    /// The earliest time of the next attempt to start it.
    var notBefore: Timestamp?
    /// Failed attempts in a row (of the pull, of the configuration, or of runs that ended), for the back-off.
    var failures = 0
    /// A start was asked of podman and its answer is not yet known.
    var starting = false
    /// When the container is killed; set once it was sent TERM.
    var killAt: Timestamp?

    var isRunning: Bool { if case .running = state { true } else { false } }
    var end: ContainerEnd? { if case .ended(let end) = state { end } else { nil } }
    /// It ran at least once.
    var hasRun: Bool { containerID != nil || last != nil || end != nil }
}

/// Why a pod is brought to its end before its containers ended by themselves.
struct PodEnding: Sendable, Hashable, Codable {
    enum Cause: String, Sendable, Codable { case deleted, deadline, evicted }
    var cause: Cause
    /// Published as the pod's reason and message; nil for a deletion.
    var reason: String?
    var message: String?
    /// From TERM to KILL.
    var graceSeconds: Int
}

/// Everything the node knows of a pod that the API server does not: one file on disk.
struct PodJournal: Sendable, Hashable, Codable {
    var namespace: String
    var name: String
    var uid: String
    var startTime: Timestamp
    var containers: [String: ContainerRecord]
    /// Volumes are in place and containers can be started.
    var ready = false
    var ending: PodEnding?
    /// The containers are gone and the pod's last phase may be published.
    var tornDown = false
}
