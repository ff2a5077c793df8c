import AssayTesting
import Base
import EvalModel
import Foundation
import Git
import HTTPServing
import HTTPTransport
import Testing

@testable import SourceSync

@Suite("The cache service")
struct TreeCacheTests {
    static let key = [UInt8](repeating: 5, count: 32)
    static let credential = TreeToken.Credential(namespace: "team", secret: nil)
    static let commit = GitObjectID(String(repeating: "a", count: 40)) ?? { preconditionFailure("forty hex digits are an id") }()

    let bench: Workbench
    let time = ManualTime()

    init() throws { bench = try Workbench() }

    static func tree(_ path: String, _ parts: String...) throws -> TreeReference {
        TreeReference(
            repository: "https://git.example/bench", commit: commit, path: try GitPath(parsing: path),
            parts: try parts.map { try GitPath(parsing: $0) })
    }

    func store(limit: Int? = nil) -> TreeStore { TreeStore(directory: "\(bench.path)/trees", sizeLimit: limit) }

    func cache(_ origin: (any TreeOrigin)?, store: TreeStore? = nil, makingSeconds: Double = 10, failureSeconds: Double = 2) -> TreeCache {
        let timing = TreeCache.Timing(makingSeconds: makingSeconds, failureSeconds: failureSeconds)
        let cache = TreeCache(store: store ?? self.store(), key: Self.key, time: time, timing: timing)
        if let origin { cache.use(origin) }
        return cache
    }

    func token(_ cache: TreeCache, _ trees: TreeReference..., pod: String = "pod-1", seconds: Double = 60) -> String {
        cache.token(for: trees, pod: pod, credential: Self.credential, seconds: seconds)
    }

    /// On a thread of its own, as a connection has one: an answer may block.
    static func ask(
        _ cache: TreeCache, _ tree: TreeReference, _ token: String?, from client: String = "10.0.0.1", method: String = "GET", query: String = ""
    ) async -> ServerResponse {
        let request = ServerRequest(
            method: method, segments: ["v1", "tree", tree.word], rawPath: "/v1/tree/\(tree.word)", query: HTTPQuery(parsing: query),
            headers: token.map { ["authorization": "Bearer \($0)"] } ?? [:], body: [], client: client)
        return await withCheckedContinuation { continuation in
            startThread(name: "ask") { continuation.resume(returning: cache.answer(request)) }
        }
    }

    /// A tree of one file with its own path as content, and how often it was asked for.
    final class Origin: TreeOrigin {
        let asked = Locked([String]())
        /// The Secrets that the trees were asked for with, by path.
        let secrets = Locked([String: String]())
        let failure = Locked<SourceError?>(nil)
        let delay: Double
        let content: [UInt8]?

        init(delay: Double = 0, content: [UInt8]? = nil) {
            self.delay = delay
            self.content = content
        }

        static func bytes(_ content: [UInt8]) throws -> [UInt8] {
            try TreeStreamTests.encoded([(.init(path: ["file"], kind: .file(executable: false, size: content.count)), content)])
        }

        func write(_ tree: TreeReference, for credential: TreeToken.Credential, to sink: TreeSink) async throws(SourceError) {
            asked.withLock { $0.append(tree.path.text) }
            secrets.withLock { $0[tree.path.text] = credential.scope }
            if delay > 0 { try? await Task.sleep(for: .seconds(delay)) }
            if let failure = failure.withLock({ $0 }) { throw failure }
            do { try sink.write(try Self.bytes(content ?? Array(tree.path.text.utf8))) } catch let error as GitError {
                throw SourceError(error)
            } catch {
                throw SourceError(.internalError, "\(error)")
            }
        }
    }

    // MARK: Tokens

