import Base
import KubeCore
import Testing

@testable import PodmanNode

/// Pods for the tests of decisions.
func nodePod(
    _ name: String = "p", restartPolicy: String = "Never", initContainers: [JSONValue] = [],
    containers: [JSONValue] = [["name": "trial", "image": "rootfs:/"]],
    spec: [String: JSONValue] = [:], metadata: [String: JSONValue] = [:], status: JSONValue = [:]
) throws -> NodePod {
    var whole: [String: JSONValue] = ["restartPolicy": .string(restartPolicy), "containers": .array(containers)]
    if !initContainers.isEmpty { whole["initContainers"] = .array(initContainers) }
    whole.merge(spec) { $1 }
    let meta: [String: JSONValue] = ["name": .string(name), "namespace": "default", "uid": "u-1", "generation": 1]
    return try NodePod(["metadata": .object(meta.merging(metadata) { $1 }), "spec": .object(whole), "status": status])
}

private let start = Timestamp(seconds: 1_000_000)

private func ended(_ code: Int) -> ContainerRecord {
    var record = ContainerRecord()
    record.containerID = "id"
    record.state = .ended(ContainerEnd(exitCode: code, reason: code == 0 ? "Completed" : "Error", startedAt: start, finishedAt: start))
    return record
}

private func running() -> ContainerRecord {
    var record = ContainerRecord()
    record.containerID = "id"
    record.state = .running(since: start)
    return record
}

private func journal(_ containers: [String: ContainerRecord] = [:], ready: Bool = true, ending: PodEnding? = nil, tornDown: Bool = false)
    -> PodJournal
{
    PodJournal(
        namespace: "default", name: "p", uid: "u-1", startTime: start, containers: containers, ready: ready, ending: ending, tornDown: tornDown)
}

@Suite struct PodPlanTests {
    private let two: [JSONValue] = [["name": "trial"], ["name": "collector"]]
    private let first: [JSONValue] = [["name": "a"], ["name": "b"]]

    private func steps(_ pod: NodePod, _ journal: PodJournal, at now: Timestamp = start) -> [PodPlan.Step] {
        PodPlan.next(pod, journal, now: now).steps
    }

    @Test func volumesComeFirst() throws {
        #expect(steps(try nodePod(), journal(ready: false)) == [.prepare])
    }

    @Test func initContainersRunOneAfterTheOther() throws {
        let pod = try nodePod(initContainers: first, containers: two)
        #expect(steps(pod, journal()) == [.start("a")])
        #expect(steps(pod, journal(["a": running()])) == [])
        #expect(steps(pod, journal(["a": ended(0)])) == [.start("b")])
        #expect(steps(pod, journal(["a": ended(0), "b": ended(0)])) == [.start("trial"), .start("collector")])
    }

    @Test func aFailedInitContainerEndsThePodUnlessItRestarts() throws {
        #expect(steps(try nodePod(initContainers: first, containers: two), journal(["a": ended(1)])) == [.tearDown])
        #expect(steps(try nodePod(restartPolicy: "OnFailure", initContainers: first, containers: two), journal(["a": ended(1)])) == [.start("a")])
    }

    @Test func restartsFollowThePolicy() throws {
        #expect(steps(try nodePod(), journal(["trial": ended(1)])) == [.tearDown])
        #expect(steps(try nodePod(restartPolicy: "OnFailure"), journal(["trial": ended(1)])) == [.start("trial")])
        #expect(steps(try nodePod(restartPolicy: "OnFailure"), journal(["trial": ended(0)])) == [.tearDown])
        #expect(steps(try nodePod(restartPolicy: "Always"), journal(["trial": ended(0)])) == [.start("trial")])
    }

    @Test func backOffIsWaitedFor() throws {
        var record = ended(1)
        record.notBefore = start.adding(seconds: 10)
        let decision = PodPlan.next(try nodePod(restartPolicy: "OnFailure"), journal(["trial": record]), now: start)
        #expect(decision.steps.isEmpty)
        #expect(decision.wakeAt == start.adding(seconds: 10))
        #expect([1, 2, 3, 4, 7, 60].map { PodPlan.backoff(afterFailures: $0) } == [0, 10, 20, 40, 300, 300])
    }

    @Test func thePodEndsWithItsLastContainer() throws {
        let pod = try nodePod(containers: two)
        #expect(steps(pod, journal(["trial": ended(3), "collector": running()])) == [])
        #expect(steps(pod, journal(["trial": ended(3), "collector": ended(0)])) == [.tearDown])
        #expect(steps(pod, journal(["trial": ended(3), "collector": ended(0)], tornDown: true)) == [])
    }

    @Test func sidecarsStartFirstAndEndLast() throws {
        let pod = try nodePod(initContainers: [["name": "side", "restartPolicy": "Always"]])
        #expect(steps(pod, journal()) == [.start("side")])
        #expect(steps(pod, journal(["side": running()])) == [.start("trial")])
        #expect(steps(pod, journal(["side": running(), "trial": ended(0)])) == [.stop(["side"], graceSeconds: 30)])
        #expect(steps(pod, journal(["side": ended(0), "trial": ended(0)])) == [.tearDown])
    }

