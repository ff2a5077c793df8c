import Base
import Testing

@testable import PodmanNode

private let start = Timestamp(seconds: 1_000_000)

private func running(killAt: Timestamp? = nil, startedAt: Timestamp? = nil) -> ContainerRecord {
    var record = ContainerRecord()
    record.containerID = "id"
    record.state = .running(since: start)
    record.killAt = killAt
    record.startedAt = startedAt
    return record
}

private func ended(_ code: Int = 0) -> ContainerRecord {
    var record = ContainerRecord()
    record.containerID = "id"
    record.state = .ended(ContainerEnd(exitCode: code, reason: "Completed", startedAt: start, finishedAt: start))
    return record
}

private func journal(_ containers: [String: ContainerRecord], ending: PodEnding? = nil, stoppingSince: Timestamp? = nil) -> PodJournal {
    var journal = PodJournal(namespace: "default", name: "p", uid: "u-1", startTime: start, containers: containers, ready: true, ending: ending)
    journal.stoppingSince = stoppingSince
    return journal
}

private let probe: JSONValue = ["exec": ["command": ["true"]], "periodSeconds": 1, "failureThreshold": 2]
private let sidecars: [JSONValue] = [
    ["name": "one", "restartPolicy": "Always"], ["name": "two", "restartPolicy": "Always", "startupProbe": probe], ["name": "job"],
]

@Suite("Sidecars of a pod, as the kubelet has them")
struct SidecarDecisionTests {
    private func decision(_ journal: PodJournal, at now: Timestamp = start, grace: Int = 30) throws -> PodPlan.Decision {
        PodPlan.next(try nodePod(initContainers: sidecars, spec: ["terminationGracePeriodSeconds": JSONValue(grace)]), journal, now: now)
    }

    @Test("what comes after a sidecar begins when its startup probe has succeeded")
    func startsInOrder() throws {
        #expect(try decision(journal([:])).steps == [.start("one")])
        #expect(try decision(journal(["one": running()])).steps == [.start("two")])
        #expect(try decision(journal(["one": running(), "two": running()])).steps == [])
        let started = ["one": running(), "two": running(startedAt: start)]
        #expect(try decision(journal(started)).steps == [.start("job")])
        #expect(try decision(journal(started.merging(["job": ended()]) { $1 })).steps == [.start("trial")])
    }

    @Test("a sidecar that ends is started again, also while the others run, and holds nothing up then")
    func restarts() throws {
        let before = ["one": ended(1), "two": running(startedAt: start)]
        #expect(try decision(journal(before)).steps == [.start("one")])
        let main = ["one": ended(1), "two": running(), "job": ended(), "trial": running()]
        #expect(try decision(journal(main)).steps == [.start("one")])
    }

    @Test("sidecars end after the others, the last one first, in one grace period")
    func endsInReverse() throws {
        var records = ["one": running(), "two": running(startedAt: start), "job": ended(), "trial": ended()]
        #expect(try decision(journal(records)).steps == [.stop(["two"], graceSeconds: 30)])
        records["two"] = ended(143)
        let later = start.adding(seconds: 12)
        #expect(try decision(journal(records, stoppingSince: start), at: later).steps == [.stop(["one"], graceSeconds: 18)])
        #expect(try decision(journal(records, stoppingSince: start), at: start.adding(seconds: 29)).steps == [.stop(["one"], graceSeconds: 2)])
        records["one"] = ended()
        #expect(try decision(journal(records, stoppingSince: start)).steps == [.tearDown])
    }

    @Test("a deletion ends the trial first; sidecars wait for it no longer than the grace period")
    func deletion() throws {
        let ending = PodEnding(cause: .deleted, graceSeconds: 10)
        var records = ["one": running(), "two": running(startedAt: start), "job": ended(), "trial": running()]
        #expect(try decision(journal(records, ending: ending)).steps == [.stop(["trial"], graceSeconds: 10)])
        records["trial"]?.killAt = start.adding(seconds: 10)
        let waiting = try decision(journal(records, ending: ending, stoppingSince: start), at: start.adding(seconds: 3))
        #expect(waiting.steps.isEmpty && waiting.wakeAt == start.adding(seconds: 10))
        let over = try decision(journal(records, ending: ending, stoppingSince: start), at: start.adding(seconds: 10))
        #expect(over.steps == [.stop(["one", "two"], graceSeconds: 2), .kill(["trial"])])
    }