    @Test("catalogue 69: a token from another address, for another tree, after its time, or after its pod: 403")
    func refused() async throws {
        let cache = cache(Origin())
        let (own, other) = (try Self.tree("tasks/a", "tests"), try Self.tree("tasks/b", "tests"))
        let token = token(cache, own)
        #expect(await Self.ask(cache, own, token).status == 200)
        #expect(await Self.ask(cache, own, token).status == 200, "the same pod may ask again")
        #expect(await Self.ask(cache, own, token, from: "10.0.0.2").status == 403)
        #expect(await Self.ask(cache, other, token).status == 403)
        // The same folder with other parts, at another commit, or of another repository is another tree.
        for tree in [
            try Self.tree("tasks/a", "tests", "solution"), try Self.tree("tasks/a"),
            TreeReference(repository: own.repository, commit: GitObjectID(String(repeating: "b", count: 40))!, path: own.path, parts: own.parts),
            TreeReference(repository: "https://git.example/other", commit: own.commit, path: own.path, parts: own.parts),
        ] { #expect(await Self.ask(cache, tree, token).status == 403) }
        #expect(await Self.ask(cache, own, nil).status == 401)
        let stranger = TreeCache(store: store(), key: [UInt8](repeating: 6, count: 32), time: time)
        #expect(await Self.ask(cache, own, self.token(stranger, own)).status == 403)
        time.advance(seconds: 59)
        #expect(await Self.ask(cache, own, token).status == 200)
        time.advance(seconds: 1)
        #expect(await Self.ask(cache, own, token).status == 403)
    }

    @Test("one token for trees of several Secrets: each is fetched with its own, and no other tree is served")
    func severalSecrets() async throws {
        let origin = Origin()
        let cache = cache(origin)
        let paths = ["tasks/a", "tools", "skills", "public"]
        let trees = try paths.map { try Self.tree($0) }
        let token = cache.token(
            for: [trees[0]], pod: "pod-1", credential: .init(namespace: "team", secret: "of-the-task"),
            further: [
                .init(secret: "of-an-overlay", trees: [trees[1].id, trees[2].id]), .init(secret: nil, trees: [trees[3].id]),
            ], seconds: 60)
        for tree in trees { #expect(await Self.ask(cache, tree, token).status == 200) }
        #expect(
            origin.secrets.withLock { $0 } == [
                "tasks/a": "team/of-the-task", "tools": "team/of-an-overlay", "skills": "team/of-an-overlay", "public": "",
            ])
        #expect(await Self.ask(cache, try Self.tree("other"), token).status == 403)
        #expect(TreeToken(token, key: Self.key)?.further.map(\.secret) == ["of-an-overlay", nil])
    }

    @Test("catalogue 69: every changed character of a token makes it worthless")
    func forged() async throws {
        let cache = cache(Origin())
        let tree = try Self.tree("tasks/a")
        let token = token(cache, tree)
        for at in token.indices {
            var changed = token
            changed.replaceSubrange(at...at, with: token[at] == "A" ? "B" : "A")
            if changed != token { #expect(TreeToken(changed, key: Self.key) == nil, "\(changed)") }
        }
        for bad in ["", ".", "a.b", token + ".x", token + "=", String(token.dropLast()), String(repeating: "a", count: 20_000)] {
            #expect(TreeToken(bad, key: Self.key) == nil)
            #expect(await Self.ask(cache, tree, bad).status == (bad.isEmpty ? 401 : 403))
        }
        let read = try #require(TreeToken(token, key: Self.key))
        #expect(read.trees == [tree.id] && read.holder == .pod("pod-1") && read.credential == Self.credential)
    }

    @Test("catalogue 69: a token of a pod that has its task, or has ended, is refused")
    func endedPod() async throws {
        let cache = cache(nil)
        let ended = Locked(false)
        cache.use(Origin()) { namespace, pod, _ in ended.withLock { $0 } && namespace == "team" && pod == "pod-1" }
        let tree = try Self.tree("tasks/a")
        let (mine, others) = (token(cache, tree), token(cache, tree, pod: "pod-2"))
        #expect(await Self.ask(cache, tree, mine).status == 200)
        ended.withLock { $0 = true }
        #expect(await Self.ask(cache, tree, mine).status == 403)
        #expect(await Self.ask(cache, tree, others).status == 200)
    }

    @Test("bindings do not grow without end")
    func boundBindings() {
        var bindings = TokenBindings()
        func admit(_ number: Int64, _ client: String) -> Bool { bindings.admit("t\(number)", expires: number, client: client, now: number) }
        for number in 0..<Int64(10_000) { #expect(admit(number, "a")) }
        #expect(bindings.count <= 1024)
        #expect(admit(9999, "a"))
        #expect(!admit(9999, "b"))
    }

    // MARK: Requests

    @Test("only reading, only trees")
    func otherRequests() async throws {
        let cache = cache(Origin())
        let tree = try Self.tree("tasks/a")
        for method in ["POST", "PUT", "DELETE", "HEAD"] { #expect(await Self.ask(cache, tree, token(cache, tree), method: method).status == 405) }
        func status(_ segments: [String]) -> Int {
            cache.answer(
                ServerRequest(
                    method: "GET", segments: segments, rawPath: "/" + segments.joined(separator: "/"), query: HTTPQuery(),
                    headers: ["authorization": "Bearer \(token(cache, tree))"], body: [])
            ).status
        }
        #expect(status([]) == 404 && status(["v1", "tree"]) == 404 && status(["v1", "tree", tree.word, "x"]) == 404)
        for word in ["", "x", "../../etc/passwd", Base64URL.encode(Array("[]".utf8)), Base64URL.encode(Array("[\"r\",\"c\",\"p\"]".utf8))] {
            #expect(status(["v1", "tree", word]) == 400, "\(word)")
        }
        let outside = JSONValue.array(["https://git.example/bench", .string(Self.commit.hex), "../x"]).serialized()
        #expect(status(["v1", "tree", Base64URL.encode(outside)]) == 400)
    }

    @Test("references: the order of parts does not matter, a part within another is not repeated, and words are read back")
    func references() async throws {
        let tree = try Self.tree("t", "tests", "a.md", "tests/data", "tests")
        #expect(tree.parts.map(\.text) == ["a.md", "tests"])
        #expect(tree == (try Self.tree("t", "a.md", "tests")))
        #expect(try TreeReference(word: tree.word) == tree)
        #expect(tree.id != (try Self.tree("t", "tests")).id)
    }

    @Test("a hundred that ask at once: the origin is asked once, and all get the tree")
    func single() async throws {
        let origin = Origin(delay: 0.3)
        let cache = cache(origin)
        let server = cache.server()
        let port = try server.start(port: 0)
        defer { server.stop() }
        let tree = try Self.tree("tasks/a")
        let contents = await withTaskGroup(of: [UInt8]?.self) { group in
            for number in 0..<100 {
                group.addTask {
                    let client = TreeClient(address: .http("http://127.0.0.1:\(port)"), token: token(cache, tree, pod: "pod-\(number)"))
                    return try? await Self.content(client, tree)
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(contents.count { $0 == Array("tasks/a".utf8) } == 100)
        #expect(origin.asked.withLock { $0 } == ["tasks/a"])
    }

    static func content(_ client: TreeClient, _ tree: TreeReference, suspect: Bool = false) async throws -> [UInt8] {
        var content: [UInt8] = []
        try await client.read(tree, suspect: suspect, within: 30) { _, events in
            for case .content(let piece) in events { content += piece }
        }
        return content
    }

    @Test("what the origin says reaches the client: typed, and as something that passes or does not")
    func failures() async throws {
        let origin = Origin()
        let cache = cache(origin)
        let server = cache.server()
        let port = try server.start(port: 0)
        defer { server.stop() }
        for (number, (error, expected)) in [
            (SourceError(.taskNotFound, "no folder"), TreeClientError.failed(TrialError(.taskNotFound, "no folder"))),
            (SourceError(.sourceSyncFailed, "no such commit"), .failed(TrialError(.sourceSyncFailed, "no such commit"))),
            (
                SourceError(GitError(.storage, "cannot keep a tree: No space left")),
                .unavailable(TrialError(.sourceSyncFailed, "cannot keep a tree: No space left"))
            ),
            (SourceError(.sourceSyncFailed, "unreachable", isTransient: true), .unavailable(TrialError(.sourceSyncFailed, "unreachable"))),
        ].enumerated() {
            origin.failure.withLock { $0 = error }
            let tree = try Self.tree("tasks/\(number)")
            let client = TreeClient(address: .http("http://127.0.0.1:\(port)"), token: token(cache, tree))
            await #expect(throws: expected) { try await Self.content(client, tree) }
        }
        let tree = try Self.tree("tasks/a")
        let late = TreeClient(address: .http("http://127.0.0.1:\(port)"), token: "x.y")
        await #expect(throws: TreeClientError.refused("the token is not of this service\n".replacingControls)) { try await Self.content(late, tree) }
    }

    @Test("a failure of a moment ago is not asked for again by everybody, and passes")
    func failureMemory() async throws {
        let origin = Origin()
        origin.failure.withLock { $0 = SourceError(.sourceSyncFailed, "unreachable", isTransient: true) }
        let tree = try Self.tree("tasks/a")
        let remembering = cache(origin, failureSeconds: 3600)
        for number in 0..<20 { #expect(await Self.ask(remembering, tree, token(remembering, tree, pod: "p\(number)")).status == 503) }
        #expect(origin.asked.withLock { $0.count } == 1)
        let cache = cache(origin, failureSeconds: 0.1)
        #expect(await Self.ask(cache, tree, token(cache, tree)).status == 503)
        origin.failure.withLock { $0 = nil }
        #expect(await eventually(within: 20) { await Self.ask(cache, tree, token(cache, tree)).status == 200 })
    }

    @Test("a tree that takes long: clients are told to come back, and do not hold their connections")
    func slow() async throws {
        let cache = cache(Origin(delay: 1), makingSeconds: 0.05)
        let tree = try Self.tree("tasks/a")
        let token = token(cache, tree)
        let early = await Self.ask(cache, tree, token)
        #expect(early.status == 503 && early.headers.contains { $0.name == "Retry-After" })
        #expect(await eventually(within: 20) { await Self.ask(cache, tree, token).status == 200 })
    }

    // MARK: Files

    @Test("catalogue 42: a tree that was damaged on the disk is noticed by its reader, and made anew", arguments: ["bit", "short", "empty"])
    func damaged(kind: String) async throws {
        let origin = Origin(content: [UInt8](repeating: 3, count: 300_000))
        let cache = cache(origin)
        let server = cache.server()
        let port = try server.start(port: 0)
        defer { server.stop() }
        let tree = try Self.tree("tasks/a")
        let client = TreeClient(address: .http("http://127.0.0.1:\(port)"), token: token(cache, tree))
        _ = try await Self.content(client, tree)
        let file = store().path(TreeCache.name(of: tree, Self.credential))
        var bytes = try FileReading.bytes(file)
        switch kind {
        case "bit": bytes[150_000] ^= 4
        case "short": bytes.removeLast(1000)
        default: bytes = []
        }
        try FileWriting.write(bytes, to: file)
        await #expect { try await Self.content(client, tree) } throws: { error in
            if case .corrupt? = error as? TreeClientError { true } else { false }
        }
        #expect(try await Self.content(client, tree, suspect: true).count == 300_000)
        #expect(origin.asked.withLock { $0.count } == 2)
        // A suspicion about a whole file costs a look, not a new file.
        _ = try await Self.content(client, tree, suspect: true)
        #expect(origin.asked.withLock { $0.count } == 2)
    }

    @Test("above its size the store removes what was used least recently; what is being sent stays readable")
    func eviction() async throws {
        let origin = Origin(content: [UInt8](repeating: 1, count: 1000))
        let cache = cache(origin, store: store(limit: 3500))
        func get(_ name: String) async throws -> ServerResponse {
            let tree = try Self.tree(name)
            return await Self.ask(cache, tree, token(cache, tree, pod: name))
        }
        let first = try await get("a")
        for name in ["b", "c"] { #expect(try await get(name).status == 200) }
        #expect(try await get("a").status == 200)
        #expect(try await get("d").status == 200)
        #expect(origin.asked.withLock { $0 } == ["a", "b", "c", "d"])
        // b was used least recently.
        for name in ["c", "a", "d"] { #expect(try await get(name).status == 200) }
        #expect(origin.asked.withLock { $0.count } == 4)
        #expect(try await get("b").status == 200)
        #expect(origin.asked.withLock { $0.count } == 5)
        guard case .file(let file) = first.body else {
            Issue.record("the answer is no file")
            return
        }
        let size = try Origin.bytes([UInt8](repeating: 1, count: 1000)).count
        #expect(file.size == size)
    }

    @Test("a tree that is larger than the whole cache is refused with its size, and leaves nothing behind")
    func tooLarge() async throws {
        let cache = cache(Origin(content: [UInt8](repeating: 1, count: 1000)), store: store(limit: 500))
        let tree = try Self.tree("a")
        let answer = await Self.ask(cache, tree, token(cache, tree))
        #expect(answer.status == 422)
        #expect(Directory.names(in: "\(bench.path)/trees") == [])
    }

    @Test("catalogue 40: the disk is full: 503, nothing half-written is kept, and it is served when there is room")
    func diskFull() async throws {
        let disk = "\(bench.path)/disk"
        try Directory.make(disk)
        try #require(mount("tmpfs", disk, "tmpfs", 0, "size=1m") == 0, "this test mounts a small file system, which needs root")
        defer { umount(disk) }
        let cache = cache(Origin(content: [UInt8](repeating: 1, count: 2 << 20)), store: TreeStore(directory: "\(disk)/trees"))
        let tree = try Self.tree("a")
        let token = token(cache, tree)
        #expect(await Self.ask(cache, tree, token).status == 503)
        #expect(Directory.names(in: "\(disk)/trees") == [])
        #expect(mount("tmpfs", disk, "tmpfs", UInt(MS_REMOUNT), "size=50m") == 0)
        #expect(await eventually(within: 20) { await Self.ask(cache, tree, token).status == 200 })
    }

    @Test("a tree fetched with a Secret is not served from what another Secret, or none, has fetched")
    func credentialsApart() async throws {
        let origin = Origin()
        let cache = cache(origin)
        let tree = try Self.tree("a")
        for (namespace, secret) in [("team", nil), ("team", "s"), ("team", "t"), ("other", "s")] {
            let token = cache.token(
                for: [tree], pod: "p-\(namespace)-\(secret ?? "")", credential: .init(namespace: namespace, secret: secret), seconds: 60)
            #expect(await Self.ask(cache, tree, token).status == 200)
        }
        #expect(origin.asked.withLock { $0.count } == 4)
        let again = cache.token(for: [tree], pod: "p", credential: .init(namespace: "third", secret: nil), seconds: 60)
        #expect(await Self.ask(cache, tree, again).status == 200)
        #expect(origin.asked.withLock { $0.count } == 4, "public trees are the same for everybody")
    }
}
