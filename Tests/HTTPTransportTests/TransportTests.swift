import AssayTesting
import Base
import Testing

@testable import HTTPTransport

@Suite struct TransportTests {
    let transport = HTTPTransport()

    @Test func aRequestAndItsAnswer() async throws {
        let server = try ScriptedServer { request in
            var response = ScriptedResponse.text("\(request.method) \(request.target) \(request.body.count)", status: 201)
            response.headers.append(("X-Two", "a"))
            response.headers.append(("x-two", "b"))
            return response
        }
        let response = try await transport.send(
            HTTPRequest(
                method: "PATCH", url: server.url + "/a/../b?x=%2F", headers: ["X-Empty": "", "Content-Type": "text/x"],
                body: Array("hello".utf8)))
        #expect(response.status == 201)
        #expect(response.headers.all("X-TWO") == ["a", "b"])
        #expect(try await text(response) == "PATCH /a/../b?x=%2F 5")
        let seen = try #require(server.requests.first)
        #expect(seen.headers["content-type"] == "text/x")
        #expect(seen.headers["x-empty"] == "")
        #expect(seen.headers["expect"] == nil)
        #expect(seen.body == Array("hello".utf8))
    }

    @Test(arguments: ["GET", "HEAD", "DELETE", "POST", "PUT", "PATCH", "OPTIONS"])
    func methodsWithoutABody(method: String) async throws {
        let server = try ScriptedServer { _ in ScriptedResponse(status: 204) }
        let response = try await transport.send(HTTPRequest(method: method, url: server.url + "/"))
        #expect(response.status == 204)
        #expect(try await response.body.collect(upTo: 10) == [])
        let seen = try #require(server.requests.first)
        #expect(seen.method == method)
        #expect(seen.body == [])
        #expect(seen.headers["content-type"] == nil)
    }

    @Test func errorsAreAnswersToo() async throws {
        let server = try ScriptedServer { _ in .text("gone", status: 410) }
        let response = try await transport.send(HTTPRequest(url: server.url))
        #expect(response.status == 410)
        #expect(try await text(response) == "gone")
    }

    @Test func redirectsAreReportedAndNotFollowed() async throws {
        let elsewhere = try ScriptedServer { _ in .text("secret taken") }
        let server = try ScriptedServer { _ in
            ScriptedResponse(status: 307, headers: [("Location", elsewhere.url)])
        }
        let response = try await transport.send(
            HTTPRequest(url: server.url, headers: ["Authorization": "Bearer secret"]))
        #expect(response.status == 307)
        #expect(elsewhere.requests.isEmpty)
    }

    @Test(arguments: [
        HTTPRequest(method: "GET /x", url: "http://127.0.0.1/"),
        HTTPRequest(method: "", url: "http://127.0.0.1/"),
        HTTPRequest(url: "http://127.0.0.1/", headers: ["X": "a\r\nAuthorization: Bearer secret"]),
        HTTPRequest(url: "http://127.0.0.1/", headers: ["X: y": "a"]),
        HTTPRequest(url: "http://127.0.0.1/", headers: ["": "a"]),
        HTTPRequest(url: "https://127.0.0.1/", tls: TLSOptions(serverName: "a/b")),
    ]) func valuesThatCouldAddRequestsAreRefused(request: HTTPRequest) async throws {
        let error = await #expect(throws: HTTPTransportError.self) { try await transport.send(request) }
        guard case .invalidRequest(let why)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(!why.contains("secret"))
    }

    @Test func largeBodiesBothWays() async throws {
        let bytes = (0..<10_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
        let server = try ScriptedServer { request in ScriptedResponse(pieces: [.bytes(request.body)]) }
        let response = try await transport.send(HTTPRequest(method: "POST", url: server.url, body: bytes))
        let echoed = try await response.body.collect(upTo: bytes.count)
        #expect(echoed == bytes)
    }

    @Test func aBodyOverTheLimitIsAnError() async throws {
        let server = try ScriptedServer { _ in .text(String(repeating: "x", count: 100_000)) }
        let response = try await transport.send(HTTPRequest(url: server.url))
        await #expect(throws: HTTPTransportError.bodyTooLarge(limit: 1000)) {
            try await response.body.collect(upTo: 1000)
        }
    }

    @Test func twoHundredAtOnce() async throws {
        let server = try ScriptedServer { request in .text(request.target) }
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for number in 0..<200 {
                group.addTask {
                    let response = try await transport.send(HTTPRequest(url: server.url + "/\(number)"))
                    return try await text(response) == "/\(number)"
                }
            }
            for try await same in group { #expect(same) }
        }
        #expect(server.requests.count == 200)
    }

    @Test func anEndlessHeadIsAProtocolError() async throws {
        let server = try ScriptedServer { _ in
            ScriptedResponse(
                headers: (0..<40).map { ("X-Padding-\($0)", String(repeating: "x", count: 10_000)) }, pieces: [.text("x")])
        }
        let error = await #expect(throws: HTTPTransportError.self) { try await transport.send(HTTPRequest(url: server.url)) }
        guard case .protocolViolation? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test func shuttingDownEndsRunningRequests() async throws {
        let server = try ScriptedServer { _ in .stream([.text("one"), .hang]) }
        let transport = HTTPTransport()
        let response = try await transport.send(HTTPRequest(url: server.url))
        var body = response.body.makeAsyncIterator()
        #expect(try await body.next() == Array("one".utf8))
        transport.shutDown()
        await #expect(throws: HTTPTransportError.shutDown) { try await body.next() }
        await #expect(throws: HTTPTransportError.shutDown) { try await transport.send(HTTPRequest(url: server.url)) }
    }

    @Test func aBodyOutlivesTheTransportThatSentIt() async throws {
        let server = try ScriptedServer { _ in .text(String(repeating: "x", count: 3_000_000)) }
        let response = try await HTTPTransport().send(HTTPRequest(url: server.url))
        #expect(try await response.body.collect(upTo: 3_000_000).count == 3_000_000)
    }
}

func text(_ response: HTTPResponse) async throws -> String {
    String(decoding: try await response.body.collect(upTo: 1 << 20), as: UTF8.self)
}
