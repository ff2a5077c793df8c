import AssayTesting
import Base
import KubeCore
import Testing

@testable import PodmanNode

/// The ends of pods with real containers, as a real node reports them.
@Suite(.node) struct PodFateTests {
    private var harness: NodeHarness { get throws { try #require(NodeHarness.current) } }

    /// The states that a watcher saw, without repetitions.
    private func states(_ objects: [JSONValue]) -> [NormalStatus] {
        var states: [NormalStatus] = []
        for object in objects where object.at("status", "startTime") != nil {
            let state = NormalStatus(object)
            if state != states.last { states.append(state) }
        }
        return states
    }

    /// Runs a pod and compares the states that a watcher sees with a recording: each state must be one that a real node showed, in the same order,
    /// and the last one must be the same.
    ///
    /// - Parameter deleteAfterOutput: deletes the pod when the trial has written this. Before that a shell may not have set its trap yet.
    private func compare(
        _ fate: String, _ spec: JSONValue, finalizers: [String] = [], deleteAfterOutput: String? = nil,
        until condition: @escaping @Sendable (JSONValue) -> Bool
    ) async throws {
        let harness = try harness
        let watching = harness.record(fate, until: condition)
        try await harness.create(fate, spec, finalizers: finalizers)
        if let deleteAfterOutput {
            try await harness.wait(fate) { $0.isRunning("trial") }
            let wrote = try await eventually { String(decoding: try await harness.log(fate, "trial"), as: UTF8.self).contains(deleteAfterOutput) }
            try #require(wrote)
            try await harness.client.delete(.pods, ObjectKey(namespace: "default", name: fate))
        }
        let seen = states(try await watching.value)
        let recorded = states(try PodRecordings.pods(fate))
        var rest = recorded[...]
        for state in seen {
            guard let index = rest.firstIndex(of: state) else {
                Issue.record(
                    "\(fate): this state is not in what is left of the recording\n\(state)\nwhich is\n\(rest.map(\.description).joined(separator: "\n"))"
                )
                return
            }
            rest = rest[(index + 1)...]
        }
        #expect(seen.last == recorded.last, "\(fate)")
    }

    @Test func succeeded() async throws {
        try await compare(
            "succeeded", podSpec([shell("trial", "sleep 1"), shell("collector", "sleep 2")], initContainers: [shell("repo-cache", "true")]),
            until: isEnded)
        let harness = try harness
        #expect(
            try await eventually {
                let reasons = try await harness.events(about: "succeeded")
                return ["Scheduled", "Pulled", "Created", "Started"].allSatisfy(reasons.contains)
            })
    }

    @Test func nativeSidecar() async throws {
        let sidecar = shell("collector", "trap 'exit 0' TERM; while true; do sleep 0.1; done", ["restartPolicy": "Always"])
        try await compare(
            "native-sidecar", PodmanNodeTests.podSpec([shell("trial", "sleep 1")], initContainers: [sidecar], withGrace), until: isEnded)
    }

    @Test func exitCode() async throws {
        // The trial ends before the collector. A real node may be too slow to show both as running; ours may not.
        let watching = try harness.record("trial-exit-3", until: isEnded)
        try await harness.create("trial-exit-3", podSpec([shell("trial", "exit 3"), shell("collector", "sleep 1")]))
        let seen = states(try await watching.value)
        let recorded = states(try PodRecordings.pods("trial-exit-3"))
        #expect(Array(seen.suffix(3)) == Array(recorded.suffix(3)))
    }

    @Test func initFails() async throws {
        try await compare("init-fails", podSpec([shell("trial", "true")], initContainers: [shell("repo-cache", "exit 1")]), until: isEnded)
    }

    @Test func outOfMemory() async throws {
        let limits: JSONValue = ["limits": ["memory": "20Mi"]]
        try await compare(
            "oom-killed", podSpec([shell("trial", "x=$(head -c 200000000 /dev/zero | tr '\\0' x); echo ${#x}", ["resources": limits])]),
            until: isEnded)
    }

    @Test func outOfMemoryInAChildTakesTheWholeContainer() async throws {
        let limits: JSONValue = ["limits": ["memory": "20Mi"]]
        let script = "(x=$(head -c 200000000 /dev/zero | tr '\\0' x)); echo survived; sleep 600"
        try await harness.create("oom-child", podSpec([shell("trial", script, ["resources": limits])]))
        let pod = try await harness.waitEnded("oom-child")
        #expect(pod.ended("trial")?["reason"] == "OOMKilled")
        #expect(pod.ended("trial")?["exitCode"] == 137)
    }

    @Test func deadlineExceeded() async throws {
        try await compare(
            "deadline-exceeded", podSpec([shell("trial", "sleep 60")], ["activeDeadlineSeconds": 30]), until: isEnded)
    }

    @Test func deletedHonoursTerm() async throws {
        try await compare(
            "deleted-while-running", graceful("trap 'exit 0' TERM; echo ready; while :; do sleep 0.1; done"), deleteAfterOutput: "ready", until: never
        )
    }

    @Test func deletedIgnoresTerm() async throws {
        try await compare(
            "deleted-while-running-ignores-term", graceful("trap '' TERM; echo ready; sleep 60"), deleteAfterOutput: "ready", until: never)
        let listed = try await harness.podman(["ps", "--all", "--format", "{{.Names}} {{.Labels}}"])
        #expect(!listed.contains("ignores-term"))
    }

    @Test func deletedWithFinalizer() async throws {
        try await compare(
            "deleted-with-finalizer", graceful("echo ready; sleep 60"), finalizers: ["assay.dev/trial-tracking"], deleteAfterOutput: "ready",
            until: { $0.at("metadata", "deletionGracePeriodSeconds")?.int == 0 })
        let key = ObjectKey(namespace: "default", name: "deleted-with-finalizer")
        try await harness.client.patch(.pods, key, .merge(["metadata": ["finalizers": .null]]))
        #expect(try await harness.waitGone("deleted-with-finalizer"))
    }

    @Test func imageNeverPulled() async throws {
        try await compare(
            "image-missing-never-pull", podSpec([["name": "trial", "image": "localhost/none:1", "imagePullPolicy": "Never", "command": ["true"]]]),
            until: { $0.waiting("trial") == "ErrImageNeverPull" })
    }

    @Test func imageNameInvalid() async throws {
        try await compare(
            "image-name-invalid", podSpec([["name": "trial", "image": "Not/A Valid:Name", "command": ["true"]]]),
            until: { $0.waiting("trial") == "InvalidImageName" })
    }

    @Test func imagePullFails() async throws {
        try await harness.create("image-pull-fails", podSpec([["name": "trial", "image": "127.0.0.1:1/none:1", "command": ["true"]]]))
        try await harness.wait("image-pull-fails") { $0.waiting("trial") == "ErrImagePull" }
        let pod = try await harness.wait("image-pull-fails") { $0.waiting("trial") == "ImagePullBackOff" }
        #expect(
            pod.container("trial")?.at("state", "waiting", "message")?.string?.hasPrefix(
                "Back-off pulling image \"127.0.0.1:1/none:1\": ErrImagePull: ") == true)
        try await harness.client.delete(.pods, ObjectKey(namespace: "default", name: "image-pull-fails"))
        #expect(try await harness.waitGone("image-pull-fails"))
    }

