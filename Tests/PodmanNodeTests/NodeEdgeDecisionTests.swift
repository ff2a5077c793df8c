import Base
import Testing

@testable import PodmanNode

@Suite struct AdoptionTests {
    private let now = Timestamp(seconds: 2_000_000)
    private let then = Timestamp(seconds: 1_000_000)

    private func journal(_ record: ContainerRecord) -> PodJournal {
        PodJournal(namespace: "default", name: "p", uid: "u-1", startTime: then, containers: ["trial": record], ready: true)
    }

    private func listed(_ state: String, code: Int = 0, instance: Int = 0) -> ListedContainer {
        ListedContainer(
            id: "abc", name: "n", state: state, exitCode: code, startedAt: then, exitedAt: now, pid: 1,
            labels: [PodmanCLI.containerLabel: "trial", PodmanCLI.instanceLabel: String(instance)])
    }

    private func running() -> ContainerRecord {
        var record = ContainerRecord()
        record.state = .running(since: then)
        record.containerID = "abc"
        return record
    }

    private func starting() -> ContainerRecord {
        var record = ContainerRecord()
        record.starting = true
        return record
    }

    @Test func aRunningContainerIsFollowed() {
        let outcome = Adoption.adopt(journal(running()), containers: [listed("running")], rebooted: false, now: now)
        #expect(outcome.journal.containers["trial"]?.isRunning == true)
        #expect(outcome.exits.isEmpty && outcome.remove.isEmpty)
    }

    @Test func anEndDuringTheRestartIsRecorded() {
        let outcome = Adoption.adopt(journal(running()), containers: [listed("exited", code: 3)], rebooted: false, now: now)
        #expect(outcome.exits == [ContainerExit(containerID: "abc", code: 3, at: now)])
    }

    @Test func anUnrecordedStartIsAdopted() {
        let outcome = Adoption.adopt(journal(starting()), containers: [listed("running")], rebooted: false, now: now)
        #expect(outcome.journal.containers["trial"]?.state == .running(since: then))
        #expect(outcome.journal.containers["trial"]?.containerID == "abc")
    }

    @Test func aStartThatNeverHappenedIsRepeated() {
        let outcome = Adoption.adopt(journal(starting()), containers: [listed("created")], rebooted: false, now: now)
        #expect(outcome.journal.containers["trial"]?.state == .waiting(reason: nil, message: nil))
        #expect(outcome.remove == ["abc"])
        let without = Adoption.adopt(journal(starting()), containers: [], rebooted: false, now: now)
        #expect(without.journal.containers["trial"]?.starting == false)
    }

    @Test func aContainerThatIsGoneHasFailed() {
        for (containers, rebooted) in [([], false), ([listed("running")], true)] as [([ListedContainer], Bool)] {
            let outcome = Adoption.adopt(journal(running()), containers: containers, rebooted: rebooted, now: now)
            #expect(outcome.journal.containers["trial"]?.end?.reason == "ContainerStatusUnknown")
            #expect(outcome.journal.containers["trial"]?.end?.exitCode == 137)
        }
    }

    @Test func anotherInstanceIsIgnored() {
        let outcome = Adoption.adopt(journal(running()), containers: [listed("exited", instance: 4)], rebooted: false, now: now)
        #expect(outcome.exits.isEmpty)
    }

    @Test func aPodWithoutJournalIsNotStartedAgain() throws {
        let fresh = try nodePod()
        #expect(Adoption.lost(fresh, now: now) == nil)
        let ran = try nodePod(status: ["containerStatuses": [["name": "trial", "containerID": "podman://x"]]])
        let journal = try #require(Adoption.lost(ran, now: now))
        #expect(PodPlan.next(ran, journal, now: now).steps == [.tearDown])
    }
}

@Suite struct MemoryVerdictTests {
    @Test func verdicts() {
        func verdict(_ code: Int, limit: Bool = true, byNode: Bool = false, seen: Bool = false, runtime: Bool = false, log: Bool? = nil) -> Bool {
            MemoryWatch.verdict(exitCode: code, hasLimit: limit, killedByNode: byNode, seen: seen, runtime: runtime, kernelLog: log)
        }
        #expect(verdict(137, seen: true))
        #expect(verdict(137, runtime: true))
        #expect(verdict(1, log: true))
        #expect(!verdict(137, log: false))
        #expect(verdict(137))
        #expect(!verdict(137, byNode: true))
        #expect(!verdict(137, limit: false))
        #expect(!verdict(1))
        #expect(verdict(0, log: true), "the first process survived, as it may with cgroups v1")
    }

