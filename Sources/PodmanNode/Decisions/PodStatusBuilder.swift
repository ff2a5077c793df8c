import Base

/// Builds the status of a pod from the node's data, in the form in which the kubelet writes it.
///
/// Source of the rules: kubelet `generateAPIPodStatus`, `convertToAPIContainerStatuses` and the status manager's
/// `mergePodStatus`, checked against recordings of a real node.
enum PodStatusBuilder {
    /// The condition types that the node writes; conditions of other types belong to other writers and are left unchanged.
    static let ownConditions = ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"]

    struct Surroundings: Sendable {
        var hostIP: String
        var now: Timestamp
    }

    /// - Returns: the whole status, including the conditions of other writers in `pod.status`.
    static func status(of pod: NodePod, journal: PodJournal, in surroundings: Surroundings) -> JSONValue {
        let records = journal.containers
        let computed = computedPhase(of: pod, journal: journal)
        let ended = computed == "Succeeded" || computed == "Failed"
        // A last phase is published only when none of the pod's containers run any more; until then only the conditions show the end.
        let published = !ended || journal.tornDown || pod.hasEnded ? computed : phaseWhileEnding(pod, records)

        var status: [String: JSONValue] = [
            "observedGeneration": .int(Int64(pod.generation)), "phase": .string(published),
            "hostIP": .string(surroundings.hostIP), "hostIPs": [["ip": .string(surroundings.hostIP)]],
            "startTime": .string(journal.startTime.rfc3339), "qosClass": .string(qualityOfService(of: pod)),
        ]
        if journal.tornDown, let ending = journal.ending, let reason = ending.reason {
            status["reason"] = .string(reason)
            if let message = ending.message { status["message"] = .string(message) }
        }
        let hasInit = !pod.initContainers.isEmpty
        if hasInit {
            status["initContainerStatuses"] = .array(
                pod.initContainers.map {
                    ContainerStatusBuilder.status(
                        of: $0, record: records[$0.name], isInit: true, hasInit: true)
                })
        }
        status["containerStatuses"] = .array(
            pod.containers.sorted { $0.name < $1.name }.map {
                ContainerStatusBuilder.status(
                    of: $0, record: records[$0.name], isInit: false, hasInit: hasInit)
            })
        status["conditions"] = .array(
            conditions(of: pod, journal: journal, computedPhase: computed, now: surroundings.now))
        return .object(status)
    }

    /// The phase of a pod that is being ended: computed from its containers, or the previous phase when all of them have ended.
    private static func phaseWhileEnding(_ pod: NodePod, _ records: [String: ContainerRecord]) -> String {
        let phase = PhaseRules.phase(of: pod, containers: records, isTerminal: false)
        return phase == "Succeeded" || phase == "Failed" ? pod.phase : phase
    }

    static func computedPhase(of pod: NodePod, journal: PodJournal) -> String {
        // A deadline makes the pod `Failed` at once, an eviction once none of its containers run.
        if let ending = journal.ending, ending.cause == .deadline || (ending.cause == .evicted && journal.tornDown) { return "Failed" }
        let isTerminal = journal.tornDown || journal.ending != nil
        let phase = PhaseRules.phase(of: pod, containers: journal.containers, isTerminal: isTerminal)
        // A pod that was torn down before its containers could run has failed.
        return journal.tornDown && phase != "Succeeded" ? "Failed" : phase
    }

    /// Whether every init container has either succeeded or is a sidecar that has started.
    static func isInitialized(_ pod: NodePod, _ records: [String: ContainerRecord]) -> Bool {
        incompleteInit(pod, records).isEmpty
    }

    private static func incompleteInit(_ pod: NodePod, _ records: [String: ContainerRecord]) -> [String] {
        // Once a main container has run, the pod stays initialised.
        if pod.containers.contains(where: { records[$0.name]?.hasRun == true }) { return [] }
        return pod.initContainers.filter { container in
            let record = records[container.name]
            if container.isSidecar { return !container.hasStarted(record) }
            return record?.end?.exitCode != 0
        }.map(\.name)
    }

    private static func conditions(
        of pod: NodePod, journal: PodJournal, computedPhase: String, now: Timestamp
    ) -> [JSONValue] {
        let records = journal.containers
        let previous = pod.status["conditions"]?.array ?? []
        func condition(_ type: String, _ holds: Bool, _ reason: String? = nil, _ message: String? = nil) -> JSONValue {
            let before = previous.first { $0["type"]?.string == type }
            let status = holds ? "True" : "False"
            var value: [String: JSONValue] = [
                "type": .string(type), "status": .string(status), "observedGeneration": .int(Int64(pod.generation)),
                "lastProbeTime": .null,
            ]
            let unchanged = before?["status"]?.string == status
            value["lastTransitionTime"] = (unchanged ? before?["lastTransitionTime"] : nil) ?? .string(now.rfc3339)
            if let reason { value["reason"] = .string(reason) }
            if let message { value["message"] = .string(message) }
            return .object(value)
        }

        let phaseReason = computedPhase == "Succeeded" ? "PodCompleted" : computedPhase == "Failed" ? "PodFailed" : nil
        let unready =
            (pod.initContainers.filter(\.isSidecar) + pod.containers).filter { !$0.hasStarted(records[$0.name]) }.map(\.name)
        let readiness: (Bool, String?, String?)
        if let phaseReason {
            readiness = (false, phaseReason, nil)
        } else if unready.isEmpty {
            readiness = (true, nil, nil)
        } else {
            readiness = (false, "ContainersNotReady", "containers with unready status: [\(unready.joined(separator: " "))]")
        }
        let incomplete = incompleteInit(pod, records)
        let initReason = computedPhase == "Succeeded" ? "PodCompleted" : nil

        var result = [
            condition("PodReadyToStartContainers", journal.ready && !journal.tornDown),
            incomplete.isEmpty
                ? condition("Initialized", true, initReason)
                : condition(
                    "Initialized", false, "ContainersNotInitialized",
                    "containers with incomplete status: [\(incomplete.joined(separator: " "))]"),
            condition("Ready", readiness.0, readiness.1, readiness.2),
            condition("ContainersReady", readiness.0, readiness.1, readiness.2),
            condition("PodScheduled", true),
        ]
        result.append(contentsOf: previous.filter { !ownConditions.contains($0["type"]?.string ?? "") })
        return result
    }

    /// Source of the rule: `qos.ComputePodQOS`.
    static func qualityOfService(of pod: NodePod) -> String {
        var any = false
        var guaranteed = true
        for container in pod.allContainers {
            for resource in ["cpu", "memory"] {
                let limit = container.limit(resource)
                let request = container.request(resource)
                if limit != nil || request != nil { any = true }
                if limit == nil || limit != request { guaranteed = false }
            }
        }
        return !any ? "BestEffort" : guaranteed ? "Guaranteed" : "Burstable"
    }
}
