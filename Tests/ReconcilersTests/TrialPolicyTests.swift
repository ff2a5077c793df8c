import AssayAPI
import AssayTesting
import Base
import EvalModel
import KubeClient
import KubeCore
import Reconcilers
import Testing
import TrialPods

/// The NetworkPolicies of trials, from before the first pod until after the last one.
@Suite("The NetworkPolicies of a job's namespace")
struct TrialPolicyTests {
    private func start(_ world: World, state: String = "operator", server: String? = nil) throws -> World.RunningOperator {
        try world.startOperator(state: state, server: server, network: ClusterServices.settings)
    }

    private func waitForOwners(_ names: [String], _ world: World, location: SourceLocation = #_sourceLocation) async throws {
        let held = try await eventually(within: 120) { try await ClusterServices.owners(world) == names }
        let found = try await ClusterServices.policies(world)
        #expect(held, "\(found)", sourceLocation: location)
    }

    private func delete(_ name: String, _ world: World) async throws {
        try await world.client.delete(.evalJobs, ObjectKey(namespace: "default", name: name))
        let gone = try await eventually(within: 120) { try await world.job(name) == nil }
        #expect(gone, "\(name) is still there")
    }

    @Test(
        "two jobs of one namespace share the policies, which go with the last of them, in any order", arguments: [["one", "two"], ["two", "one"]])
    func shared(order: [String]) async throws {
        try await World.run(tasks: ["a"], fate: { _ in .never }) { world in
            try await ClusterServices.create(world)
            let running = try start(world)
            for name in ["one", "two"] { try await world.createJob(name) }
            try await world.waitForPods(2)
            try await waitForOwners(["one", "two"], world)
            for policy in try await ClusterServices.policies(world).values {
                let version = ObjectMeta(of: policy).creationTimestamp
                for pod in world.node.present { #expect(try #require(version) <= (try #require(ObjectMeta(of: pod).creationTimestamp))) }
            }
            try await delete(order[0], world)
            try await waitForOwners([order[1]], world)
            try await delete(order[1], world)
            try await waitForOwners([], world)
            try await world.expectNoPods()
            await running.stop()
        }
    }

    @Test("a pod is never there without them: each creation of a pod finds both policies with the job as an owner")
    func before() async throws {
        try await World.run(tasks: ["a", "b"], fate: { _ in .never }) { world in
            try await ClusterServices.create(world)
            let missing = Locked<[String]>([])
            let made = Locked<Set<String>>([])
            let relay = try Breaker(
                to: world.port, loses: { _ in false },
                answers: { request in
                    guard request.method == "POST" else { return nil }
                    if request.path.contains("/networkpolicies") { made.withLock { _ = $0.insert("\($0.count)") } }
                    if request.path.hasSuffix("/pods"), made.withLock({ $0.count }) < 2 { missing.withLock { $0.append(request.path) } }
                    return nil
                })
            defer { relay.stop() }
            let running = try start(world, server: relay.url)
            try await world.createJob()
            try await world.waitForPods(2)
            #expect(missing.withLock { $0 } == [])
            try await waitForOwners(["job"], world)
            await running.stop()
        }
    }

    @Test("a job that has ended has no policies left, although it is still there; the next one gets its own")
    func ended() async throws {
        try await World.run(tasks: ["a"]) { world in
            try await ClusterServices.create(world)
            let running = try start(world)
            for name in ["first", "second"] {
                try await world.createJob(name)
                try await world.waitForEnd(name)
                try await waitForOwners([], world)
            }
            await running.stop()
        }
    }

    @Test("an operator that is killed before the first pod, while pods run, and before the end: the next one finishes its work")
    func killed() async throws {
        try await World.run(tasks: ["a"], fate: { _ in .never }) { world in
            try await ClusterServices.create(world)
            // The first one is killed between the policies and the pod.
            let refuses = Locked(true)
            let relay = try Breaker(
                to: world.port, loses: { _ in false },
                answers: { request in
                    guard request.method == "POST", request.path.hasSuffix("/pods"), refuses.withLock({ $0 }) else { return nil }
                    return Array("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n".utf8)
                })
            defer { relay.stop() }
            let first = try start(world, state: "one", server: relay.url)
            try await world.createJob()
            try await waitForOwners(["job"], world)
            await first.stop()
            // Somebody deletes one and changes the other while nobody looks.
            try await world.client.delete(.networkPolicies, ObjectKey(namespace: "default", name: TrialPolicies.name(of: .proxied)))
            _ = try await world.client.patch(
                .networkPolicies, ObjectKey(namespace: "default", name: TrialPolicies.name(of: .public)), .merge(["spec": ["egress": [[:]]]]))
            let second = try start(world, state: "two")
            try await world.waitForPods(1)
            try await waitForOwners(["job"], world)
            let expected = try expectedSpecs()
            #expect(try await ClusterServices.policies(world).mapValues { $0["spec"] } == expected)
            await second.stop()
            // The job is deleted while no operator runs.
            try await world.client.delete(.evalJobs, ObjectKey(namespace: "default", name: "job"))
            let third = try start(world, state: "three")
            let gone = try await eventually(within: 120) { try await world.job("job") == nil }
            #expect(gone)
            try await waitForOwners([], world)
            try await world.expectNoPods()
            await third.stop()
        }
    }

    private func expectedSpecs() throws -> [String: JSONValue?] {
        let labels = ["app.kubernetes.io/name": "assay", "app.kubernetes.io/component": "operator"]
        let policies = TrialPolicies(
            cache: PolicyPeer(namespace: "assay-system", labels: labels, port: 8081),
            egress: PolicyPeer(namespace: "assay-system", labels: labels.merging(["app.kubernetes.io/component": "egress"]) { $1 }, port: 3128),
            closed: [try #require(IPNetwork("\(ClusterServices.apiServer)/32"))])
        return Dictionary(uniqueKeysWithValues: policies.objects(namespace: "default").map { (ObjectMeta(of: $0).name, $0["spec"]) })
    }

    @Test("a policy of somebody else with the name of Assay's is not touched: the job names it, and goes on when it is gone")
    func taken() async throws {
        try await World.run(tasks: ["a"]) { world in
            try await ClusterServices.create(world)
            let name = TrialPolicies.name(of: .public)
            let other: JSONValue = [
                "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": ["name": .string(name)],
                "spec": ["podSelector": [:], "policyTypes": ["Ingress"]],
            ]
            _ = try await world.client.create(.networkPolicies, other, namespace: "default")
            let running = try start(world)
            try await world.createJob()
            let job = try await world.wait { $0.status?.conditions.contains { $0.reason == Reason.networkNotEnforced.rawValue } == true }
            #expect(job.status?.conditions.contains { $0.message?.contains(name) == true } == true)
            #expect(world.node.seen.isEmpty)
            try await world.client.delete(.networkPolicies, ObjectKey(namespace: "default", name: name))
            // An annotation wakes the job before its next look.
            _ = try await world.client.patch(
                .evalJobs, ObjectKey(namespace: "default", name: "job"), .merge(["metadata": ["annotations": ["note": "x"]]]))
            try await world.waitForEnd()
            await running.stop()
        }
    }

    @Test("without its Services the operator starts no pod, and the job says which one is missing")
    func noServices() async throws {
        try await World.run(tasks: ["a"]) { world in
            let running = try start(world)
            try await world.createJob()
            let job = try await world.wait { $0.status?.conditions.contains { $0.reason == Reason.networkNotEnforced.rawValue } == true }
            #expect(job.status?.conditions.contains { $0.message?.contains("assay-cache") == true } == true)
            #expect(world.node.seen.isEmpty)
            await running.stop()
        }
    }

    @Test("when the job's namespace is deleted, the job ends although its policies go with the namespace")
    func namespaceEnd() async throws {
        try await World.run(tasks: ["a"], fate: { _ in .never }) { world in
            try await ClusterServices.create(world)
            _ = try await world.client.create(.namespaces, ["apiVersion": "v1", "kind": "Namespace", "metadata": ["name": "team"]])
            let running = try start(world)
            try await world.createJob(namespace: "team")
            try await world.waitForPods(1)
            try await world.client.delete(.namespaces, ObjectKey(namespace: "", name: "team"))
            let gone = await eventually(within: 120) {
                do {
                    _ = try await world.client.get(.namespaces, ObjectKey(namespace: "", name: "team"))
                    return false
                } catch { return (error as? KubeError)?.isNotFound == true }
            }
            #expect(gone)
            await running.stop()
        }
    }
}
