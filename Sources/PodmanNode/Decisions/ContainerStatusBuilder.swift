import Base

/// Builds one entry of `containerStatuses`.
enum ContainerStatusBuilder {
    /// - Parameters:
    /// - record: the node's record of the container; nil before there is one.
    /// - hasInit: whether the pod has init containers; the other containers then wait with the reason `PodInitializing`.
    static func status(
        of container: NodeContainer, record: ContainerRecord?, isInit: Bool, hasInit: Bool
    ) -> JSONValue {
        let record = record ?? ContainerRecord()
        var status: [String: JSONValue] = [
            "name": .string(container.name), "image": .string(container.image), "imageID": .string(record.imageID),
            "restartCount": .int(Int64(record.restarts)),
            "lastState": .object(record.last.map { ["terminated": ended($0)] } ?? [:]),
            "started": .bool(container.hasStarted(record)),
        ]
        switch record.state {
        case .waiting(let reason, let message):
            var waiting: [String: JSONValue] = [:]
            waiting["reason"] = .string(reason ?? (hasInit ? "PodInitializing" : "ContainerCreating"))
            if let message { waiting["message"] = .string(message) }
            status["state"] = ["waiting": .object(waiting)]
        case .running(let since):
            status["state"] = ["running": ["startedAt": .string(since.rfc3339)]]
        case .ended(let end):
            status["state"] = ["terminated": ended(end)]
        }
        // An init container is ready once it has succeeded, any other once it has started: this node runs no readiness probes.
        status["ready"] = .bool(isInit && !container.isSidecar ? record.end?.exitCode == 0 : container.hasStarted(record))
        if let id = record.containerID { status["containerID"] = .string("podman://" + id) }
        if record.hasRun { status["resources"] = container.resources }
        if let requests = container.resources["requests"] ?? container.resources["limits"] {
            status["allocatedResources"] = requests
            status["resources"] = record.hasRun ? container.resources : nil
        }
        if !container.mounts.isEmpty {
            status["volumeMounts"] = .array(
                container.mounts.map { mount in
                    var entry: [String: JSONValue] = ["name": .string(mount.volume), "mountPath": .string(mount.path)]
                    if mount.readOnly {
                        entry["readOnly"] = true
                        entry["recursiveReadOnly"] = "Disabled"
                    }
                    return .object(entry)
                })
        }
        return .object(status)
    }

    private static func ended(_ end: ContainerEnd) -> JSONValue {
        var value: [String: JSONValue] = [
            "exitCode": .int(Int64(end.exitCode)), "reason": .string(end.reason), "startedAt": .string(end.startedAt.rfc3339),
            "finishedAt": .string(end.finishedAt.rfc3339),
        ]
        if let message = end.message { value["message"] = .string(message) }
        if let id = end.containerID { value["containerID"] = .string("podman://" + id) }
        return .object(value)
    }
}