    @Test func aDeletionStopsThenKillsThenRemovesThePod() throws {
        let pod = try nodePod(metadata: ["deletionTimestamp": "2026-01-01T00:00:00Z"])
        let ending = PodEnding(cause: .deleted, graceSeconds: 3)
        #expect(steps(pod, journal(["trial": running()], ending: ending)) == [.stop(["trial"], graceSeconds: 3)])
        var told = running()
        told.killAt = start.adding(seconds: 3)
        let decision = PodPlan.next(pod, journal(["trial": told], ending: ending), now: start)
        #expect(decision.steps.isEmpty && decision.wakeAt == told.killAt)
        #expect(steps(pod, journal(["trial": told], ending: ending), at: start.adding(seconds: 3)) == [.kill(["trial"])])
        #expect(steps(pod, journal(["trial": ended(137)], ending: ending)) == [.tearDown])
        #expect(steps(pod, journal(["trial": ended(137)], ending: ending, tornDown: true)) == [.release])
    }

    @Test func theDeadlineWakes() throws {
        let pod = try nodePod(spec: ["activeDeadlineSeconds": 3])
        #expect(PodPlan.next(pod, journal(["trial": running()]), now: start).wakeAt == start.adding(seconds: 3))
    }
}

@Suite struct PhaseRulesTests {
    @Test(
        arguments: [
            ("Never", nil, nil, "Pending"), ("Never", 0, nil, "Pending"), ("Never", 1, nil, "Failed"), ("OnFailure", 1, nil, "Pending"),
            ("Never", 0, 0, "Succeeded"), ("Never", 0, 3, "Failed"), ("OnFailure", 0, 3, "Running"), ("Always", 0, 0, "Running"),
        ] as [(String, Int?, Int?, String)])
    func phases(_ policy: String, _ initCode: Int?, _ code: Int?, _ phase: String) throws {
        let pod = try nodePod(restartPolicy: policy, initContainers: [["name": "i"]])
        var records: [String: ContainerRecord] = [:]
        records["i"] = initCode.map(ended)
        records["trial"] = code.map(ended)
        #expect(PhaseRules.phase(of: pod, containers: records, isTerminal: false) == phase)
    }

    @Test func oneRunningIsRunning() throws {
        let pod = try nodePod(containers: [["name": "a"], ["name": "b"]])
        #expect(PhaseRules.phase(of: pod, containers: ["a": running(), "b": ended(1)], isTerminal: false) == "Running")
        #expect(PhaseRules.phase(of: pod, containers: ["a": running()], isTerminal: false) == "Pending")
    }
}

@Suite struct EnvExpansionTests {
    // The kubelet's own test table: third_party/forked/golang/expansion/expand_test.go.
    @Test(arguments: [
        ("$(VAR_A)", "A"), ("___$(VAR_B)___", "___B___"), ("$(VAR_A)_$(NONE)", "A_$(NONE)"), ("$$(VAR_A)", "$(VAR_A)"),
        ("$$$(VAR_A)", "$A"), ("$$$$(VAR_A)", "$$(VAR_A)"), ("foo $VAR_A bar", "foo $VAR_A bar"), ("$(VAR_A", "$(VAR_A"),
        ("trailing$", "trailing$"), ("$()", "$()"), ("$(VAR_A)$(VAR_B)", "AB"), ("echo $$HOME $$$$", "echo $HOME $$"), ("$?$!", "$?$!"),
    ])
    func expands(_ text: String, _ result: String) {
        #expect(EnvExpansion.expand(text) { ["VAR_A": "A", "VAR_B": "B"][$0] } == result)
    }
}

@Suite struct EnvironmentPlanTests {
    private func plan(_ container: JSONValue, _ values: EnvironmentPlan.Values = .init()) throws -> EnvironmentPlan {
        let pod = try nodePod(metadata: ["labels": ["a": "b"]])
        return try EnvironmentPlan(NodeContainer(container), of: pod, values: values)
    }

    @Test func laterEntriesSeeEarlierOnes() throws {
        let plan = try plan([
            "name": "c", "env": [["name": "A", "value": "1"], ["name": "B", "value": "$(A)2$(C)"], ["name": "C", "value": "$$(A)"]],
            "command": ["sh", "$(B)"], "args": ["$(C)", "$$(A)"],
        ])
        #expect(plan.variables == ["A": "1", "B": "12$(C)", "C": "$(A)"])
        #expect(plan.command == ["sh", "12$(C)"])
        #expect(plan.arguments == ["$(A)", "$(A)"])
    }

