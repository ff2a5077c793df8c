import AssayTesting
import Base
import EvalModel
import Foundation
import HTTPServing
import Testing

@testable import SourceSync

extension TreeCacheTests {

    @Test("a replica without the tree gets it from the leader, keeps it, and serves it when the leader is gone")
    func replica() async throws {
        let origin = Origin(content: [UInt8](repeating: 7, count: 200_000))
        let leader = cache(origin)
        let leading = leader.server()
        let port = try leading.start(port: 0)
        let address = Locked<CacheAddress?>(nil)
        let replica = cache(
            UpstreamTrees("the replica that leads", key: Self.key, time: time) { address.withLock { $0 } },
            store: TreeStore(directory: "\(bench.path)/replica"))
        let (tree, second) = (try Self.tree("a"), try Self.tree("b"))
        let token = token(leader, tree, second)
        #expect(await Self.ask(replica, tree, token).status == 503, "nobody leads yet")
        address.withLock { $0 = .http("http://127.0.0.1:\(port)") }
        #expect(await eventually { await Self.ask(replica, tree, token).status == 200 })
        #expect(origin.asked.withLock { $0 } == ["a"])
        leading.stop()
        #expect(await Self.ask(replica, tree, token).status == 200)
        #expect(await Self.ask(replica, second, token).status == 503)
        #expect(origin.asked.withLock { $0 } == ["a"])
        // What the replica has is what the leader had, byte for byte.
        let name = "\(TreeCache.name(of: tree, Self.credential)).tree"
        #expect(FileReading.whole("\(bench.path)/replica/\(name)") == FileReading.whole("\(bench.path)/trees/\(name)"))
    }

    @Test("a leader's final answer is the replica's, and a trial's token is of no use for a replica's request")
    func replicaFailures() async throws {
        let origin = Origin()
        origin.failure.withLock { $0 = SourceError(.taskNotFound, "no folder") }
        let leader = cache(origin)
        let leading = leader.server()
        let port = try leading.start(port: 0)
        defer { leading.stop() }
        let replica = cache(
            UpstreamTrees("the replica that leads", key: Self.key, time: time) { .http("http://127.0.0.1:\(port)") },
            store: TreeStore(directory: "\(bench.path)/replica"))
        let tree = try Self.tree("a")
        #expect(await eventually { await Self.ask(replica, tree, token(leader, tree)).status == 404 })
        // With another key the leader refuses, which a restart may repair.
        let stranger = cache(
            UpstreamTrees("the replica that leads", key: [UInt8](repeating: 1, count: 32), time: time) { .http("http://127.0.0.1:\(port)") },
            store: TreeStore(directory: "\(bench.path)/stranger"))
        let second = try Self.tree("b")
        #expect(await Self.ask(stranger, second, token(leader, second)).status == 503)
    }

    @Test("over a Unix socket in a deep directory, through the transport")
    func socket() async throws {
        let deep = "\(bench.path)/\(String(repeating: "d", count: 120))"
        try Directory.make(deep)
        let short = "/tmp/assay-\(UUID().uuidString.prefix(8))"
        symlink(deep, short)
        defer { unlink(short) }
        let cache = cache(Origin())
        let server = cache.server()
        try server.start(socket: "s", in: deep, mode: 0o600)
        defer { server.stop() }
        let tree = try Self.tree("tasks/a")
        let client = TreeClient(address: .socket("\(short)/s"), token: token(cache, tree))
        #expect(try await Self.content(client, tree) == Array("tasks/a".utf8))
        // A server that starts anew takes the place of the old one's socket.
        let next = cache.server()
        try next.start(socket: "s", in: deep, mode: 0o600)
        defer { next.stop() }
        #expect(try await Self.content(client, tree) == Array("tasks/a".utf8))
    }
}
