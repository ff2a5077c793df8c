import AssayTesting
import Base
import EvalModel
import Testing

@testable import HTTPServing
@testable import SourceSync

/// The instance of the cache service on a node: the same server, which gets what it lacks from the service.
extension TreeCacheTests {
    private struct Tiers {
        let service: TreeCache
        let node: TreeCache
        let front: HTTPServer
        let server: HTTPServer
        /// Of the service.
        let upstream: CacheAddress
        /// Of the node.
        let address: CacheAddress
    }

    /// - Parameter damage: how many of the service's answers arrive damaged.
    private func tiers(_ origin: Origin, limit: Int? = nil, asked: Locked<[Bool]> = Locked([]), damage: Int = 0) throws -> Tiers {
        let service = cache(origin)
        let front = HTTPServer { request in
            let answer = service.answer(request)
            guard case .file(let file) = answer.body else { return answer }
            let count = asked.withLock { asked in
                asked.append(request.query.flag("suspect"))
                return asked.count
            }
            guard count <= damage else { return answer }
            var bytes = FileReading.range(file.descriptor, 0..<file.size)
            bytes[bytes.count / 2] ^= 1
            return ServerResponse(status: 200, contentType: "x", parts: [bytes])
        }
        let port = try front.start(port: 0)
        let upstream = CacheAddress.http("http://127.0.0.1:\(port)")
        let node = cache(
            UpstreamTrees("the operator's cache service", key: Self.key, time: time) { upstream },
            store: TreeStore(directory: "\(bench.path)/node", sizeLimit: limit))
        let server = node.server()
        return Tiers(
            service: service, node: node, front: front, server: server, upstream: upstream,
            address: .http("http://127.0.0.1:\(try server.start(port: 0))"))
    }

    @Test("a hundred readers that come to a node at once: the service is asked once, its origin once")
    func oneFetch() async throws {
        let (origin, asked) = (Origin(delay: 0.3, content: [UInt8](repeating: 3, count: 300_000)), Locked([Bool]()))
        let tiers = try tiers(origin, asked: asked)
        let tree = try Self.tree("tasks/a")
        let tokens = (0..<100).map { token(tiers.service, tree, pod: "pod-\($0)") }
        let sizes = try await withThrowingTaskGroup(of: Int.self) { group in
            for token in tokens { group.addTask { try await Self.content(TreeClient(address: tiers.address, token: token), tree).count } }
            return try await group.reduce(into: [Int]()) { $0.append($1) }
        }
        #expect(sizes == [Int](repeating: 300_000, count: 100))
        #expect(origin.asked.withLock { $0 } == ["tasks/a"] && asked.withLock { $0 } == [false])
        tiers.front.stop()
        #expect(try await Self.content(TreeClient(address: tiers.address, token: tokens[0]), tree).count == 300_000, "without the service, too")
        tiers.server.stop()
    }

    @Test("what arrives damaged at a node is asked for anew, and never kept")
    func damagedOnTheWay() async throws {
        let asked = Locked([Bool]())
        let tiers = try tiers(Origin(), asked: asked, damage: 1)
        let tree = try Self.tree("tasks/a")
        #expect(await Self.ask(tiers.node, tree, token(tiers.service, tree)).status == 200)
        #expect(asked.withLock { $0 } == [false, true])
        #expect(TreeStore(directory: "\(bench.path)/node").isIntact(TreeCache.name(of: tree, Self.credential)))
        tiers.front.stop()
        tiers.server.stop()
    }

