import AssayAPI
import Base
import KubeCore
import TrialRuntime

/// The part of a trial pod that the operator keeps: a small struct, not a tree.
public struct PodSnapshot: Sendable, Hashable {
    /// One container's state.
    public enum State: Sendable, Hashable {
        case waiting(reason: String, message: String)
        case running(startedAt: Timestamp?)
        case terminated(Termination)
    }

    public struct Termination: Sendable, Hashable {
        public var exitCode: Int
        public var signal: Int?
        /// `Completed`, `Error`, `OOMKilled`, `StartError`, `ContainerCannotRun`, ...
        public var reason: String
        /// The termination message, or the container runtime's message.
        public var message: String
        public var startedAt: Timestamp?
        public var finishedAt: Timestamp?

        public init(
            exitCode: Int, signal: Int? = nil, reason: String = "", message: String = "", startedAt: Timestamp? = nil,
            finishedAt: Timestamp? = nil
        ) {
            self.exitCode = exitCode
            self.signal = signal
            self.reason = reason
            self.message = message
            self.startedAt = startedAt
            self.finishedAt = finishedAt
        }

        /// Whether the container never ran.
        public var isStartFailure: Bool { reason == "StartError" || reason == "ContainerCannotRun" }
    }

    /// The part of a condition that fates depend on.
    public struct PodCondition: Sendable, Hashable {
        public var isTrue: Bool
        public var reason: String?
        public var message: String?
        public var since: Timestamp?

        public init(isTrue: Bool, reason: String? = nil, message: String? = nil, since: Timestamp? = nil) {
            self.isTrue = isTrue
            self.reason = reason
            self.message = message
            self.since = since
        }
    }

    /// Without annotations other than Assay's own.
    public var metadata: ObjectMeta
    public var phase: String
    public var reason: String?
    public var message: String?
    public var nodeName: String?
    public var startTime: Timestamp?
    /// Whether a container that has ended is not restarted (`restartPolicy: Never`, which every trial pod has).
    public var neverRestarts: Bool
    /// States by role. A container that the kubelet does not report has none.
    public var containers: [ContainerRole: State]
    /// The images of the containers of tasks, as the pod names them.
    public var images: [ContainerRole: String] = [:]
    /// The images that these containers ran, as their node names them; without those that have not started.
    public var imageIDs: [ContainerRole: String] = [:]
    /// The services of the trial, in the order in which they start.
    public var services: [Service] = []
    public var scheduled: PodCondition?
    public var ready: PodCondition?
    public var disruption: PodCondition?

    public init(
        metadata: ObjectMeta, phase: String = "Pending", reason: String? = nil, message: String? = nil,
        nodeName: String? = nil, startTime: Timestamp? = nil, neverRestarts: Bool = true, containers: [ContainerRole: State] = [:],
        scheduled: PodCondition? = nil, ready: PodCondition? = nil, disruption: PodCondition? = nil
    ) {
        self.metadata = metadata
        self.phase = phase
        self.reason = reason
        self.message = message
        self.nodeName = nodeName
        self.startTime = startTime
        self.neverRestarts = neverRestarts
        self.containers = containers
        self.scheduled = scheduled
        self.ready = ready
        self.disruption = disruption
    }

    /// Whether all containers that should run have ended, so that the pod no longer counts against the parallelism.
    public var containersEnded: Bool {
        if phase == "Succeeded" || phase == "Failed" { return true }
        return [trial, collector].allSatisfy { $0?.isTerminated == true } && verifiersEnded
    }

    public var delivery: State? {
        get { containers[.delivery] }
        set { containers[.delivery] = newValue }
    }
    public var trial: State? {
        get { containers[.trial] }
        set { containers[.trial] = newValue }
    }
    /// The separate verifiers that the pod has, in the order of their steps, with their states.
    public var verifiers: [(role: ContainerRole, state: State?)] {
        images.keys.compactMap(\.verifiedStep).sorted().map { (.verifier($0), containers[.verifier($0)]) }
    }
    /// Whether all separate verifiers have ended; true for a pod without any.
    public var verifiersEnded: Bool { verifiers.allSatisfy { $0.state?.isTerminated == true } }
    /// The trial and the separate verifiers: the containers with an image of the task, which run a runner.
    var runners: [(role: ContainerRole, state: State?)] { [(.trial, trial)] + verifiers }
    public var collector: State? {
        get { containers[.collector] }
        set { containers[.collector] = newValue }
    }
}

