import AssayTesting
import Base
import EvalModel
import Foundation
import Git
import Glibc
import HTTPServing
import SourceSync
import Subprocess
import Testing

extension EndToEnd {
    /// `assay repo-cache serve`, as the DaemonSet starts it.
    @Suite struct NodeCacheTests {
        @Test("the executable serves a node: health, a declared repository before anybody asks, a restart without the service, SIGTERM")
        func serves() async throws {
            try await Workbench.with("node-cache") { bench in
                try bench.task("one")
                try await bench.commitBenchmark()
                let commit = try #require(GitObjectID(try await bench.git("rev-parse", "HEAD")))
                let key = (0..<32).map { _ in UInt8.random(in: 0...255) }
                try FileWriting.replace("\(bench.directory)/key", with: key)
                let service = TreeCache(store: TreeStore(directory: "\(bench.directory)/trees"), key: key)
                let origin = MirrorTrees(resolver: SourceResolver(cacheDirectory: "\(bench.directory)/mirrors", policy: .local)) { _, _ in .none }
                let repository = "file://\(bench.benchmark)"
                let none = TreeToken.Credential(namespace: "team", secret: nil)
                service.use(origin, wanted: { [WantedTree(tree: .whole(repository, at: commit), credential: none)] })
                let server = service.server()
                let upstream = try server.start(port: 0)
                let ports = try freePorts(2)
                let words = [
                    "repo-cache", "serve", "--upstream", "http://127.0.0.1:\(upstream)", "--key-file", "\(bench.directory)/key", "--directory",
                    "\(bench.directory)/node", "--size-limit", "1", "--port", "\(ports[0])", "--health-port", "\(ports[1])",
                ]
                var node = try bench.start(words, to: "node.log")
                func isReady() async throws {
                    try await eventually("the node serves", seconds: 60) {
                        try await Command(
                            "python3",
                            ["-c", "import sys, urllib.request; urllib.request.urlopen(sys.argv[1])", "http://127.0.0.1:\(ports[1])/readyz"],
                            deadlineSeconds: 30
                        ).run().succeeded
                    }
                }
                try await isReady()
                try await eventually("the node has the repository", seconds: 60) {
                    (Directory.names(in: "\(bench.directory)/node") ?? []).contains { $0.hasSuffix(".tree") }
                }
                // From now on nothing but the node has it.
                server.stop()
                try FileManager.default.moveItem(atPath: bench.benchmark, toPath: "\(bench.directory)/elsewhere")
                let tree = TreeReference(repository: repository, commit: commit, path: try GitPath(parsing: "tasks/one"))
                let token = service.token(for: [tree], pod: "pod", credential: none, seconds: 600)
                let client = TreeClient(address: .http("http://127.0.0.1:\(ports[0])"), token: token)
                // As delivery does: again, while the tree is being made.
                try await eventually("the node gives a task", seconds: 120) {
                    (try? await client.read(tree, within: 60) { _, _ in })?.entries ?? 0 > 3
                }
                node.signal(SIGTERM)
                #expect(await node.wait() == .code(0))
                node = try bench.start(words, to: "node.log")
                try await isReady()
                #expect(try await client.read(tree, within: 60) { _, _ in }.entries > 3, "what is kept outlives a restart of the container")
                node.signal(SIGTERM)
                _ = await node.wait()
            }
        }
    }
}
