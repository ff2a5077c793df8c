import AssayTesting
import Base
import EvalModel
import Git
import KubeClient
import KubeCore
import SourceSync
import Testing
import TrialPods
import TrialRuntime

@testable import Reconcilers

/// Declared repositories: an operator that leads, and an instance of the cache as it is on a node.
@Suite("Declared repositories")
struct RepositoryWarmingTests {
    private static let key = [UInt8](repeating: 3, count: 32)
    private static let password = "s3cret-of-the-declared-9134"

    private struct Node {
        let directory: String
        let server: TreeCache
        let warming: Task<Void, Never>

        /// As `assay repo-cache serve` makes it.
        init(_ directory: String, upstream: CacheAddress) {
            self.directory = directory
            let store = TreeStore(directory: directory)
            let cache = TreeCache(store: store, key: RepositoryWarmingTests.key)
            cache.use(KeptRepositories(in: store, before: UpstreamTrees("the service", key: RepositoryWarmingTests.key) { upstream }))
            server = cache
            warming = Task { await TreeWarming(cache, upstream: upstream, key: RepositoryWarmingTests.key, intervalSeconds: 0.2).run() }
        }

        /// How many trees are there.
        var count: Int { (Directory.names(in: directory) ?? []).count { $0.hasSuffix(".tree") } }
    }

    @Test("a node has a declared repository before any job, follows its ref and the list without a restart, and gives a task when all else is gone")
    func followed() async throws {
        try await World.run(tasks: ["a", "b"]) { world in
            // A private repository over https.
            try await world.git(world.path, "clone", "-q", "--bare", world.source, "\(world.path)/www/private.git")
            let web = try await GitWebServer(
                directory: "\(world.path)/web", root: "\(world.path)/www", users: ["x-access-token": Self.password])
            let secret: JSONValue = [
                "apiVersion": "v1", "kind": "Secret", "metadata": ["name": "declared"],
                "stringData": ["token": .string(Self.password), "caFile": .string(String(decoding: web.authority, as: UTF8.self))],
            ]
            _ = try await world.client.create(.secrets, secret, namespace: "default")
            let file = "\(world.path)/repositories.yaml"
            func declare(_ text: String) throws { try FileWriting.replace(file, with: Array(text.utf8)) }
            let own = "- {repo: \"file://\(world.source)\", ref: main, intervalSeconds: 1}\n"
            try declare(own)
            let cache = world.sourceCache()
            let port = try #require(try cache.start())
            let running = try world.startOperator(cache: cache, repositories: file)
            let node = Node("\(world.path)/node", upstream: .http("http://127.0.0.1:\(port)"))
            let first = await eventually(within: 300) { node.count == 1 }
            try #require(first, "the repository does not come to the node")
            #expect(world.node.seen.isEmpty, "no job was there")

            // A push.
            try FileWriting.replace("\(world.source)/tasks/a/instruction.md", with: Array("Do it better.\n".utf8))
            try await world.git(world.source, "commit", "-q", "-a", "-m", "more")
            let second = await eventually(within: 300) { node.count == 2 }
            try #require(second, "the push does not come to the node")

            // The list has one more, which needs a Secret.
            try declare(own + "- {repo: \"\(web.url("private.git"))\", secretRef: {namespace: default, name: declared}}\n")
            let third = await eventually(within: 300) { node.count == 3 }
            try #require(third, "the private repository does not come to the node")
            #expect(web.requests().contains { $0.contains("x-access-token") && $0.contains("git-upload-pack") })

            // No operator, no service, no repository.
            let commit = try #require(GitObjectID(try await world.git(world.source, "rev-parse", "HEAD")))
            await running.stop()
            cache.stop()
            node.warming.cancel()
            await node.warming.value
            try world.loseSource()
            let server = node.server.server()
            let address = CacheAddress.http("http://127.0.0.1:\(try server.start(port: 0))")
            let tree = TreeReference(
                repository: "file://\(world.source)", commit: commit, path: try GitPath(parsing: "tasks/a"),
                parts: [try GitPath(parsing: "instruction.md"), try GitPath(parsing: "tests")])
            let token = node.server.token(for: [tree], pod: "pod", credential: .init(namespace: "team", secret: nil), seconds: 600)
            let content = Locked<[UInt8]>([])
            // As delivery does: again, while the tree is being made.
            let isRead = await eventually(within: 300) {
                content.withLock { $0 = [] }
                let read = try? await TreeClient(address: address, token: token).read(tree, within: 60) { _, events in
                    for case .content(let piece) in events { content.withLock { $0 += piece } }
                }
                return read != nil
            }
            #expect(isRead)
            #expect(String(decoding: content.withLock { $0 }, as: UTF8.self).hasPrefix("Do it better.\n"))
            server.stop()
        }
    }

    @Test("a list with a mistake is not used: the one before stays; a repository that goes away stays with its last commit; one off the list goes")
    func mistakes() async throws {
        try await World.run(tasks: ["a"]) { world in
            let time = ManualTime()
            let file = "\(world.path)/repositories.yaml"
            func declare(_ text: String) throws { try FileWriting.replace(file, with: Array(text.utf8)) }
            try declare("- {repo: \"file://\(world.source)\", intervalSeconds: 3600}\n")
            let resolver = SourceResolver(cacheDirectory: "\(world.path)/cache", policy: .local)
            let configuration = OperatorConfiguration(
                setting: .cluster, stateDirectory: "\(world.path)/operator", cacheDirectory: "\(world.path)/cache", resultsDirectory: nil,
                pods: TrialPodSettings(assayImage: "assay:test"), committer: try .init(name: "assay", email: "assay@localhost"), urlPolicy: .local)
            let warming = RepositoryWarming(
                file: file, resolver: resolver, credentials: CredentialSource(client: world.client, configuration: configuration), time: time)
            let running = Task { await warming.run() }
            let came = await eventually(within: 300) { warming.wanted.count == 1 }
            #expect(came)
            let before = warming.wanted
            try declare("repo: \(world.source)\n")
            try world.loseSource()
            // Both sleep: the list's look and the repository's.
            for seconds in [3600.0, 60, 60] {
                await time.waitForSleepers(2)
                time.advance(seconds: seconds)
            }
            await time.waitForSleepers(2)
            #expect(warming.wanted == before)
            try declare("[]\n")
            time.advance(seconds: 10)
            let gone = await eventually(within: 300) { warming.wanted.isEmpty }
            #expect(gone)
            running.cancel()
            await running.value
        }
    }
}
