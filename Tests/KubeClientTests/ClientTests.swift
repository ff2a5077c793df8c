import AssayTesting
import Base
import HTTPTransport
import KubeCore
import Testing

@testable import KubeClient

let key = ObjectKey(namespace: "a", name: "x")

@Suite struct ClientTests {
    @Test func verbsOnTheWire() async throws {
        let server = try ScriptedServer { _ in .json(["kind": "Pod", "metadata": ["name": "x"]]) }
        let client = KubeClient(config: .direct(server: server.url + "/prefix/", token: "t"))
        let pod: JSONValue = ["metadata": ["name": "x", "namespace": "a"]]
        #expect(try await client.get(.pods, key).at("metadata", "name")?.string == "x")
        try await client.create(.pods, pod, fieldManager: "assay")
        try await client.update(.pods, pod)
        try await client.updateStatus(.pods, pod)
        try await client.patch(.pods, key, .merge(["a": 1]), subresource: "status")
        try await client.apply(.pods, pod, manager: "assay")
        try await client.delete(.pods, key, options: DeleteOptions(gracePeriodSeconds: 0))
        try await client.deleteCollection(.pods, namespace: "a", selecting: ListOptions(labelSelector: "x=y", limit: nil))
        let path = "/prefix/api/v1/namespaces/a/pods"
        #expect(
            server.requestLines == [
                "GET \(path)/x", "POST \(path)?fieldManager=assay", "PUT \(path)/x", "PUT \(path)/x/status",
                "PATCH \(path)/x/status", "PATCH \(path)/x?fieldManager=assay&force=true", "DELETE \(path)/x",
                "DELETE \(path)?labelSelector=x%3Dy",
            ])
        #expect(server.requests.allSatisfy { $0.headers["authorization"] == "Bearer t" })
        #expect(server.requests.allSatisfy { $0.headers["user-agent"] == "assay" })
        #expect(server.requests[5].headers["content-type"] == "application/apply-patch+yaml")
        #expect(server.requests[6].json?["gracePeriodSeconds"] == 0)
        #expect(server.connectionCount == 1)
    }

    @Test func refusalsAreStatuses() async throws {
        let server = try ScriptedServer { request in
            request.method == "GET" ? .failure(404, reason: "NotFound", message: "pods \"x\" not found") : .text("oops", status: 500)
        }
        let client = KubeClient(config: .direct(server: server.url))
        let missing = await #expect(throws: KubeError.self) { try await client.get(.pods, key) }
        #expect(missing?.isNotFound == true)
        #expect("\(missing as Any)".contains("pods \"x\" not found (NotFound, 404)"))
        let broken = await #expect(throws: KubeError.self) { try await client.delete(.pods, key) }
        #expect(broken?.status?.message == "the server answered 500 to DELETE /api/v1/namespaces/a/pods/x: oops")
        #expect(broken?.isTransient == true)
        #expect(missing?.isTransient == false)
    }

    @Test func anAnswerThatIsNotJSON() async throws {
        let server = try ScriptedServer { _ in .text("<html>") }
        let client = KubeClient(config: .direct(server: server.url))
        let error = await #expect(throws: KubeError.self) { try await client.get(.pods, key) }
        guard case .malformed(let what)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(what.contains("GET /api/v1/namespaces/a/pods/x is not JSON"))
    }

    @Test("only the projected part of an answer is decoded, and all of it must be valid JSON") func answersAreProjected() async throws {
        let broken = Locked(false)
        let server = try ScriptedServer { _ in
            let spec = broken.withLock { $0 } ? "tru" : #"{"nodeName":"n"}"#
            return .text(#"{"kind":"Pod","metadata":{"name":"x","resourceVersion":"7","managedFields":[{}]},"spec":\#(spec)}"#)
        }
        let client = KubeClient(config: .direct(server: server.url))
        let pod: JSONValue = ["metadata": ["name": "x", "namespace": "a"]]
        func answers() async throws -> [JSONValue] {
            [
                try await client.create(.pods, pod, keeping: .metadata), try await client.patch(.pods, key, .merge(["a": 1]), keeping: .metadata),
                try await client.delete(.pods, key, keeping: .metadata), try await client.get(.pods, key, keeping: .metadata),
            ]
        }
        for answer in try await answers() { #expect(answer == ["kind": "Pod", "metadata": ["name": "x", "resourceVersion": "7"]]) }
        // The server is asked for no more than is kept.
        #expect(server.requests.map { $0.headers["accept"] } == Array(repeating: KubeRequest.metadataOnly, count: 4))
        #expect(try await client.get(.pods, key).at("spec", "nodeName") == "n")
        #expect(server.requests.last?.headers["accept"] == "application/json")
        broken.withLock { $0 = true }
        let error = await #expect(throws: KubeError.self) { try await client.create(.pods, pod, keeping: .metadata) }
        #expect("\(error as Any)".contains("is not JSON"))
    }

    @Test func invalidRequestsAreNotSent() async throws {
        let server = try ScriptedServer { _ in .json([:]) }
        let client = KubeClient(config: .direct(server: server.url))
        let error = await #expect(throws: KubeError.self) {
            try await client.delete(.pods, ObjectKey(namespace: "a", name: ""))
        }
        #expect(error == .invalidRequest("the name is empty"))
        #expect(server.requests.isEmpty)
    }

    @Test func theErrorForAnUnreachableServerNamesItWithoutTheToken() async throws {
        let server = try ScriptedServer { _ in .json([:]) }
        server.stop()
        let client = KubeClient(config: .direct(server: server.url, token: "secret"))
        let error = await #expect(throws: KubeError.self) { try await client.get(.pods, key) }
        #expect("\(error as Any)".contains("cannot connect to 127.0.0.1:\(server.port)"))
        #expect(!"\(error as Any)".contains("secret"))
        #expect(error?.isTransient == true)
    }

    @Test func impersonationAndBasicCredentials() async throws {
        let server = try ScriptedServer { _ in .json([:]) }
        var config = KubeConfig.direct(server: server.url)
        config.credential = .basic(user: "u", password: "p")
        config.impersonation = KubeConfig.Impersonation(user: "jane", uid: "7", groups: ["g"])
        config.userAgent = "assay/1.2.3"
        _ = try await KubeClient(config: config).get(.pods, key)
        let headers = try #require(server.requests.first).headers
        #expect(headers["authorization"] == "Basic dTpw")
        #expect(headers["impersonate-user"] == "jane")
        #expect(headers["impersonate-uid"] == "7")
        #expect(headers["impersonate-group"] == "g")
        #expect(headers["user-agent"] == "assay/1.2.3")
    }

    @Test func theRateLimitSpreadsCalls() async throws {
        let server = try ScriptedServer { _ in .json([:]) }
        let time = ManualTime()
        var config = KubeConfig.direct(server: server.url)
        config.rateLimit = KubeConfig.RateLimit(perSecond: 2, burst: 3)
        let client = KubeClient(config: config, time: time)
        for _ in 0..<3 { _ = try await client.get(.pods, key) }
        let fourth = Task { try await client.get(.pods, key) }
        #expect(await time.advanceToNextSleeper() == 0.5)
        _ = try await fourth.value
        let fifth = Task { try await client.get(.pods, key) }
        await time.waitForSleepers()
        fifth.cancel()
        await #expect(throws: KubeError.transport(.cancelled)) { try await fifth.value }
    }
}

