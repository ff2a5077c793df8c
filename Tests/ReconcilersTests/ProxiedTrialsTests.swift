import AssayAPI
import AssayTesting
import Base
import Egress
import EvalModel
import KubeClient
import KubeCore
import SourceSync
import Testing
import TrialPods
import TrialRuntime

@testable import Reconcilers

/// Jobs with a restricted network on a cluster.
@Suite("Trials with a restricted network on a cluster")
struct ProxiedTrialsTests {
    private static let keyBytes = [UInt8](repeating: 5, count: 32)
    private static let restricted: [String: JSONValue] = [
        "agents": [["name": "scripted", "execute": "true", "allowedHosts": ["model.example:443"]]],
        "environment": ["network": ["mode": "no-network"]],
    ]

    private func start(_ world: World) throws -> World.RunningOperator {
        let key = try #require(SigningKey(Self.keyBytes))
        let cache = SourceCache(
            store: TreeStore(directory: "\(world.path)/trees"), key: Self.keyBytes, endpoint: .service("http://assay-cache.assay-system:8081"),
            uploads: "\(world.path)/claims")
        return try world.startOperator(cache: cache, network: ClusterServices.settings, networks: TrialNetworks(.cluster, key: key))
    }

    private func checkPods(_ world: World) async throws -> [JSONValue] {
        try await world.client.list(.pods, options: ListOptions(labelSelector: NetworkCheckPod.label)).items
    }

    /// Plays the end of the next check pod.
    private func answer(_ world: World, _ status: JSONValue, location: SourceLocation = #_sourceLocation) async throws {
        let found = Locked<JSONValue?>(nil)
        let came = try await eventually(within: 120) {
            guard let pod = try await checkPods(world).first(where: { !ObjectMeta(of: $0).isDeleting }) else { return false }
            found.withLock { $0 = pod }
            return true
        }
        try #require(came, "no check pod came", sourceLocation: location)
        let pod = try #require(found.withLock { $0 })
        _ = try await world.client.patch(.pods, ObjectMeta(of: pod).key, .merge(["status": status]), subresource: "status")
    }

    private func waitForRefusal(_ world: World, saying text: String, location: SourceLocation = #_sourceLocation) async throws {
        try await world.wait("job", within: 120, "the job is not refused", location: location) { job in
            job.status?.conditions.contains {
                $0.type == ConditionType.ready.rawValue && $0.reason == Reason.networkNotEnforced.rawValue && $0.message?.contains(text) == true
            } == true
        }
    }

    private func wake(_ world: World) async throws {
        let key = ObjectKey(namespace: "default", name: "job")
        _ = try await world.client.patch(.evalJobs, key, .merge(["metadata": ["annotations": ["look": .string("\(world.node.seen.count)")]]]))
    }

