import Base
import Testing

@testable import PodmanNode

/// Compares the status builder with every status that a real kubelet wrote.
@Suite struct RecordedStatusTests {
    @Test("every recorded status is built from the node's data", arguments: PodRecordings.names)
    func rebuilt(_ name: String) throws {
        let objects = try PodRecordings.pods(name)
        var previous = try #require(objects.first)
        for object in objects.dropFirst() {
            defer { previous = object }
            // Written by the kubelet; only the kubelet knows when it began.
            guard object.at("status", "startTime") != nil, object["status"] != previous["status"] else { continue }
            // The node controller adds the condition to pods of lost nodes, the eviction API to pods that it deletes.
            if name == "node-lost", object.at("status", "containerStatuses") == previous.at("status", "containerStatuses") { continue }
            if types(object).contains("DisruptionTarget"), !types(previous).contains("DisruptionTarget") { continue }

            let before = try NodePod(object.replacing("status", previous["status"]))
            let journal = try journal(of: before, from: object)
            let built = PodStatusBuilder.status(of: before, journal: journal, in: .init(hostIP: "192.0.2.2", now: Timestamp(seconds: 0)))
            let ours = NormalStatus(object.replacing("status", built))
            #expect(ours == NormalStatus(object), "\(name)\n--- ours\n\(ours)\n--- recorded\n\(NormalStatus(object))")
            #expect(built["observedGeneration"] == object.at("status", "observedGeneration"))
            #expect(built["qosClass"] == object.at("status", "qosClass"))
        }
    }

    @Test func transitionsKeepTheirTimes() throws {
        let object = try #require(try PodRecordings.pods("succeeded").last)
        let pod = try NodePod(object)
        let built = PodStatusBuilder.status(of: pod, journal: try journal(of: pod, from: object), in: .init(hostIP: "", now: Timestamp(seconds: 9)))
        for condition in built["conditions"]?.array ?? [] { #expect(condition["lastTransitionTime"]?.string != Timestamp(seconds: 9).rfc3339) }
    }

    private func types(_ object: JSONValue) -> [String] { (object.at("status", "conditions")?.array ?? []).compactMap { $0["type"]?.string } }

    /// The data that the node must have had when it wrote the status.
    private func journal(of pod: NodePod, from object: JSONValue) throws -> PodJournal {
        let status = object["status"] ?? [:]
        let start = try #require(status["startTime"]?.string.flatMap(Timestamp.init(rfc3339:)))
        var journal = PodJournal(namespace: pod.key.namespace, name: pod.key.name, uid: pod.uid, startTime: start, containers: [:])
        for entry in (status["initContainerStatuses"]?.array ?? []) + (status["containerStatuses"]?.array ?? []) {
            var record = ContainerRecord()
            record.imageID = entry["imageID"]?.string ?? ""
            record.restarts = entry["restartCount"]?.int ?? 0
            record.containerID = entry["containerID"]?.string.map { String($0.dropFirst("containerd://".count)) }
            record.last = entry.at("lastState", "terminated").map(end)
            if let value = entry.at("state", "terminated") {
                record.state = .ended(end(value))
            } else if let value = entry.at("state", "running", "startedAt")?.string.flatMap(Timestamp.init(rfc3339:)) {
                record.state = .running(since: value)
            } else {
                let reason = entry.at("state", "waiting", "reason")?.string
                let byTurn = reason == "ContainerCreating" || reason == "PodInitializing"
                record.state = .waiting(reason: byTurn ? nil : reason, message: entry.at("state", "waiting", "message")?.string)
            }
            journal.containers[entry["name"]?.string ?? ""] = record
        }
        let phase = status["phase"]?.string
        let isOver = phase == "Failed" || phase == "Succeeded"
        let sandbox = (status["conditions"]?.array ?? []).first { $0["type"]?.string == "PodReadyToStartContainers" }?["status"]?.string
        journal.ready = sandbox == "True"
        journal.tornDown = isOver
        if let reason = status["reason"]?.string {
            journal.ending = PodEnding(
                cause: reason == "Evicted" ? .evicted : .deadline, reason: reason, message: status["message"]?.string, graceSeconds: 3)
        } else if pod.deletion != nil {
            journal.ending = PodEnding(cause: .deleted, graceSeconds: 3)
        } else if pod.key.name == "deadline-exceeded", journal.containers["trial"]?.isRunning == true,
            (status["conditions"]?.array ?? []).contains(where: { $0["reason"]?.string == "PodFailed" })
        {
            journal.ending = PodEnding(cause: .deadline, reason: "DeadlineExceeded", graceSeconds: 3)
        }
        return journal
    }

    private func end(_ value: JSONValue) -> ContainerEnd {
        ContainerEnd(
            exitCode: value["exitCode"]?.int ?? 0, reason: value["reason"]?.string ?? "", message: value["message"]?.string,
            startedAt: value["startedAt"]?.string.flatMap(Timestamp.init(rfc3339:)) ?? Timestamp(seconds: 0),
            finishedAt: value["finishedAt"]?.string.flatMap(Timestamp.init(rfc3339:)) ?? Timestamp(seconds: 0),
            containerID: value["containerID"]?.string)
    }
}

extension JSONValue {
    func replacing(_ key: String, _ value: JSONValue?) -> JSONValue {
        var copy = self
        copy[key] = value
        return copy
    }
}
