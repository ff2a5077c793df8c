import Base

/// Decides how a starting node continues with the pods and containers that an earlier node process left behind.
enum Adoption {
    struct Outcome: Sendable, Hashable {
        var journal: PodJournal
        /// Ends of containers that are not in the journal yet.
        var exits: [ContainerExit] = []
        /// Containers that were made but never started; they are removed, and made again if they are still wanted.
        var remove: [String] = []
    }

    /// - Parameters:
    /// - containers: the pod's containers that podman lists.
    /// - rebooted: whether the machine has been restarted since, so that none of its containers run any more.
    static func adopt(_ journal: PodJournal, containers: [ListedContainer], rebooted: Bool, now: Timestamp) -> Outcome {
        var outcome = Outcome(journal: journal)
        for (name, before) in journal.containers where before.starting || before.isRunning {
            var record = before
            let found = containers.first {
                $0.labels[PodmanCLI.containerLabel] == name && $0.labels[PodmanCLI.instanceLabel] == String(record.restarts)
            }
            record.starting = false
            if let found, !found.neverStarted, !rebooted {
                if !before.isRunning { record.state = .running(since: found.startedAt) }
                record.containerID = found.id
                if !found.isRunning {
                    outcome.exits.append(ContainerExit(containerID: found.id, code: found.exitCode, at: found.exitedAt))
                }
            } else if case .running(let since) = before.state {
                record.state = .ended(.lost(containerID: record.containerID, started: since, now: now, whilePodWas: "running"))
            }
            outcome.journal.containers[name] = record
            if let found, found.neverStarted || rebooted { outcome.remove.append(found.id) }
        }
        return outcome
    }

    /// A journal for a pod whose status says that it has run but whose journal is missing: its containers count as lost and never start again.
    static func lost(_ pod: NodePod, now: Timestamp) -> PodJournal? {
        let statuses = (pod.status["initContainerStatuses"]?.array ?? []) + (pod.status["containerStatuses"]?.array ?? [])
        guard statuses.contains(where: { $0["containerID"]?.string.map { !$0.isEmpty } ?? false }) else { return nil }
        let start = pod.status["startTime"]?.string.flatMap(Timestamp.init(rfc3339:)) ?? now
        var journal = PodJournal(
            namespace: pod.key.namespace, name: pod.key.name, uid: pod.uid, startTime: start, containers: [:], ready: true)
        for container in pod.allContainers {
            var record = ContainerRecord()
            record.state = .ended(.lost(containerID: nil, started: start, now: now, whilePodWas: "running"))
            journal.containers[container.name] = record
        }
        journal.ending = PodEnding(
            cause: .evicted, reason: "NodeLost", message: "The node lost its record of the pod.", graceSeconds: 0)
        return journal
    }
}
