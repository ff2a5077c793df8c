import AssayAPI
import AssayTesting
import Base
import Egress
import EvalModel
import Foundation
import KubeClient
import KubeCore
import KubeRuntime
import Reconcilers
import Testing

/// The chart's roles, with a proxy that refuses everything else: what the operator does, it may do, and what it may do, it does.
@Suite("The operator's permissions")
struct PermissionsTests {
    static var root: String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path
    }

    private static let namespaced = "{watchNamespace: evaluations}"

    private static func grants(isNamespaced: Bool) async throws -> (rendered: String, grants: ChartGrants) {
        let rendered = try await World.helm.template(isNamespaced ? [namespaced] : [])
        return (rendered, try ChartGrants(rendered: rendered))
    }

    @Test("jobs of all kinds use each verb of the chart's roles, and ask for no other", arguments: [true, false])
    func flow(isNamespaced: Bool) async throws {
        let (rendered, grants) = try await Self.grants(isNamespaced: isNamespaced)
        let documented = try DocumentedPermissions(root: Self.root)
        try await World.run(
            tasks: ["a", "b", "build-x"],
            fate: { $0.key.name.contains("stays") ? .never : $0.index == 0 && $0.retry == 0 ? .evicted : .success(1) }
        ) {
            world in
            let space = isNamespaced ? "evaluations" : "default"
            for name in isNamespaced ? ["assay-system", space] : ["assay-system"] { #expect(try await world.kubectl("create", "namespace", name).ok) }
            let file = "\(world.path)/rendered.yaml"
            try rendered.write(toFile: file, atomically: true, encoding: .utf8)
            let applied = try await world.kubectl("apply", "-f", file)
            try #require(applied.ok, "\(applied.err)")
            try await ClusterServices.create(world)
            // The server enforces the roles, too: a token of the operator's service account has what the bindings give it.
            let issued = try await world.kubectl("create", "token", "assay-operator", "--namespace", "assay-system")
            let token = issued.out.trimmingCharacters(in: .whitespacesAndNewlines)
            try #require(issued.ok, "\(issued.err)")
            let proxy = try PermissionProxy(
                to: world.port, grants: grants,
                // Whether the pod is there is looked up, and what conflicts is read again.
                loses: ["pods create"], conflicts: ["evaltargets/status.assay.dev update", "overlaysources/status.assay.dev update"])
            defer { proxy.stop() }
            let helpers = HelperPods(world)
            let registry = try await ImageRegistry(directory: "\(world.path)/registry")
            try await prepare(world, space, registry)

            let client = KubeClient(config: .direct(server: proxy.url, token: token))
            #expect(try await ServiceKey.cache.read(client: client, namespace: "assay-system").count == 32)
            let signing = try #require(SigningKey(try await ServiceKey.egress.read(client: client, namespace: "assay-system")))
            let running = try world.startOperator(
                server: proxy.url, token: token, namespace: isNamespaced ? space : nil, cache: world.sourceCache(),
                network: ClusterServices.settings, networks: TrialNetworks(.cluster, key: signing))
            let holds = Locked(false)
            let lease = LeaderElection(client: client, namespace: "assay-system", name: "assay-operator", identity: "me")
            let electing = Task {
                await lease.run {
                    holds.withLock { $0 = true }; try? await SystemTime().sleep(seconds: 3600)
                }
            }

            try await runJobs(world, space)
            try await repeatEvent(world, space)
            try await endNamespace(world, space, isWatched: isNamespaced)

            let elected = await eventually { holds.withLock { $0 } }
            #expect(elected)
            let expected = grants.all.filter { !documented.neverAskedFor.contains($0.permission) }
            // Some things come later: the lease is renewed, events are written.
            _ = await eventually { expected.isSubset(of: proxy.used) }
            await running.stop()
            electing.cancel()
            _ = await electing.value
            await helpers.stop()
            await registry.stop()
            let used = proxy.used
            #expect(proxy.refused == [], "asked for and not allowed")
            #expect(expected.subtracting(used).map(\.description).sorted() == [], "allowed and not used: remove it from the chart")
            #expect(
                used.filter { documented.neverAskedFor.contains($0.permission) }.map(\.description) == [],
                "docs/security.md says that it is never asked for")
        }
    }

    /// What the jobs need: Secret, target with a builder, overlay.
    private func prepare(_ world: World, _ space: String, _ registry: ImageRegistry) async throws {
        _ = try await world.client.create(
            .secrets, ["apiVersion": "v1", "kind": "Secret", "metadata": ["name": "results"], "stringData": ["token": "0123456789"]], namespace: space
        )
        let target: JSONValue = [
            "type": "cluster", "image": ["build": ["registry": .string(registry.repository("tasks")), "builderImage": "builder:1"]],
        ]
        _ = try await world.client.create(.evalTargets, Build.object(.evalTargets, "lab", namespace: space, spec: target), namespace: space)
        let tools = "\(world.path)/tools"
        try await world.git(world.path, "init", "-q", "-b", "main", tools)
        try Directory.make("\(tools)/tools")
        try FileWriting.replace("\(tools)/tools/search", with: Array("1".utf8), mode: 0o755)
        try await world.git(tools, "add", "-A")
        try await world.git(tools, "commit", "-q", "-m", "tools")
        _ = try await world.client.create(
            .overlaySources, Build.object(.overlaySources, "tools", namespace: space, spec: ["repo": .string("file://\(tools)"), "interval": "1s"]),
            namespace: space)
    }

    private func create(_ world: World, _ name: String, _ space: String, _ changes: [String: JSONValue] = [:]) async throws {
        let usual: [String: JSONValue] = ["datasets": [["path": "tasks", "exclude": ["build-*"]]]]
        try await world.createJob(name, namespace: space, with: usual.merging(changes) { $1 })
    }

    private func end(_ world: World, _ name: String, _ space: String) async throws -> EvalJob? {
        let isOver = try await eventually(within: 240) { try await world.job(name, namespace: space)?.status?.isOver == true }
        let job = try await world.job(name, namespace: space)
        #expect(isOver, "\(name): \(job?.status as Any)")
        return job
    }

    private func runJobs(_ world: World, _ space: String) async throws {
        // A failed try, a retry, an image that a pod builds, an overlay, a restricted network, results with a Secret, pods that are kept.
        let artifacts: JSONValue = [
            "backend": "git",
            "git": ["remote": .string("file://\(world.remote)"), "branch": .string(World.branch), "secretRef": ["name": "results"]],
        ]
        try await create(
            world, "kept", space,
            [
                "datasets": [["path": "tasks"]], "artifacts": artifacts, "targetRef": ["name": "lab"], "overlays": [["name": "tools"]],
                "environment": ["preserveEnv": "Always", "network": ["mode": "no-network"]],
            ])
        #expect(try await end(world, "kept", space)?.status?.trials?.completed == 3)
        try await create(world, "stays", space)
        let runs = try await eventually { try await world.job("stays", namespace: space)?.status?.trials?.running == 2 }
        #expect(runs)
        // It shares the NetworkPolicies with the one that runs.
        try await create(world, "short", space, ["ttlSecondsAfterFinished": 0])
        let removed = try await eventually { try await world.job("short", namespace: space) == nil }
        #expect(removed)
        // Somebody replaces a ConfigMap that the trials share: it is made anew.
        let maps = try await world.client.list(.configMaps, namespace: space).items
        let shared = try #require(
            maps.first { map in
                let metadata = ObjectMeta(of: map)
                return metadata.controller?.name == "stays" && !metadata.name.contains("-plan-")
            })
        let key = try #require(ObjectKey(of: shared))
        _ = try await world.client.delete(.configMaps, key)
        var other = shared
        other.set(["data"], to: ["x": "y"])
        other.set(["metadata", "resourceVersion"], to: nil)
        other.set(["metadata", "uid"], to: nil)
        _ = try await world.client.create(.configMaps, other, namespace: space)
        for pod in world.node.seen where pod.key.name.contains("stays") { try await world.node.play(pod, .evicted) }
        let again = await eventually { world.node.seen.contains { $0.key.name.contains("stays") && $0.retry == 1 } }
        #expect(again)
        let deleted = try await world.kubectl("delete", "ej", "stays", "--namespace", space, "--timeout=240s", seconds: 300)
        #expect(deleted.ok, "\(deleted.err)")
    }

    /// An overlay whose repository is not there, is there, and is not there again: the same event twice.
    private func repeatEvent(_ world: World, _ space: String) async throws {
        let key = ObjectKey(namespace: space, name: "tools")
        for (repository, isReady) in [("nowhere", "False"), ("tools", "True"), ("nowhere", "False")] {
            _ = try await world.client.patch(.overlaySources, key, .merge(["spec": ["repo": .string("file://\(world.path)/\(repository)")]]))
            let told = try await eventually {
                let overlay = try OverlaySource(json: try await world.client.get(.overlaySources, key))
                return overlay.status?.observedGeneration == overlay.metadata.generation
                    && overlay.status?.conditions.contains { $0.type == "Ready" && $0.status == isReady } == true
            }
            #expect(told, "\(repository)")
        }
    }

    /// - Parameter isWatched: whether it is the only namespace of the operator.
    private func endNamespace(_ world: World, _ space: String, isWatched: Bool) async throws {
        let ending = isWatched ? space : "team"
        if !isWatched { _ = try await world.client.create(.namespaces, Build.object(.namespaces, "team")) }
        try await create(world, "stays-too", ending)
        let begun = try await eventually { try await world.job("stays-too", namespace: ending)?.status?.trials?.running == 2 }
        #expect(begun)
        if isWatched {
            // A namespace that is not the operator's: nothing happens there. The other job's trials show that the operator works meanwhile.
            try await create(world, "elsewhere", "default")
            try await create(world, "after", ending)
            _ = try await end(world, "after", ending)
            #expect(try await world.job("elsewhere")?.status?.phase == nil)
        }
        try await world.deleteNamespace(ending)
    }

    @Test("each role of the chart is bound, both renderings grant the same, and docs/security.md has a reason for each verb and no other")
    func documented() async throws {
        let cluster = try await Self.grants(isNamespaced: false).grants
        let namespaced = try await Self.grants(isNamespaced: true).grants
        #expect(cluster.unbound == [] && namespaced.unbound == [])
        #expect(Set(cluster.all.map(\.permission)) == Set(namespaced.all.map(\.permission)))
        #expect(namespaced.all.allSatisfy { $0.namespace != nil })
        #expect(try DocumentedPermissions(root: Self.root).all == Set(cluster.all.map(\.permission)))
    }
}