    @Test func secretsAndFields() throws {
        var values = EnvironmentPlan.Values(secrets: ["s": ["k": Array("v".utf8), "bad name": [1]]])
        values.fields.nodeName = "n1"
        let plan = try plan(
            [
                "name": "c", "envFrom": [["prefix": "P_", "secretRef": ["name": "s"]], ["configMapRef": ["name": "none", "optional": true]]],
                "env": [
                    ["name": "S", "valueFrom": ["secretKeyRef": ["name": "s", "key": "k"]]],
                    ["name": "O", "valueFrom": ["secretKeyRef": ["name": "s", "key": "none", "optional": true]]],
                    ["name": "N", "valueFrom": ["fieldRef": ["fieldPath": "spec.nodeName"]]],
                    ["name": "L", "valueFrom": ["fieldRef": ["fieldPath": "metadata.labels['a']"]]],
                    ["name": "M", "valueFrom": ["resourceFieldRef": ["resource": "limits.memory", "divisor": "1Mi"]]],
                ], "resources": ["limits": ["memory": "64Mi"]],
            ], values)
        #expect(plan.variables == ["P_k": "v", "S": "v", "N": "n1", "L": "b", "M": "64"])
    }

    @Test(arguments: [
        ("none", "k", "secret \"none\" not found"), ("s", "other", "couldn't find key other in Secret default/s"),
    ])
    func missing(_ name: String, _ key: String, _ message: String) throws {
        let container: JSONValue = [
            "name": "c", "env": [["name": "S", "valueFrom": ["secretKeyRef": ["name": .string(name), "key": .string(key)]]]],
        ]
        #expect(throws: ContainerConfigError(message: message)) { try plan(container, .init(secrets: ["s": ["k": [1]]])) }
    }
}

@Suite struct ImageReferenceTests {
    @Test func recordedProblem() throws {
        let recorded = try PodRecordings.pods("image-name-invalid").last?.at("status", "containerStatuses")?[0]?.at("state", "waiting", "message")?
            .string
        #expect(ImageReference.problem(with: "Not/A Valid:Name") == recorded)
    }

    @Test(arguments: [
        "busybox", "busybox:1.36", "localhost/bb:latest", "127.0.0.1:1/none:1", "ghcr.io/a/b-c_d.e:v1", "rootfs:/", "localhost:5000/x",
        "a/b@sha256:d1dfbe308e93e2ec9801fbfd830b0c1bde9cc2b0291699be892e7f3f6075f92a", "a/b__c",
    ])
    func valid(_ name: String) { #expect(ImageReference.problem(with: name) == nil) }

    @Test(arguments: ["", "Upper", "a b", "-x", "a//b", "a:", "a:b:c", "/a", "a/", "a@sha256:short", "a___b", "rootfs:/x"])
    func invalid(_ name: String) { #expect(ImageReference.problem(with: name) != nil) }

    @Test(arguments: [("a", "Always"), ("a:latest", "Always"), ("a:1", "IfNotPresent"), ("h:5000/a", "Always"), ("rootfs:/", "IfNotPresent")])
    func policies(_ name: String, _ policy: String) { #expect(ImageReference.defaultPullPolicy(name) == policy) }
}

@Suite struct SchedulingRulesTests {
    private let node = SchedulingRules.Node(
        name: "n", labels: ["disk": "ssd"],
        allocatable: ["cpu": ResourceQuantity(2), "memory": ResourceQuantity(1 << 30), "pods": ResourceQuantity(3)])

    @Test(arguments: [
        ("unschedulable-cpu", "Insufficient cpu"), ("unschedulable-gpu", "Insufficient nvidia.com/gpu"), ("unschedulable-selector", "selector"),
    ])
    func recorded(_ name: String, _ word: String) throws {
        let object = try #require(try PodRecordings.pods(name).last)
        let recorded = (object.at("status", "conditions")?.array ?? []).first?["message"]?.string
        let refusal = SchedulingRules.refusal(of: try NodePod(object), on: node, beside: [])
        #expect(refusal == recorded)
        #expect(refusal?.contains(word) == true)
    }

    @Test func runningPodsUseResources() throws {
        let pod = try nodePod(containers: [["name": "c", "resources": ["requests": ["cpu": "1500m"]]]])
        #expect(SchedulingRules.refusal(of: pod, on: node, beside: []) == nil)
        #expect(SchedulingRules.refusal(of: pod, on: node, beside: [pod])?.contains("Insufficient cpu") == true)
        let none = try nodePod()
        #expect(SchedulingRules.refusal(of: none, on: node, beside: [none, none, none])?.contains("Too many pods") == true)
    }

    @Test func initContainersCountByTheirMaximum() throws {
        let pod = try nodePod(
            initContainers: [["name": "i", "resources": ["requests": ["cpu": 2]]]],
            containers: [["name": "c", "resources": ["limits": ["cpu": "1"]]], ["name": "d", "resources": ["requests": ["cpu": "0.5"]]]])
        #expect(SchedulingRules.requests(of: pod)["cpu"] == ResourceQuantity(2))
    }
}

@Suite struct ResourceQuantityTests {
    @Test(arguments: [
        ("500m", 500), ("1", 1000), ("0.1", 100), ("20Mi", 20_971_520_000), ("1e3", 1_000_000), ("1k", 1_000_000), ("2Gi", 2_147_483_648_000),
        ("1u", 1),
    ])
    func parses(_ text: String, _ thousandths: Int64) { #expect(ResourceQuantity(text)?.thousandths == thousandths) }

    @Test(arguments: ["", "x", "1Zi", "Mi"]) func refuses(_ text: String) { #expect(ResourceQuantity(text) == nil) }
}