    @Test func kernelRecords() {
        let record =
            "6,1234,828147734,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=libpod-e2,mems_allowed=0,"
            + "oom_memcg=/libpod_parent/libpod-e2c7,task_memcg=/libpod_parent/libpod-e2c7,task=bash,pid=6970,uid=0"
        #expect(MemoryWatch.reportsKill(record, in: "e2c7"))
        #expect(!MemoryWatch.reportsKill(record, in: "ffff"))
        // A process chooses its own name, and can write further text to the kernel's log.
        #expect(!MemoryWatch.reportsKill("6,1,1,-;task=oom-kill:constraint=CONSTRAINT_MEMCG,oom_memcg=/libpod-e2c7", in: "e2c7"))
        #expect(MemoryWatch.kills("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n") == 2)
    }
}

@Suite struct LogDecoderTests {
    private let text = """
        2026-11-21T04:06:50.572091961+00:00 stdout F first
        2026-11-21T04:06:51.000000000+00:00 stdout P sec
        2026-11-21T04:06:51.100000000+00:00 stdout P on
        2026-11-21T04:06:51.200000000+00:00 stdout F d
        2026-11-21T04:06:52.000000000+00:00 stderr F \n2026-11-21T04:06:53.000000000+00:00 stdout F last

        """

    @Test("lines are complete, wherever the chunks end", arguments: 1...7)
    func anyCut(_ size: Int) {
        var decoder = LogDecoder(timestamps: false, since: nil)
        let bytes = Array(text.utf8)
        var out: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: size * 13) { out += decoder.decode(bytes[start..<min(start + size * 13, bytes.count)]) }
        #expect(String(decoding: out, as: UTF8.self) == "first\nsecond\n\nlast\n")
    }

    @Test func timesAndSince() {
        var decoder = LogDecoder(timestamps: true, since: Timestamp(rfc3339: "2026-11-21T04:06:51.5Z"))
        let out = decoder.decode(Array(text.utf8)[...])
        #expect(String(decoding: out, as: UTF8.self) == "2026-11-21T04:06:52.000000000Z \n2026-11-21T04:06:53.000000000Z last\n")
    }
}

@Suite struct RunArgumentsTests {
    private func words(_ container: JSONValue, _ image: RunArguments.Image, variables: [String: String] = [:], abilities: PodmanAbilities = .init())
        throws -> [String]
    {
        let container = NodeContainer(container)
        let request = RunArguments.Request(
            name: "n", labels: [:], sandbox: "pod-sandbox", image: image, pod: try nodePod(), container: container,
            environment: EnvironmentPlan(variables: variables, command: container.command, arguments: container.arguments), binds: [],
            terminationLog: "/t", hosts: "/h", log: "/l", identifierFile: "/c")
        return RunArguments.words(request, abilities)
    }

    @Test func secretsAreNotInTheProcessList() throws {
        let words = try words(["name": "c"], .registry("i"), variables: ["API_KEY": "secret-value", "PATH": "/p", "https_proxy": "x"])
        #expect(words.contains("API_KEY") && !words.contains { $0.contains("secret-value") })
        // podman would use these variables itself.
        #expect(words.contains("PATH=/p") && words.contains("https_proxy=x"))
    }

    @Test func commandAndArguments() throws {
        let both = try words(["name": "c", "command": ["/bin/sh", "-c", "a \"b\""], "args": ["x"]], .registry("img"))
        #expect(both.suffix(4) == ["--entrypoint", "[\"/bin/sh\",\"-c\",\"a \\\"b\\\"\"]", "img", "x"])
        #expect(try words(["name": "c", "args": ["x"]], .registry("img")).suffix(2) == ["img", "x"])
        let root = try words(["name": "c", "command": ["a"], "args": ["b"]], .hostRoot(skeleton: "/s", overlays: ["/usr"], executable: "/e"))
        #expect(root.suffix(8) == ["--volume", "/usr:/usr:O", "--volume", "/e:/usr/local/bin/assay:ro", "--rootfs", "/s:O", "a", "b"])
    }

    @Test func limits() throws {
        var abilities = PodmanAbilities()
        let container: JSONValue = ["name": "c", "resources": ["limits": ["memory": "64Mi", "cpu": "500m"]]]
        #expect(!(try words(container, .registry("i"), abilities: abilities)).contains("--memory"))
        abilities.memoryLimits = true
        abilities.cpuLimits = true
        let some = try words(container, .registry("i"), abilities: abilities)
        #expect(some.contains("67108864b") && some.contains("50000") && !some.contains("--memory-swap"))
    }