    @Test("a node's file that is damaged is made anew while others read it; a reader that has it open reads on")
    func damagedOnTheNode() async throws {
        let content = [UInt8](repeating: 7, count: 100_000)
        let tiers = try tiers(Origin(content: content))
        let tree = try Self.tree("tasks/a")
        let token = token(tiers.service, tree)
        let client = TreeClient(address: tiers.address, token: token)
        #expect(try await Self.content(client, tree) == content)
        let file = "\(bench.path)/node/\(TreeCache.name(of: tree, Self.credential)).tree"
        let store = TreeStore(directory: "\(bench.path)/node")
        var bytes = try #require(FileReading.whole(file))
        let whole = bytes
        bytes[bytes.count / 2] ^= 1
        try FileWriting.replace(file, with: bytes)
        let open = try #require(store.open(TreeCache.name(of: tree, Self.credential)))
        await #expect { try await client.read(tree, within: 300) { _, _ in } } throws: {
            if case .corrupt? = $0 as? TreeClientError { true } else { false }
        }
        let results = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<20 {
                group.addTask {
                    // As delivery does: what is being made anew is asked for again.
                    await eventually { (try? await client.read(tree, suspect: true, within: 300) { _, _ in }) != nil }
                }
            }
            return await group.reduce(into: [Bool]()) { $0.append($1) }
        }
        #expect(results == [Bool](repeating: true, count: 20))
        #expect(FileReading.whole(file) == whole)
        #expect(FileReading.range(open.descriptor, 0..<open.size) == bytes, "a file that is open is not written to")
        tiers.front.stop()
        tiers.server.stop()
    }

    @Test("above a node's limit the least recently used goes; one that is being sent stays readable")
    func limit() async throws {
        let tiers = try tiers(Origin(content: [UInt8](repeating: 1, count: 40_000)), limit: 100_000)
        let trees = try ["a", "b", "c"].map { try Self.tree("tasks/\($0)") }
        let store = TreeStore(directory: "\(bench.path)/node")
        var open: ServedFile?
        for (number, tree) in trees.enumerated() {
            #expect(await Self.ask(tiers.node, tree, token(tiers.service, tree)).status == 200)
            if number == 0 { open = store.open(TreeCache.name(of: tree, Self.credential)) }
        }
        let first = try #require(open)
        #expect(!store.has(TreeCache.name(of: trees[0], Self.credential)) && store.has(TreeCache.name(of: trees[2], Self.credential)))
        #expect(FileReading.range(first.descriptor, 0..<first.size).count == first.size && first.size > 40_000)
        tiers.front.stop()
        tiers.server.stop()
    }

    @Test("a node gets what the leading replica says will be asked for, with the Secret that it needs; a pod's token is of no use for the list")
    func warm() async throws {
        let origin = Origin()
        let tiers = try tiers(origin)
        let (own, other) = (try Self.tree("overlays/a"), try Self.tree("overlays/b"))
        let secret = TreeToken.Credential(namespace: "team", secret: "git")
        let now = time.now().seconds
        let replica = TreeToken(holder: .replica, credential: Self.credential, trees: [], issued: now, expires: now + 60).signed(with: Self.key)
        await #expect("a replica that does not lead has no list") {
            try await TreeClient(address: tiers.upstream, token: replica).wanted(within: 60)
        } throws: {
            if case .unavailable? = $0 as? TreeClientError { true } else { false }
        }
        tiers.service.use(
            origin, wanted: { [WantedTree(tree: own, credential: Self.credential), WantedTree(tree: other, credential: secret)] })
        let warming = Task { await TreeWarming(tiers.node, upstream: tiers.upstream, key: Self.key, time: time).run() }
        let store = TreeStore(directory: "\(bench.path)/node")
        let came = await eventually {
            store.has(TreeCache.name(of: own, Self.credential)) && store.has(TreeCache.name(of: other, secret))
        }
        #expect(came)
        #expect(Set(origin.asked.withLock { $0 }) == ["overlays/a", "overlays/b"] && origin.secrets.withLock { $0["overlays/b"] } == "team/git")
        warming.cancel()
        await warming.value
        let request = ServerRequest(
            method: "GET", segments: TreeCache.wantedPath, rawPath: "/v1/wanted", query: HTTPQuery(parsing: ""),
            headers: ["authorization": "Bearer \(token(tiers.service, own))"], body: [], client: "10.0.0.1")
        #expect(tiers.service.answer(request).status == 403)
        tiers.front.stop()
        tiers.server.stop()
    }
}