    @Test("without a grace period all end at once")
    func force() throws {
        let records = ["one": running(), "two": running(), "job": ended(), "trial": running()]
        #expect(
            try decision(journal(records, ending: PodEnding(cause: .deleted, graceSeconds: 0))).steps
                == [.stop(["one", "two", "trial"], graceSeconds: 0)])
    }

    @Test("a container whose startup probe failed is killed when its grace period is over")
    func probeFailed() throws {
        let told = ["one": running(), "two": running(killAt: start.adding(seconds: 5))]
        let waiting = try decision(journal(told))
        #expect(waiting.steps.isEmpty && waiting.wakeAt == start.adding(seconds: 5))
        #expect(try decision(journal(told), at: start.adding(seconds: 5)).steps == [.kill(["two"])])
    }

    @Test("until its startup probe has succeeded a sidecar is neither started nor ready, and its pod pending and not initialized")
    func status() throws {
        let pod = try nodePod(initContainers: Array(sidecars.prefix(2)))
        func status(_ records: [String: ContainerRecord]) -> JSONValue {
            PodStatusBuilder.status(of: pod, journal: journal(records), in: .init(hostIP: "", now: start))
        }
        func condition(_ status: JSONValue, _ type: String) -> String? {
            status["conditions"]?.array?.first { $0["type"]?.string == type }?["status"]?.string
        }
        let before = status(["one": running(), "two": running()])
        #expect(before["phase"] == "Pending" && condition(before, "Initialized") == "False")
        #expect(before["initContainerStatuses"]?[0]?["started"] == true && before["initContainerStatuses"]?[1]?["started"] == false)
        #expect(before["initContainerStatuses"]?[1]?["ready"] == false)
        let after = status(["one": running(), "two": running(startedAt: start), "trial": running()])
        #expect(after["phase"] == "Running" && condition(after, "Initialized") == "True" && condition(after, "Ready") == "True")
        #expect(after["initContainerStatuses"]?[1]?["started"] == true && after["initContainerStatuses"]?[1]?["ready"] == true)
        // One that starts again makes the pod not ready, but not pending.
        let again = status(["one": running(), "two": running(), "trial": running()])
        #expect(again["phase"] == "Running" && condition(again, "Initialized") == "True" && condition(again, "Ready") == "False")
    }

    @Test("the names of hostAliases are in the pod's hosts file, as the kubelet writes them")
    func hosts() throws {
        let aliases: JSONValue = [["ip": "127.0.0.1", "hostnames": ["db", "web"]], ["ip": "10.1.2.3", "hostnames": ["far.example"]]]
        let text = PodWorker.hosts(try nodePod(spec: ["hostAliases": aliases]))
        #expect(text.hasSuffix("\n# Entries added by HostAliases.\n127.0.0.1\tdb\tweb\n10.1.2.3\tfar.example\n"))
        #expect(!PodWorker.hosts(try nodePod()).contains("HostAliases"))
    }

    @Test(
        "probes",
        arguments: zip(
            [
                ["exec": ["command": ["a", "b"]]], ["tcpSocket": ["port": 80]], ["tcpSocket": ["port": "web"]], ["tcpSocket": ["port": "gone"]],
                ["httpGet": ["port": "web", "httpHeaders": [["name": "A", "value": "b"]]]], ["httpGet": ["port": 80, "host": "other"]],
                ["httpGet": ["port": 80, "scheme": "HTTPS"]], ["grpc": ["port": 1]],
            ] as [JSONValue],
            [
                .exec(["a", "b"]), .tcp(port: 80), .tcp(port: 8080), .unsupported("the port \"gone\""),
                .http(port: 8080, path: "/", headers: [.init(name: "A", value: "b")]), .unsupported("a probe of another host"), .unsupported("HTTPS"),
                .unsupported("grpc"),
            ] as [NodeProbe.Check]))
    func probes(spec: JSONValue, check: NodeProbe.Check) {
        #expect(NodeProbe(spec, ports: [["name": "web", "containerPort": 8080]])?.check == check, "\(spec.text)")
    }

    @Test("the times of a probe have the defaults of Kubernetes")
    func times() throws {
        let found = try #require(NodeProbe(["exec": ["command": ["x"]]], ports: []))
        #expect(found.periodSeconds == 10 && found.timeoutSeconds == 1 && found.failureThreshold == 3 && found.initialDelaySeconds == 0)
        #expect(NodeProbe(.null, ports: []) == nil)
        #expect(PodmanCLI.status("HTTP/1.1 204 No Content\r\n") == 204 && PodmanCLI.status("SSH-2.0") == nil)
    }
}