extension PodSnapshot.State {
    public var termination: PodSnapshot.Termination? {
        if case .terminated(let termination) = self { return termination }
        return nil
    }

    public var isTerminated: Bool { termination != nil }

    public var isWaiting: Bool {
        if case .waiting = self { return true }
        return false
    }

    public var isRunning: Bool {
        if case .running = self { return true }
        return false
    }
}

extension PodSnapshot {
    /// The part of a pod that `project` reads.
    public static let projection = ObjectProjection.metadata(and: [
        "spec": .only([
            "nodeName": .everything, "restartPolicy": .everything, "containers": .keys("name", "image"),
            "initContainers": .keys("name", "image", "restartPolicy", "startupProbe"),
        ]),
        "status": .only([
            "phase": .everything, "reason": .everything, "message": .everything, "startTime": .everything,
            "initContainerStatuses": .keys("name", "state", "imageID", "lastState", "restartCount", "started"),
            "containerStatuses": .keys("name", "state", "imageID"),
            "conditions": .keys("type", "status", "reason", "message", "lastTransitionTime"),
        ]),
    ])

    /// Keeps the needed part of a pod; nil for an object without a name.
    public static func project(_ pod: JSONValue) -> PodSnapshot? {
        guard let metadata = pod["metadata"] else { return nil }
        var meta = ObjectMeta(metadata: metadata)
        guard !meta.name.isEmpty else { return nil }
        meta.annotations = meta.annotations?.filter { $0.key.hasPrefix(AssayNames.group) }
        var snapshot = PodSnapshot(metadata: meta)
        snapshot.nodeName = pod.at("spec", "nodeName")?.string
        snapshot.neverRestarts = pod.at("spec", "restartPolicy")?.string == "Never"
        for container in pod.at("spec", "containers")?.array ?? [] {
            let role = container["name"]?.string.flatMap(ContainerRole.init(containerName:))
            if let role, role == .trial || role.isVerifier { snapshot.images[role] = container["image"]?.string }
        }
        snapshot.services = (pod.at("spec", "initContainers")?.array ?? []).compactMap { Service($0) }
        for service in snapshot.services { snapshot.images[.service(service.name)] = service.image }
        guard let status = pod["status"] else { return snapshot }
        snapshot.phase = status["phase"]?.string ?? "Pending"
        snapshot.reason = status["reason"]?.string
        snapshot.message = status["message"]?.string
        snapshot.startTime = time(status["startTime"])
        // A sidecar is an init container that keeps running. Roles are found by name, in whichever list the container is.
        for list in ["initContainerStatuses", "containerStatuses"] {
            for container in status[list]?.array ?? [] {
                guard let role = container["name"]?.string.flatMap(ContainerRole.init(containerName:)) else { continue }
                snapshot.containers[role] = state(container["state"])
                if case .service(let name) = role, let index = snapshot.services.firstIndex(where: { $0.name == name }) {
                    snapshot.services[index].read(container)
                }
                guard let id = container["imageID"]?.string, !id.isEmpty else { continue }
                if role != .delivery, role != .collector { snapshot.imageIDs[role] = id }
            }
        }
        for condition in status["conditions"]?.array ?? [] {
            switch condition["type"]?.string {
            case "PodScheduled": snapshot.scheduled = self.condition(condition)
            case "Ready": snapshot.ready = self.condition(condition)
            case "DisruptionTarget": snapshot.disruption = self.condition(condition)
            default: break
            }
        }
        return snapshot
    }

    static func state(_ state: JSONValue?) -> State? {
        guard let state else { return nil }
        if let ended = state["terminated"] {
            return .terminated(
                Termination(
                    exitCode: ended["exitCode"]?.int ?? -1, signal: ended["signal"]?.int, reason: ended["reason"]?.string ?? "",
                    message: ended["message"]?.string ?? "", startedAt: time(ended["startedAt"]),
                    finishedAt: time(ended["finishedAt"])))
        }
        if let running = state["running"] { return .running(startedAt: time(running["startedAt"])) }
        if let waiting = state["waiting"] {
            return .waiting(reason: waiting["reason"]?.string ?? "", message: waiting["message"]?.string ?? "")
        }
        return nil
    }

    private static func condition(_ condition: JSONValue) -> PodCondition {
        PodCondition(
            isTrue: condition["status"]?.string == "True", reason: condition["reason"]?.string,
            message: condition["message"]?.string, since: time(condition["lastTransitionTime"]))
    }

    private static func time(_ value: JSONValue?) -> Timestamp? {
        value?.string.flatMap(Timestamp.init(rfc3339:))
    }
}