@Suite struct RetryTests {
    @Test("catalogue 11: after a 429 the client waits as long as the server says") func tooManyRequests() async throws {
        let count = Locked(0)
        let server = try ScriptedServer { _ in
            count.withLock {
                $0 += 1; return $0
            } <= 2
                ? .failure(429, reason: "TooManyRequests", retryAfterSeconds: 7) : .json(["ok": true])
        }
        let time = ManualTime()
        let client = KubeClient(config: .direct(server: server.url), time: time)
        let task = Task { try await client.create(.pods, ["metadata": ["name": "x", "namespace": "a"]]) }
        for _ in 0..<2 { #expect(await time.advanceToNextSleeper() == 7) }
        #expect(try await task.value == ["ok": true])
        #expect(server.requests.count == 3)
    }

    @Test("catalogue 11: a server that always answers 429 gets eleven requests") func bounded() async throws {
        let server = try ScriptedServer { _ in .failure(503, reason: "ServiceUnavailable", retryAfterSeconds: 1) }
        let time = ManualTime()
        let client = KubeClient(config: .direct(server: server.url), time: time)
        let task = Task { try await client.get(.pods, key) }
        for _ in 0..<10 { await time.advanceToNextSleeper() }
        let error = await #expect(throws: KubeError.self) { try await task.value }
        #expect(error?.status?.code == 503)
        #expect(server.requests.count == 11)
    }

    @Test("catalogue 11: a refused watch is not retried here, and the error has the time to wait") func watches() async throws {
        let server = try ScriptedServer { _ in .failure(429, reason: "TooManyRequests", retryAfterSeconds: 7) }
        let client = KubeClient(config: .direct(server: server.url))
        let error = await #expect(throws: KubeError.self) {
            try await client.watch(.pods, options: WatchOptions(resourceVersion: "5"))
        }
        #expect(error?.status?.isTooManyRequests == true)
        #expect(error?.status?.retryAfterSeconds == 7)
        #expect(server.requests.count == 1)
    }

    @Test(
        arguments: [
            (429, 5, false, 0, 5), (429, 0, true, 9, 0), (429, 5, true, 10, nil), (429, nil, true, 0, nil),
            (429, 301, true, 0, nil), (503, 5, true, 0, 5), (503, 5, false, 0, nil), (500, nil, true, 0, nil),
            (404, 5, true, 0, nil), (409, 5, true, 0, nil),
        ] as [(Int, Int?, Bool, Int, Int?)])
    func rule(code: Int, retryAfter: Int?, idempotent: Bool, attempts: Int, delay: Int?) {
        #expect(RetryRule.delay(code: code, retryAfter: retryAfter, isIdempotent: idempotent, attempts: attempts) == delay)
    }

    @Test func cancellingEndsTheWait() async throws {
        let server = try ScriptedServer { _ in .failure(429, reason: "TooManyRequests", retryAfterSeconds: 100) }
        let time = ManualTime()
        let client = KubeClient(config: .direct(server: server.url), time: time)
        let task = Task { try await client.get(.pods, key) }
        await time.waitForSleepers()
        task.cancel()
        let error = await #expect(throws: KubeError.self) { try await task.value }
        #expect(error?.isCancelled == true)
    }

    @Test func theBucketGivesTokensInOrder() {
        var bucket = TokenBucket(KubeConfig.RateLimit(perSecond: 10, burst: 2))
        #expect(bucket.take(now: 0) == 0)
        #expect(bucket.take(now: 0) == 0)
        #expect(abs(bucket.take(now: 0) - 0.1) < 1e-9)
        #expect(abs(bucket.take(now: 0) - 0.2) < 1e-9)
        #expect(bucket.take(now: 100) == 0)
    }
}
