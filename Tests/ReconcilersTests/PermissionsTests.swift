import AssayAPI
import AssayTesting
import Base
import EvalModel
import Foundation
import KubeClient
import KubeCore
import KubeRuntime
import Reconcilers
import Testing
import YAML

/// The manifests' roles against an API server that enforces them: what the operator does, it may do, and what it may do, it does.
@Suite("The operator's permissions")
struct PermissionsTests {
    static var root: String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path
    }

    /// One allowed verb, as `pods/log get`.
    private static func permissions(_ file: String) throws -> Set<String> {
        let text = try String(contentsOfFile: "\(root)/manifests/\(file)", encoding: .utf8)
        var found: Set<String> = []
        for document in try YAML.parse(Array(text.utf8)) where document["kind"]?.string?.hasSuffix("Role") == true {
            for rule in document["rules"]?.array ?? [] {
                for group in rule["apiGroups"]?.array ?? [] {
                    for resource in rule["resources"]?.array ?? [] {
                        for verb in rule["verbs"]?.array ?? [] {
                            found.insert("\(resource.string ?? "")\(group == "" ? "" : ".\(group.string ?? "")") \(verb.string ?? "")")
                        }
                    }
                }
            }
        }
        return found
    }

    /// What a request asks for, in the same form; nil for discovery.
    private static func permission(_ request: Breaker.Request) -> String? {
        let parts = request.path.split(separator: "?", maxSplits: 1)
        var words = parts[0].split(separator: "/").map(String.init)
        guard words.count > 2 else { return nil }
        let group = words[0] == "apis" ? ".\(words[1])" : ""
        words.removeFirst(words[0] == "apis" ? 3 : 2)
        if words.first == "namespaces", words.count > 2 { words.removeFirst(2) }
        guard let resource = words.first else { return nil }
        let isNamed = words.count > 1
        let sub = words.count > 2 ? "/\(words[2])" : ""
        let isWatch = parts.count > 1 && parts[1].contains("watch=")
        let verb =
            switch request.method {
            case "GET": isWatch ? "watch" : isNamed ? "get" : "list"
            case "POST": "create"
            case "PUT": "update"
            case "PATCH": "patch"
            default: isNamed ? "delete" : "deletecollection"
            }
        return "\(resource)\(sub)\(group) \(verb)"
    }

    private static let noStreamedLists: [UInt8] = {
        let status: JSONValue = [
            "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Invalid", "code": 422,
            "message":
                "ListOptions.meta.k8s.io \"\" is invalid: sendInitialEvents: Forbidden: sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled",
        ]
        let body = status.serialized()
        return Array("HTTP/1.1 422 Unprocessable Entity\r\nContent-Type: application/json\r\nContent-Length: \(body.count)\r\n\r\n".utf8) + body
    }()

    /// Needed where the flow of this test does not go: with the admission plugin OwnerReferencesPermissionEnforcement, which the embedded server
    /// does not have.
    private static let elsewhere: Set<String> = [
        "evaljobs/finalizers.assay.dev update",
        // A status write that conflicts reads the object again, and a repeated event raises its count.
        "evaltargets.assay.dev get", "overlaysources.assay.dev get", "events patch",
    ]

    @Test("the flow of jobs needs each verb of the roles, and no other", arguments: [true, false])
    func flow(isNamespaced: Bool) async throws {
        try await World.run(
            tasks: ["a", "b"], fate: { $0.key.name.contains("stays") ? .never : $0.index == 0 && $0.retry == 0 ? .evicted : .success(1) }
        ) {
            world in
            let space = isNamespaced ? "evaluations" : "default"
            if isNamespaced { #expect(try await world.kubectl("create", "namespace", space).ok) }
            let applied = try await world.kubectl("apply", "-k", "\(Self.root)/manifests/\(isNamespaced ? "namespaced" : "")")
            try #require(applied.ok, "\(applied.err)")
            let issued = try await world.kubectl("create", "token", "assay-operator", "--namespace", "assay-system")
            let token = issued.out.trimmingCharacters(in: .whitespacesAndNewlines)
            try #require(issued.ok, "\(issued.err)")
            let used = Locked<Set<String>>([])
            let lost = Locked(false)
            let relay = try Breaker(
                to: world.port,
                // The answer to one creation of a pod is lost: whether the pod is there is looked up.
                loses: { request in
                    guard Self.permission(request) == "pods create" else { return false }
                    return lost.withLock { lost in
                        defer { lost = true }
                        return !lost
                    }
                },
                answers: { request in
                    // As a server without streamed lists.
                    if request.path.contains("sendInitialEvents=true") { return Self.noStreamedLists }
                    if let permission = Self.permission(request) { used.withLock { _ = $0.insert(permission) } }
                    return nil
                })
            defer { relay.stop() }
            _ = try await world.client.create(
                .secrets, ["apiVersion": "v1", "kind": "Secret", "metadata": ["name": "results"], "stringData": ["token": "0123456789"]],
                namespace: space)
            _ = try await world.client.create(.evalTargets, Build.object(.evalTargets, "lab", namespace: space, spec: ["type": "cluster"]))
            _ = try await world.client.create(.overlaySources, Build.object(.overlaySources, "tools", namespace: space, spec: ["repo": "acme/tools"]))

            let running = try world.startOperator(server: relay.url, token: token, namespace: isNamespaced ? space : nil)
            let lease = LeaderElection(
                client: KubeClient(config: .direct(server: relay.url, token: token)), namespace: "assay-system", name: "assay-operator",
                identity: "me")
            let holds = Locked(false)
            let electing = Task {
                await lease.run {
                    holds.withLock { $0 = true }; try? await SystemTime().sleep(seconds: 3600)
                }
            }
            let cacheKey = try await CacheKey.read(
                client: KubeClient(config: .direct(server: relay.url, token: token)), namespace: "assay-system")
            #expect(cacheKey.count == 32)
            let artifacts: JSONValue = [
                "backend": "git",
                "git": ["remote": .string("file://\(world.remote)"), "branch": .string(World.branch), "secretRef": ["name": "results"]],
            ]
            func end(_ name: String) async throws -> EvalJob? {
                let isOver = try await eventually { try await world.job(name, namespace: space)?.status?.isOver == true }
                #expect(isOver, "\(name)")
                return try await world.job(name, namespace: space)
            }
            // A failed try, a retry, results, pods that are kept; then a job that its TTL removes, one that is deleted, one that is cancelled.
            try await world.createJob(
                "kept", namespace: space,
                with: ["artifacts": artifacts, "targetRef": ["name": "lab"], "environment": ["preserveEnv": "Always"]])
            #expect(try await end("kept")?.status?.trials?.completed == 2)
            try await world.createJob("short", namespace: space, with: ["ttlSecondsAfterFinished": 0])
            let removed = try await eventually { try await world.job("short", namespace: space) == nil }
            #expect(removed)
            try await world.createJob("stays", namespace: space)
            let runs = try await eventually { try await world.job("stays", namespace: space)?.status?.trials?.running == 2 }
            #expect(runs)
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
            if isNamespaced {
                try await world.createJob("stays-too", namespace: space)
                let begun = try await eventually { try await world.job("stays-too", namespace: space)?.status?.trials?.running == 2 }
                #expect(begun)
                // A namespace that is not the operator's: nothing happens there.
                try await world.createJob("elsewhere", namespace: "default")
                try await SystemTime().sleep(seconds: 1)
                #expect(try await world.job("elsewhere")?.status?.phase == nil)
                try await world.deleteNamespace(space)
            } else {
                _ = try await world.client.create(.namespaces, Build.object(.namespaces, "team"))
                try await world.createJob("stays-too", namespace: "team")
                let begun = try await eventually { try await world.job("stays-too", namespace: "team")?.status?.trials?.running == 2 }
                #expect(begun)
                try await world.deleteNamespace("team")
            }
            let elected = await eventually { holds.withLock { $0 } }
            #expect(elected)
            let allowed = try Self.permissions(isNamespaced ? "namespaced/role.yaml" : "clusterrole.yaml").union(
                Self.permissions("operator/leader-election.yaml")
            ).union(Self.permissions("operator/cache.yaml"))
            // Some things come later: the lease is renewed, events are written.
            _ = await eventually { allowed.subtracting(Self.elsewhere).isSubset(of: used.withLock { $0 }) }
            await running.stop()
            electing.cancel()
            _ = await electing.value
            let done = used.withLock { $0 }
            #expect(done.subtracting(allowed).sorted() == [], "asked for and not allowed")
            #expect(allowed.subtracting(done).subtracting(Self.elsewhere).sorted() == [], "allowed and not used")
        }
    }

    @Test("both roles are the same, and docs/security.md has a reason for each verb of theirs")
    func documented() throws {
        let cluster = try Self.permissions("clusterrole.yaml")
        #expect(try cluster == Self.permissions("namespaced/role.yaml"))
        let text = try String(contentsOfFile: "\(Self.root)/docs/security.md", encoding: .utf8)
        var told: Set<String> = []
        for row in text.split(separator: "\n") where row.hasPrefix("| `") {
            let cells = row.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            guard cells.count == 3, !cells[2].isEmpty else { continue }
            let verbs = cells[1].split(separator: ",").map { $0.trimmingCharacters(in: CharacterSet(charactersIn: "` ")) }
            for verb in verbs { told.insert("\(cells[0].trimmingCharacters(in: CharacterSet(charactersIn: "`"))) \(verb)") }
        }
        #expect(told == cluster.union(try Self.permissions("operator/leader-election.yaml")).union(try Self.permissions("operator/cache.yaml")))
    }
}
