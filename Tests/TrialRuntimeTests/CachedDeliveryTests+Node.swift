import AssayTesting
import Base
import EvalModel
import Foundation
import Git
@testable import HTTPServing
@testable import SourceSync
import Testing
@testable import TrialRuntime

/// The instance of the cache service on a node.
extension CachedDeliveryTests {
    /// An instance on a node, as `assay repo-cache serve` runs it, and how often it asked the service for a tree.
    final class Node: Sendable {
        let cache: TreeCache
        let upstream: CacheAddress
        let server: HTTPServer
        let url: String
        private let front: HTTPServer
        let asked = Locked(0)

        init(_ directory: String, before service: Service, key: [UInt8] = CachedDeliveryTests.key) throws {
            let asked = asked
            let front = HTTPServer { request in
                let answer = service.cache.answer(request)
                if case .file = answer.body { asked.withLock { $0 += 1 } }
                return answer
            }
            let address = CacheAddress.http("http://127.0.0.1:\(try front.start(port: 0))")
            let store = TreeStore(directory: "\(directory)/node")
            let cache = TreeCache(store: store, key: key)
            cache.use(KeptRepositories(in: store, before: UpstreamTrees("the operator's cache service", key: key) { address }))
            self.cache = cache
            upstream = address
            server = cache.server()
            url = "http://127.0.0.1:\(try server.start(port: 0))"
            self.front = front
        }

        deinit {
            server.stop()
            front.stop()
        }
    }

    @Test("100 trials that start at once on one node: one fetch from the origin, and one read from the service for the whole node")
    func manyOnANode() async throws {
        let log = "\(bench.path)/git.log"
        let script = "\(bench.path)/git-logged"
        try FileWriting.replace(script, with: Array("#!/bin/sh\necho \"$@\" >> \(log)\nexec git \"$@\"\n".utf8), mode: 0o755)
        var settings = GitClient.Settings()
        settings.executable = script
        let service = try Service(bench.path, git: GitClient(settings: settings))
        let node = try Node(bench.path, before: service)
        let program = program()
        let codes = try await withThrowingTaskGroup(of: Int32.self) { group in
            for index in 0..<100 {
                group.addTask {
                    let token = try token(service, program, pod: "pod-\(index)")
                    // Whoever asked the service itself would not get the task.
                    return try await run(
                        program, in: "\(bench.path)/pod-\(index)", cache: "http://127.0.0.1:1", node: node.url, token: token
                    ).code
                }
            }
            return try await group.reduce(into: [Int32]()) { $0.append($1) }
        }
        #expect(codes == [Int32](repeating: 0, count: 100))
        for index in 0..<100 { #expect(FileEntry.exists("\(bench.path)/pod-\(index)/assay/staged/tests/big.bin")) }
        #expect(node.asked.withLock { $0 } == 1)
        #expect((FileReading.text(log) ?? "").split(separator: "\n").count { $0.contains(" fetch ") } == 1)
    }

    @Test("a node that has the whole repository gives every task as the origin does, without the service, and the origin is not asked")
    func wholeRepository() async throws {
        let service = try Service(bench.path)
        let node = try Node(bench.path, before: service)
        let programs = [program(), program("tasks/long", family: .harbor), program("tasks/marked", solution: false, family: .harbor)]
        var expected: [[String: String]] = []
        for (index, program) in programs.enumerated() {
            let root = "\(bench.path)/origin-\(index)"
            #expect(try await run(program, in: root, cache: nil, token: nil).code == 0)
            expected.append(try Self.listing(root))
        }
        let whole = TreeReference.whole("file://\(source)", at: commit)
        service.lists([WantedTree(tree: whole, credential: .init(namespace: "", secret: nil))])
        let warming = Task { await TreeWarming(node.cache, upstream: node.upstream, key: Self.key, intervalSeconds: 0.1).run() }
        let came = await eventually(within: 300) { node.cache.keep(WantedTree(tree: whole, credential: .init(namespace: "", secret: nil))) }
        #expect(came)
        warming.cancel()
        await warming.value
        service.stop()
        Directory.removeTree(source)
        Directory.removeTree("\(bench.path)/mirrors")
        for (index, program) in programs.enumerated() {
            let root = "\(bench.path)/node-\(index)"
            // Whoever asked the service itself would not get the task.
            let (code, message) = try await run(
                program, in: root, cache: "http://127.0.0.1:1", node: node.url, token: try token(service, program, pod: "pod-\(index)"))
            #expect(code == 0, "\(message.text)")
            #expect(try Self.listing(root) == expected[index])
        }
        #expect(node.asked.withLock { $0 } == 1, "the repository itself")
    }

    @Test(
        "a node whose instance is away, is no such server, has another key, or has a full disk: the service gives the task",
        arguments: ["away", "other server", "other key", "full disk"])
    func fallback(how: String) async throws {
        let service = try Service(bench.path)
        let program = program()
        let token = try token(service, program)
        var node: Node?
        var url = "http://127.0.0.1:\(try freePorts(1)[0])"
        let other = HTTPServer { _ in .text(404, "not found\n") }
        defer { other.stop() }
        switch how {
        case "other server": url = "http://127.0.0.1:\(try other.start(port: 0))"
        case "other key": node = try Node(bench.path, before: service, key: [UInt8](repeating: 1, count: 32))
        case "full disk":
            // A directory cannot be made below a file.
            try FileWriting.replace("\(bench.path)/file", with: [])
            node = try Node("\(bench.path)/file", before: service)
        default: break
        }
        url = node?.url ?? url
        let (code, message) = try await run(program, in: "\(bench.path)/pod", cache: service.url, node: url, token: token)
        #expect(code == 0, "\(message.text)")
        #expect(bench.text("pod/assay/staged/tests/data/x.txt") == "x\n")
        withExtendedLifetime(node) {}
    }

    @Test("that there is no such folder is said by the service, not by the node")
    func noFolderOnANode() async throws {
        let service = try Service(bench.path)
        let node = try Node(bench.path, before: service)
        let program = program("tasks/zzz")
        let (code, message) = try await run(
            program, in: "\(bench.path)/pod", cache: service.url, node: node.url, token: try token(service, program))
        #expect(code == 1 && message.at("error", "type")?.string == "task_not_found", "\(message.text)")
    }
}
