import AssayTesting
import Base
import KubeClient
import KubeCore
import Testing

@testable import KubeRuntime

@Suite("Concurrent writes")
struct WritingTests {
    let api: FakeAPI
    let client: KubeClient
    let key = ObjectKey(namespace: "default", name: "p")

    init() throws {
        api = try FakeAPI()
        client = KubeClient(config: .direct(server: api.url), log: quiet)
    }

    func count(_ object: JSONValue?) -> Int { object?.at("status", "count")?.int ?? 0 }

    @Test("catalogue 14: create succeeds, the response is lost: one pod, found under its deterministic name")
    func lostCreate() async throws {
        api.inject(FakeFault(.loseResponse, on: .init(method: "POST")))
        let result = try await client.createOnce(.pods, Build.pod("p", labels: ["job": "u1"]), namespace: "default") {
            $0.at("metadata", "labels", "job") == "u1"
        }
        guard case .existed(let pod) = result else {
            Issue.record("not found again: \(result)")
            return
        }
        #expect(pod.at("metadata", "uid") == "uid-1")
        #expect(api.all(.pods).count == 1)
    }

    @Test("catalogue 14: again after a restart: the pod exists; a pod of another owner is recognized")
    func createAgain() async throws {
        let pod = Build.pod("p", labels: ["job": "u1"])
        let isOurs: @Sendable (JSONValue) -> Bool = { $0.at("metadata", "labels", "job") == "u1" }
        let first = try await client.createOnce(.pods, pod, namespace: "default", isOurs: isOurs)
        let second = try await client.createOnce(.pods, pod, namespace: "default", isOurs: isOurs)
        #expect(second == .existed(first.object))
        let strange = try await client.createOnce(.pods, pod, namespace: "default") { _ in false }
        #expect(strange == .taken(first.object))
        #expect(api.all(.pods).count == 1)
    }

    @Test("only the projection of the answers is kept: created, found again, or of another owner")
    func projectedCreate() async throws {
        let pod = Build.pod("p", labels: ["job": "u1"])
        let isOurs: @Sendable (JSONValue) -> Bool = { $0.at("metadata", "labels", "job") == "u1" && $0["spec"] == nil }
        let first = try await client.createOnce(.pods, pod, namespace: "default", keeping: .metadata, isOurs: isOurs)
        let second = try await client.createOnce(.pods, pod, namespace: "default", keeping: .metadata, isOurs: isOurs)
        let stored = try #require(api.get(.pods, key))
        #expect(stored["spec"] != nil)
        #expect(ObjectMeta(of: first.object) == ObjectMeta(of: stored))
        #expect(second == .existed(first.object))
        #expect(first.object["spec"] == nil)
    }

    @Test("a refused creation is an error at once")
    func refusedCreate() async throws {
        api.inject(FakeFault(.answer(.failure(403, reason: "Forbidden")), on: .init(method: "POST")))
        await #expect(throws: KubeError.self) {
            try await client.createOnce(.pods, Build.pod("p"), namespace: "default") { _ in true }
        }
        #expect(api.server.requests.count == 1)
    }

    @Test("catalogue 15: status 409 twenty times: no lost update")
    func contendedStatus() async throws {
        try api.put(.pods, Build.pod("p"))
        // Before each of our first twenty writes, somebody else increments the counter, too.
        let rival = Locked(20)
        let api = api
        let key = key
        let stored = try await client.updateStatus(retryingConflicts: .pods, key, time: SkippedTime()) { object in
            let left = rival.withLock { left -> Int in
                left -= 1
                return left
            }
            if left >= 0 {
                var theirs = api.get(.pods, key) ?? object
                theirs["status"] = ["count": JSONValue((theirs.at("status", "count")?.int ?? 0) + 1)]
                try api.put(.pods, theirs)
            }
            return ["count": JSONValue((object.at("status", "count")?.int ?? 0) + 1)]
        }
        #expect(count(stored) == 21)
        #expect(count(api.get(.pods, key)) == 21)
        #expect(api.server.requests.count { $0.method == "PUT" } == 21)
    }

    @Test("catalogue 15: many writers at once: every update is kept")
    func manyWriters() async throws {
        try api.put(.pods, Build.pod("p"))
        let client = client
        let key = key
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<10 {
                group.addTask {
                    for _ in 0..<5 {
                        try await client.updateStatus(retryingConflicts: .pods, key, attempts: 500) { object in
                            ["count": JSONValue((object.at("status", "count")?.int ?? 0) + 1)]
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(count(api.get(.pods, key)) == 50)
    }

    @Test("a cached object saves the first read, and is dropped when it is stale")
    func cachedView() async throws {
        let cached = try api.put(.pods, Build.pod("p"))
        try await client.updateStatus(retryingConflicts: .pods, key, cached: cached) { _ in ["count": 1] }
        #expect(api.server.requestLines == ["PUT /api/v1/namespaces/default/pods/p/status"])
        try await client.updateStatus(retryingConflicts: .pods, key, cached: cached, time: SkippedTime()) { object in
            ["count": JSONValue((object.at("status", "count")?.int ?? 0) + 1)]
        }
        #expect(count(api.get(.pods, key)) == 2)
    }

    @Test("nothing is written when nothing changed, or when the object is gone or was recreated")
    func noWrite() async throws {
        let pod = try api.put(.pods, Build.pod("p", phase: "Running"))
        try await client.updateStatus(retryingConflicts: .pods, key) { $0["status"] }
        try await client.updateStatus(retryingConflicts: .pods, key) { _ in nil }
        await #expect(throws: StatusWriteError.self) {
            try await client.updateStatus(retryingConflicts: .pods, key, uid: "another") { _ in ["count": 1] }
        }
        try api.delete(.pods, key)
        await #expect(throws: StatusWriteError.self) {
            try await client.updateStatus(retryingConflicts: .pods, key, cached: pod) { _ in ["count": 1] }
        }
        #expect(api.get(.pods, key) == nil)
    }

    @Test("endless conflicts end with an error, not with a lost update")
    func endlessContention() async throws {
        try api.put(.pods, Build.pod("p"))
        api.inject(FakeFault(.answer(.failure(409, reason: "Conflict")), on: .init(method: "PUT"), times: 1000))
        await #expect(throws: StatusWriteError.self) {
            try await client.updateStatus(retryingConflicts: .pods, key, attempts: 5, time: SkippedTime()) { _ in ["count": 1] }
        }
        #expect(api.server.requests.count { $0.method == "PUT" } == 5)
    }
}

/// A clock whose sleeps end at once.
struct SkippedTime: TimeSource {
    func now() -> Timestamp { SystemTime().now() }
    func monotonic() -> Double { SystemTime().monotonic() }
    func sleep(seconds: Double) async throws { try Task.checkCancellation() }
}
