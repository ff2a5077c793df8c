import AssayAPI
import Base
import EvalModel
import Foundation
import KubeCore
import Testing
import TrialPods

/// Every recorded pod, event by event.
@Suite("Fates of recorded pods")
struct RecordingTests {
    struct Event {
        var seconds: Double
        var pod: PodSnapshot
    }

    struct Expectation: Sendable, CustomTestStringConvertible {
        var file: String
        /// The fate after the last event.
        var last: Kind
        /// The error of the end: after the last event, or after the time that follows from waiting.
        var error: TrialErrorType?
        /// Seconds after which a fate that does not change becomes stuck; nil when the pod ends.
        var bound: Double?
        var reason: String?
        var message: String?
        var testDescription: String { file }
    }

    enum Kind: Sendable { case ended, waiting, running }

    static let expectations: [Expectation] = [
        .init(file: "succeeded", last: .ended, error: .internalError, message: "left no report"),
        .init(file: "trial-exit-3", last: .ended, error: .internalError, message: "left no report"),
        .init(file: "native-sidecar", last: .ended, error: .internalError, message: "left no report"),
        .init(file: "command-not-found", last: .ended, error: .taskInvalid, message: "bash"),
        .init(file: "deadline-exceeded", last: .ended, error: .agentExecutionTimeout, message: "deadline"),
        .init(file: "deleted-while-running", last: .ended, error: .environmentEvicted, message: "deleted"),
        .init(file: "deleted-while-running-ignores-term", last: .ended, error: .environmentEvicted, message: "deleted"),
        .init(file: "deleted-with-finalizer", last: .ended, error: .environmentEvicted, message: "deleted"),
        .init(file: "emptydir-over-limit", last: .ended, error: .agentExecutionFailed, message: "exceeds the limit"),
        .init(file: "evicted-by-api", last: .ended, error: .environmentEvicted, message: "EvictionByEvictionAPI"),
        .init(file: "oom-killed", last: .ended, error: .agentExecutionFailed, message: "OOMKilled"),
        .init(file: "init-fails", last: .ended, error: .sourceSyncFailed, message: "ended with 1"),
        .init(
            file: "init-restarts-on-failure-policy", last: .waiting, error: .sourceSyncFailed, bound: 1800, reason: "InitError"),
        .init(
            file: "image-missing-never-pull", last: .waiting, error: .environmentImagePullFailed, bound: 20,
            reason: "ErrImageNeverPull"),
        .init(
            file: "image-name-invalid", last: .waiting, error: .environmentImagePullFailed, bound: 20,
            reason: "InvalidImageName", message: "couldn't parse image name"),
        .init(
            file: "image-pull-fails", last: .waiting, error: .environmentImagePullFailed, bound: 180, reason: "ErrImagePull"),
        .init(
            file: "secret-key-missing", last: .waiting, error: .environmentStartFailed, bound: 60,
            reason: "CreateContainerConfigError", message: "secret \"none\" not found"),
        .init(
            file: "volume-secret-missing", last: .waiting, error: .environmentStartFailed, bound: 1800,
            reason: "ContainerCreating"),
        .init(
            file: "unschedulable-cpu", last: .waiting, error: .environmentResourceAllocationFailed, bound: 3600,
            reason: "Unschedulable", message: "Insufficient cpu"),
        .init(
            file: "unschedulable-gpu", last: .waiting, error: .environmentResourceAllocationFailed, bound: 3600,
            reason: "Unschedulable", message: "nvidia.com/gpu"),
        .init(
            file: "unschedulable-selector", last: .waiting, error: .environmentResourceAllocationFailed, bound: 3600,
            reason: "Unschedulable", message: "affinity/selector"),
        .init(file: "node-lost", last: .running, error: .environmentNodeLost, bound: 165),
    ]

    /// The lines of a recording that concern the pod.
    static func lines(_ file: String) throws -> [(text: [UInt8], event: JSONValue)] {
        let url = try #require(Bundle.module.url(forResource: file, withExtension: "jsonl", subdirectory: "Fixtures/pods"))
        let text = try String(contentsOf: url, encoding: .utf8)
        return try text.split(separator: "\n").compactMap { line in
            let event = try JSONValue(parsing: String(line))
            return event["watch"]?.string == "pod" ? (Array(line.utf8), event) : nil
        }
    }