    @Test func everyContainerHasTheNetworkOfItsPod() throws {
        let some = try words(["name": "c"], .registry("i"))
        let index = try #require(some.firstIndex(of: "--network"))
        #expect(some[index + 1] == "container:pod-sandbox")
    }

    @Test("a sandbox has the node's network, never the host's, and no capabilities")
    func sandbox() throws {
        let root = RootfsImage.Root(path: "/s", overlays: ["/usr"])
        var abilities = PodmanAbilities()
        let none = RunArguments.sandbox(named: "s", labels: ["a": "b"], root: root, relay: nil, abilities)
        #expect(none.suffix(5) == ["/usr:/usr:ro", "--rootfs", "/s:O", "sleep", "infinity"])
        #expect(none.contains("a=b") && none.contains("--read-only") && none.contains("all"))
        abilities.network = "bridge"
        abilities.containerFlags = ["--pids-limit", "4096"]
        let bridge = RunArguments.sandbox(named: "s", labels: [:], root: root, relay: nil, abilities)
        for (words, network) in [(none, "none"), (bridge, "bridge")] {
            let index = try #require(words.firstIndex(of: "--network"))
            #expect(words[index + 1] == network)
        }
        #expect(bridge.contains("4096"))
        // A restricted pod has no interface, whatever the node can give.
        let relay = PodRelay(directory: "/cache/egress", executable: "/bin/assay")
        let restricted = RunArguments.sandbox(named: "s", labels: [:], root: root, relay: relay, abilities)
        let index = try #require(restricted.firstIndex(of: "--network"))
        #expect(restricted[index + 1] == "none" && restricted.contains("/cache/egress:/assay/egress:ro"))
        #expect(restricted.suffix(6) == ["/assay/relay", "relay", "--port", "3128", "--socket", "/assay/egress/egress.sock"])
    }

    @Test func runtimeErrorsReadAsOnARealNode() {
        let podman =
            "runc: runc create failed: unable to start container process: exec: \"/no/such/bash\": stat /no/such/bash: no such file or directory: OCI runtime attempted to invoke a command that was not found"
        #expect(
            PodmanCLI.startError(podman)
                == "OCI runtime create failed: runc create failed: unable to start container process: exec: \"/no/such/bash\": stat /no/such/bash: no such file or directory: unknown"
        )
    }
}

@Suite struct MountPlanTests {
    private func binds(_ mounts: JSONValue) throws -> [MountPlan.Bind] {
        try MountPlan.binds(of: NodeContainer(["name": "c", "volumeMounts": mounts]), variables: ["A": "x"]) { $0 == "v" ? "/host/v" : nil }
    }

    @Test func parts() throws {
        let binds = try binds([
            ["name": "v", "mountPath": "/a/b", "subPath": "s"], ["name": "v", "mountPath": "/a", "readOnly": true],
            ["name": "v", "mountPath": "/c/d/e", "subPathExpr": "$(A)"],
        ])
        #expect(
            binds == [
                .init(source: "/host/v", target: "/a", readOnly: true), .init(source: "/host/v/s", target: "/a/b", readOnly: false),
                .init(source: "/host/v/x", target: "/c/d/e", readOnly: false),
            ])
    }

    @Test(
        arguments: [
            [["name": "none", "mountPath": "/a"]], [["name": "v", "mountPath": "a"]], [["name": "v", "mountPath": "/a:rw"]],
            [["name": "v", "mountPath": "/a", "subPath": "../x"]], [["name": "v", "mountPath": "/a", "subPath": "/x"]],
        ] as [JSONValue])
    func refused(_ mounts: JSONValue) { #expect(throws: ContainerConfigError.self) { try binds(mounts) } }

    @Test func hostPathsAreRefusedExceptTheCache() throws {
        let other = try nodePod(spec: ["volumes": [["name": "etc", "hostPath": ["path": "/etc"]]]])
        let cache = try nodePod(spec: ["volumes": [["name": "repo-cache", "hostPath": ["path": "/anything"]]]])
        #expect(MountPlan.refusal(of: other, cacheDirectory: "/c")?.contains("hostPath") == true)
        #expect(MountPlan.refusal(of: cache, cacheDirectory: nil) != nil)
        #expect(MountPlan.refusal(of: cache, cacheDirectory: "/c") == nil)
    }
}