    @Test func commandNotFound() async throws {
        try await harness.create("command-not-found", podSpec([["name": "trial", "image": "rootfs:/", "command": ["/no/such/bash"]]]))
        let pod = try await harness.waitEnded("command-not-found")
        let end = try #require(pod.ended("trial"))
        #expect(end["reason"] == "StartError" && end["exitCode"] == 128 && end["startedAt"] == "1970-01-01T00:00:00Z")
        #expect(end["message"]?.string?.contains("/no/such/bash") == true)
        #expect(pod.at("status", "phase") == "Failed")
    }

    @Test func secretKeyMissing() async throws {
        let env: JSONValue = [["name": "S", "valueFrom": ["secretKeyRef": ["name": "none", "key": "k"]]]]
        try await compare(
            "secret-key-missing", podSpec([shell("trial", "true", ["env": env])]), until: { $0.waiting("trial") == "CreateContainerConfigError" })
    }

    @Test func volumeSecretMissing() async throws {
        let mounts: JSONValue = [["name": "v", "mountPath": "/v"]]
        let volumes: JSONValue = [["name": "v", "secret": ["secretName": "late"]]]
        try await harness.create("volume-secret-missing", podSpec([shell("trial", "cat /v/k", ["volumeMounts": mounts])], ["volumes": volumes]))
        let pod = try await harness.wait("volume-secret-missing") { $0.waiting("trial") == "ContainerCreating" }
        let recorded = try #require(try PodRecordings.pods("volume-secret-missing").last)
        #expect(NormalStatus(pod) == NormalStatus(recorded))
        // The status is written before the first attempt to mount. The Secret may come only after that attempt has failed.
        let harness = try harness
        #expect(try await eventually { try await harness.events(about: "volume-secret-missing").contains("FailedMount") })
        // The Secret appears, and the pod continues.
        try await harness.client.create(
            .secrets, ["apiVersion": "v1", "kind": "Secret", "metadata": ["name": "late", "namespace": "default"], "data": ["k": "dmFsdWU="]])
        let ended = try await harness.waitEnded("volume-secret-missing")
        #expect(ended.at("status", "phase") == "Succeeded")
        #expect(try await harness.log("volume-secret-missing", "trial") == Array("value".utf8))
    }

    @Test func emptyDirectoryOverItsLimit() async throws {
        let mounts: JSONValue = [["name": "v", "mountPath": "/v"]]
        let volumes: JSONValue = [["name": "v", "emptyDir": ["sizeLimit": "1Mi"]]]
        try await compare(
            "emptydir-over-limit",
            podSpec([shell("trial", "head -c 5000000 /dev/zero > /v/x; sleep 60", ["volumeMounts": mounts])], ["volumes": volumes]),
            until: isEnded)
    }

    @Test func unschedulable() async throws {
        let resources: JSONValue = ["requests": ["cpu": "1000"]]
        try await harness.create("unschedulable-cpu", podSpec([shell("trial", "true", ["resources": resources])]))
        let pod = try await harness.wait("unschedulable-cpu") { $0.at("status", "conditions") != nil }
        let recorded = try #require(try PodRecordings.pods("unschedulable-cpu").last)
        #expect(NormalStatus(pod).conditions == NormalStatus(recorded).conditions)
    }

    private func graceful(_ script: String) -> JSONValue { podSpec([shell("trial", script)], ["terminationGracePeriodSeconds": 3]) }
}

private let never: @Sendable (JSONValue) -> Bool = { _ in false }
private let isEnded: @Sendable (JSONValue) -> Bool = { ["Succeeded", "Failed"].contains($0.at("status", "phase")?.string ?? "") }

private let withGrace: [String: JSONValue] = ["terminationGracePeriodSeconds": 3]

private func podSpec(_ containers: [JSONValue], _ more: [String: JSONValue]) -> JSONValue {
    PodmanNodeTests.podSpec(containers, initContainers: [], more)
}
