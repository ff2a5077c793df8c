import AssayTesting
import Base
import EvalModel
import Glibc
import KubeClient
import KubeCore
import KubeRuntime
import SourceSync
import Testing
import TrialRuntime

@testable import Reconcilers

@Suite("The operator's cache service")
struct SourceCacheTests {
    private static let key = [UInt8](repeating: 3, count: 32)

    private static func cache(_ directory: String, follower: (any TreeOrigin)? = nil) -> SourceCache {
        SourceCache(
            store: TreeStore(directory: directory), key: key, endpoint: .service("http://assay-cache.assay-system:8081"),
            uploads: "\(directory)-claims", follower: follower)
    }

    /// What a pod's delivery is given.
    private static func delivery(of pod: JSONValue, port: UInt16) throws -> (client: TreeClient, tree: TreeReference) {
        let container = try #require(pod.at("spec", "initContainers")?.array?.first)
        func value(_ name: String) throws -> String {
            let found = container["env"]?.array?.first { $0["name"]?.string == name }
            return try #require(found?["value"]?.string, "\(name)").replacing("$$", with: "$")
        }
        let program = try PodProgram(json: try value(TrialVariables.program).utf8, from: "the pod")
        let token = try value(TrialVariables.cacheToken)
        return (TreeClient(address: .http("http://127.0.0.1:\(port)"), token: token), try TreeReference(program))
    }

    private static func names(_ client: TreeClient, _ tree: TreeReference) async throws -> [String] {
        var names: [String] = []
        try await client.read(tree, within: 30) { _, events in
            for case .entry(let entry) in events { names.append(entry.path.joined(separator: "/")) }
        }
        return names
    }

    @Test("catalogue 69: a pod reads its own task while it waits for it, and nothing else; then the token is worth nothing")
    func tokens() async throws {
        try await World.run(fate: { _ in .pending }) { world in
            let cache = Self.cache("\(world.path)/trees")
            let port = try #require(try cache.start())
            defer { cache.stop() }
            let running = try world.startOperator(cache: cache)
            try await world.createJob(with: [
                "source": ["repo": .string("file://\(world.source)"), "ref": "main", "secretRef": ["name": "git-secret"]]
            ])
            _ = try? await world.client.create(
                .secrets, ["apiVersion": "v1", "kind": "Secret", "metadata": ["name": "git-secret"], "data": [:]], namespace: "default")
            try await world.waitForPods(2)
            let pods = world.node.present.sorted { ObjectMeta(of: $0).name < ObjectMeta(of: $1).name }
            try #require(pods.count == 2)
            for pod in pods { #expect(!pod.text.contains("git-secret") && !pod.text.contains("secretName")) }
            let (first, second) = (try Self.delivery(of: pods[0], port: port), try Self.delivery(of: pods[1], port: port))
            #expect(try await Self.names(first.client, first.tree) == ["instruction.md", "tests", "tests/test.sh"])
            await #expect(throws: TreeClientError.self) { try await Self.names(first.client, second.tree) }
            // The pod ends.
            try await world.node.play(world.node.seen[0], .success(1))
            #expect(
                await eventually {
                    do {
                        _ = try await Self.names(first.client, first.tree)
                        return false
                    } catch {
                        if case .refused? = error as? TreeClientError { return true }
                        return false
                    }
                })
            #expect(try await !Self.names(second.client, second.tree).isEmpty)
            await running.stop()
        }
    }

    @Test("an operator that starts anew without its disk serves the pods of the one before it")
    func newOperator() async throws {
        try await World.run(tasks: ["a"], fate: { _ in .pending }) { world in
            let before = Self.cache("\(world.path)/trees-1")
            let first = try world.startOperator(cache: before)
            try await world.createJob()
            try await world.waitForPods(1)
            await first.stop()
            Directory.removeTree("\(world.path)/cache")
            let after = Self.cache("\(world.path)/trees-2")
            let port = try #require(try after.start())
            defer { after.stop() }
            let pod = try #require(world.node.present.first)
            let (client, tree) = try Self.delivery(of: pod, port: port)
            // Nobody leads: it may be asked again.
            await #expect { try await Self.names(client, tree) } throws: {
                if case .unavailable? = $0 as? TreeClientError { true } else { false }
            }
            let second = try world.startOperator(state: "operator-2", cache: after)
            #expect(await eventually { (try? await Self.names(client, tree))?.contains("tests/test.sh") == true })
            await second.stop()
            // Not leading any more, it serves what it has.
            #expect(try await !Self.names(client, tree).isEmpty)
        }
    }

    @Test("the key is made once for all replicas, and kept; a Secret that holds none is an error with a remedy")
    func keys() async throws {
        try await World.run(tasks: ["a"]) { world in
            let client = world.client
            let keys = try await withThrowingTaskGroup(of: [UInt8].self) { group in
                for _ in 0..<8 { group.addTask { try await ServiceKey.cache.read(client: client, namespace: "default") } }
                return try await group.reduce(into: Set<[UInt8]>()) { $0.insert($1) }
            }
            #expect(keys.count == 1 && keys.first?.count == 32 && keys.first != [UInt8](repeating: 0, count: 32))
            #expect(try await ServiceKey.cache.read(client: client, namespace: "default") == keys.first)
            try await client.create(
                .secrets, ["apiVersion": "v1", "kind": "Secret", "metadata": ["name": "assay-cache-key"], "data": ["key": "AAAA"]],
                namespace: "kube-public")
            await #expect(throws: ServiceKeyFailure.self) { try await ServiceKey.cache.read(client: client, namespace: "kube-public") }

            let file = "\(world.path)/key"
            // Two operators that start together use one key: the tokens of one are valid with the other.
            let together = try await withThrowingTaskGroup(of: [UInt8].self) { group in
                for _ in 0..<16 { group.addTask { try ServiceKey.read(file: file) } }
                return try await group.reduce(into: Set<[UInt8]>()) { $0.insert($1) }
            }
            #expect(together.count == 1)
            let made = try ServiceKey.read(file: file)
            #expect(try made == ServiceKey.read(file: file) && made.count == 32)
            var info = stat()
            #expect(stat(file, &info) == 0 && info.st_mode & 0o777 == 0o600)
            try FileWriting.write([1, 2], to: file)
            #expect(throws: ServiceKeyFailure.self) { try ServiceKey.read(file: file) }
        }
    }

    @Test("the Lease says where its holder's cache is; a released one says nothing")
    func leaseHolder() async throws {
        try await World.run(tasks: ["a"]) { world in
            let client = world.client
            func holder() async throws -> LeaseHolder? { try await LeaseHolder.read(client: client, namespace: "default", name: "lease") }
            let before = try await holder()
            #expect(before == nil)
            for (identity, address) in [("one", "http://10.0.0.1:8081"), ("two", "http://10.0.0.2:8081")] {
                let election = LeaderElection(
                    client: client, namespace: "default", name: "lease", identity: identity, annotations: ["assay.dev/cache-address": address])
                let seen = Locked<LeaseHolder?>(nil)
                _ = await election.run {
                    let found = try? await LeaseHolder.read(client: client, namespace: "default", name: "lease")
                    seen.withLock { $0 = found }
                }
                #expect(seen.withLock { $0 } == LeaseHolder(identity: identity, annotations: ["assay.dev/cache-address": address]))
                let released = try await holder()
                #expect(released == nil)
            }
        }
    }
}