    static func events(_ file: String) throws -> [Event] {
        try lines(file).map { line in
            let object = try #require(line.event["object"])
            return Event(seconds: try #require(line.event["seconds"]?.double), pod: try #require(PodSnapshot.project(object)))
        }
    }

    @Test("a projected pod gives the same snapshot as the whole pod", arguments: expectations)
    func projected(_ expected: Expectation) throws {
        let lines = try Self.lines(expected.file)
        #expect(!lines.isEmpty)
        for line in lines {
            let whole = try #require(line.event["object"])
            let kept = try JSONValue(parsing: line.text, keeping: .only(["object": PodSnapshot.projection.json]))["object"] ?? .null
            let snapshot = try #require(PodSnapshot.project(whole))
            #expect(PodSnapshot.project(kept) == snapshot)
            for container in kept.at("spec", "containers")?.array ?? [] { #expect(Set((container.object ?? [:]).keys) == ["name", "image"]) }
            #expect(snapshot.images[.trial]?.isEmpty == false)
            #expect(kept.text.utf8.count < whole.text.utf8.count * 2 / 3)
            // As delivered by a watch, after a list, and inside a list.
            let change: JSONValue = ["type": "MODIFIED", "object": whole]
            #expect(try WatchEvent(line: change.serialized(), keeping: PodSnapshot.projection) == .modified(kept))
            let list: JSONValue = ["metadata": ["resourceVersion": "1"], "items": [whole]]
            #expect(try ListPage(parsing: list.serialized(), type: .pods, keeping: PodSnapshot.projection).items == [kept])
        }
    }

    @Test("the projection keeps everything that a snapshot contains")
    func projectedInFull() throws {
        let time: JSONValue = "2026-01-02T03:04:05Z"
        let state: JSONValue = [
            "terminated": [
                "exitCode": 3, "signal": 9, "reason": "Error", "message": "é\n{\"reward\":1}", "startedAt": time, "finishedAt": time,
                "containerID": "c",
            ]
        ]
        let conditions: [JSONValue] = ["PodScheduled", "Ready", "DisruptionTarget", "Initialized"].map {
            ["type": .string($0), "status": "True", "reason": "R", "message": "M", "lastTransitionTime": time, "lastProbeTime": nil]
        }
        let pod: JSONValue = [
            "apiVersion": "v1", "kind": "Pod",
            "metadata": [
                "name": "p", "namespace": "n", "generateName": "g", "uid": "u", "resourceVersion": "7", "generation": 2, "creationTimestamp": time,
                "deletionTimestamp": time, "deletionGracePeriodSeconds": 30, "labels": ["a": "b"],
                "annotations": [AssayNames.interruptedAnnotation: "true", "other": "x"], "finalizers": ["f"],
                "ownerReferences": [
                    ["apiVersion": "v1", "kind": "EvalJob", "name": "j", "uid": "ju", "controller": true, "blockOwnerDeletion": true]
                ],
                "managedFields": [["manager": "m", "fieldsV1": ["f:spec": ["f:containers": [:]]]]],
            ],
            "spec": ["nodeName": "node1", "restartPolicy": "Never", "containers": [["name": "trial", "image": "i"]]],
            "status": [
                "phase": "Failed", "reason": "Evicted", "message": "low on memory", "startTime": time, "podIP": "10.0.0.1",
                "conditions": .array(conditions),
                "initContainerStatuses": [["name": "repo-cache", "state": state, "image": "i"]],
                "containerStatuses": [
                    ["name": "trial", "state": ["running": ["startedAt": time]], "imageID": "i"],
                    ["name": "collector", "state": ["waiting": ["reason": "ErrImagePull", "message": "no"]]],
                ],
            ],
        ]
        let kept = try JSONValue(parsing: pod.serialized(), keeping: PodSnapshot.projection.json)
        let snapshot = try #require(PodSnapshot.project(pod))
        #expect(PodSnapshot.project(kept) == snapshot)
        // The sample has a value in every field.
        for child in [Mirror(reflecting: snapshot), Mirror(reflecting: snapshot.metadata)].flatMap(\.children) {
            #expect(!"\(child.value)".hasPrefix("nil"), "\(child.label ?? "")")
        }
        #expect(snapshot.containers.count == 3)
        #expect(kept.at("metadata", "managedFields") == nil)
        #expect(kept.at("status", "podIP") == nil)
    }

    @Test("every recording has an expectation")
    func complete() throws {
        let folder = try #require(Bundle.module.url(forResource: "pods", withExtension: nil, subdirectory: "Fixtures"))
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.path).map { String($0.dropLast(6)) }
        #expect(Set(files) == Set(Self.expectations.map(\.file)))
        #expect(files.count == 22)
    }

    @Test("recorded fate", arguments: expectations)
    func fate(_ expected: Expectation) throws {
        let events = try Self.events(expected.file)
        let first = try #require(events.first)
        let last = try #require(events.last)
        let created = try #require(first.pod.metadata.creationTimestamp)
        var fates: [PodFate] = []
        for event in events { fates.append(PodFate.of(event.pod, at: created.adding(seconds: event.seconds))) }

        // A fate is an end only at the end, and then it stays the same.
        let firstEnd = fates.firstIndex { $0.end != nil } ?? fates.count
        for fate in fates[firstEnd...] {
            #expect(fate.end?.error?.type == expected.error)
            #expect(fate.end?.outcome.reward == nil, "a success is never guessed")
        }

        let final = try #require(fates.last)
        let end: PodFate.End
        switch (expected.last, final) {
        case (.ended, .ended(let it)):
            end = it
        case (.waiting, .waiting(let reason, _, let recheck)):
            #expect(reason == expected.reason)
            end = try stuck(last.pod, recheck, expected, created)
        case (.running, .running(let recheck)):
            end = try stuck(last.pod, recheck, expected, created)
        default:
            Issue.record("\(expected.file) ended as \(final)")
            return
        }
        #expect(end.error?.type == expected.error)
        if let message = expected.message { #expect(end.error?.message.contains(message) == true, "\(String(describing: end.error))") }
    }

    /// The state is kept until the bound, and no longer.
    private func stuck(
        _ pod: PodSnapshot, _ recheck: Timestamp?, _ expected: Expectation, _ created: Timestamp
    ) throws -> PodFate.End {
        let recheck = try #require(recheck)
        let bound = try #require(expected.bound)
        #expect(abs((recheck - created) - bound) <= 2, "stuck after \(recheck - created) s")
        #expect(PodFate.of(pod, at: recheck.adding(seconds: -1)).end == nil)
        guard case .stuck(let end) = PodFate.of(pod, at: recheck) else {
            Issue.record("\(expected.file) is not stuck at its bound")
            return PodFate.End()
        }
        return end
    }
}