    @Test("the network is checked before the first pod; each pod gets the addresses of cache, proxy and canary, and no name")
    func addresses() async throws {
        try await World.run(tasks: ["a"], fate: { _ in .pending }) { world in
            try await ClusterServices.create(world)
            let running = try start(world)
            try await world.createJob(with: Self.restricted)
            try await waitForRefusal(world, saying: "a pod checks whether the cluster enforces NetworkPolicies")
            #expect(world.node.seen.isEmpty)
            try await answer(world, ["phase": "Succeeded"])
            try await world.waitForPods(1)
            let pod = try #require(world.node.present.first { ObjectMeta(of: $0).labels?[AssayNames.indexLabel] != nil })
            #expect(ObjectMeta(of: pod).labels?[AssayNames.networkLabel] == "proxied")
            #expect(pod.at("spec", "dnsPolicy")?.string == "None" && pod.at("spec", "dnsConfig") == ["nameservers": ["127.0.0.1"]])
            let env = pod.at("spec", "initContainers")?.array?.first?["env"]?.array ?? []
            func value(_ name: String) -> String? { env.first { $0["name"]?.string == name }?["value"]?.string }
            #expect(value(TrialVariables.cacheAddress) == "http://10.96.0.7:8081")
            let access = try JSONValue(parsing: Array(try #require(value(TrialVariables.egress)).utf8))
            #expect(access["proxy"]?.string == "http://10.96.0.8:3128" && access["canary"]?.string == "10.96.0.7:8082")
            #expect(Set(access["tokens"]?.object.map { Array($0.keys) } ?? []) == ["install", "execute"])
            #expect(!pod.text.contains("assay-cache.assay-system"))
            let gone = try await eventually { try await checkPods(world).isEmpty }
            #expect(gone, "the check pod is left")
            await running.stop()
        }
    }

    @Test("catalogue 68: where nothing enforces policies the job is refused, not run; other jobs run")
    func notEnforced() async throws {
        try await World.run(tasks: ["a"]) { world in
            try await ClusterServices.create(world)
            let running = try start(world)
            try await world.createJob(with: Self.restricted)
            let message = "the cluster's network does not enforce NetworkPolicies for this pod"
            try await answer(
                world,
                [
                    "phase": "Failed",
                    "containerStatuses": [
                        [
                            "name": "check", "image": "assay:test", "imageID": "", "ready": false, "restartCount": 0,
                            "state": ["terminated": ["exitCode": 1, "message": .string(message)]],
                        ]
                    ],
                ])
            try await waitForRefusal(world, saying: message)
            try await world.createJob("open")
            try await world.waitForEnd("open")
            #expect(world.node.seen.allSatisfy { $0.key.name.hasPrefix("open-") })
            #expect(try await world.job("job")?.status?.startTime == nil, "its spec may still be changed")
            await running.stop()
        }
    }

    @Test("while a policy of somebody else gives the pods egress the job is refused with its name; when that is gone, it runs")
    func otherPolicy() async throws {
        try await World.run(tasks: ["a"]) { world in
            try await ClusterServices.create(world)
            let other: JSONValue = [
                "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": ["name": "allow-dns"],
                "spec": ["podSelector": [:], "policyTypes": ["Egress"], "egress": [["ports": [["port": 53, "protocol": "UDP"]]]]],
            ]
            _ = try await world.client.create(.networkPolicies, other, namespace: "default")
            let running = try start(world)
            try await world.createJob(with: Self.restricted)
            try await waitForRefusal(world, saying: "\"allow-dns\"")
            #expect(try await checkPods(world).isEmpty)
            try await world.client.delete(.networkPolicies, ObjectKey(namespace: "default", name: "allow-dns"))
            try await wake(world)
            try await answer(world, ["phase": "Succeeded"])
            try await world.waitForEnd()
            await running.stop()
        }
    }

    @Test("a target's Preflight has the answer of its namespace, and the policies of the check are gone afterwards", arguments: [true, false])
    func preflight(works: Bool) async throws {
        try await World.run(tasks: ["a"]) { world in
            try await ClusterServices.create(world)
            let running = try start(world)
            _ = try await world.client.create(
                .evalTargets, Build.object(.evalTargets, "lab", namespace: "default", spec: ["type": "cluster"]), namespace: "default")
            try await answer(world, ["phase": .string(works ? "Succeeded" : "Failed"), "message": "the pod was evicted"])
            let told = try await eventually(within: 120) {
                let target = try EvalTarget(json: try await world.client.get(.evalTargets, ObjectKey(namespace: "default", name: "lab")))
                guard let condition = target.status?.conditions.first(where: { $0.type == ConditionType.preflight.rawValue }) else { return false }
                return works
                    ? condition.status == "True"
                    : condition.status == "False" && condition.reason == Reason.networkNotEnforced.rawValue
                        && condition.message?.contains("the pod was evicted") == true
            }
            #expect(told)
            let gone = try await eventually(within: 120) { try await ClusterServices.owners(world) == [] }
            #expect(gone)
            await running.stop()
        }
    }

    /// The machine's time, with a monotonic clock that can be moved forward.
    private final class MovedTime: TimeSource {
        private let offset = Locked(0.0)
        func move(seconds: Double) { offset.withLock { $0 += seconds } }
        func now() -> Timestamp { SystemTime().now() }
        func monotonic() -> Double { SystemTime().monotonic() + offset.withLock { $0 } }
        func sleep(seconds: Double) async throws { try await SystemTime().sleep(seconds: seconds) }
    }

    @Test("the network is checked again after a day, and the answer is forgotten with the last job and target of its namespace")
    func age() async throws {
        try await World.run(tasks: ["a"]) { world in
            try await ClusterServices.create(world)
            let time = MovedTime()
            let checks = NetworkChecks(
                client: world.client, settings: TrialPodSettings(assayImage: "assay:test"),
                network: ClusterNetwork(client: world.client, settings: ClusterServices.settings, time: time),
                policies: TrialNetworkPolicies(client: world.client, time: time), time: time, wake: { _ in })
            let uid = try #require(try await world.createJob().metadata.uid)
            func request(_ kind: String, _ name: String) -> NetworkChecks.Request {
                .init(namespace: "default", owner: OwnerReference(apiVersion: EvalJob.resource.apiVersion, kind: kind, name: name, uid: uid))
            }
            let (job, target) = (request("EvalJob", "job"), request("EvalTarget", "lab"))
            #expect(checks.state(job) == .running(last: nil))
            try await answer(world, ["phase": "Succeeded"])
            #expect(await eventually(within: 120) { checks.state(job) == .answered(.works) })
            time.move(seconds: NetworkChecks.keepSeconds + 1)
            #expect(checks.state(job) == .running(last: .works))
            try await answer(world, ["phase": "Succeeded"])
            #expect(await eventually(within: 120) { checks.state(job) == .answered(.works) })
            #expect(checks.state(target) == .answered(.works))
            checks.forget("EvalJob", ObjectKey(namespace: "default", name: "job"))
            #expect(checks.state(target) == .answered(.works))
            checks.forget("EvalTarget", ObjectKey(namespace: "default", name: "lab"))
            #expect(checks.state(job) == .running(last: nil))
            await checks.stop()
        }
    }
}
