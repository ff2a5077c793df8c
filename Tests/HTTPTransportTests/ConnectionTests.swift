import AssayTesting
import Base
import Testing

@testable import HTTPTransport

@Suite struct ConnectionTests {
    let transport = HTTPTransport()

    @Test func connectionsAreReused() async throws {
        let server = try ScriptedServer { request in .text(request.target) }
        for number in 0..<20 {
            let response = try await transport.send(HTTPRequest(url: server.url + "/\(number)"))
            #expect(try await text(response) == "/\(number)")
        }
        #expect(server.connectionCount == 1)
    }

    @Test func aConnectionClosedWhileIdleIsReplaced() async throws {
        let server = try ScriptedServer { _ in .text("ok") }
        #expect(try await text(transport.send(HTTPRequest(url: server.url))) == "ok")
        server.cutConnections()
        #expect(try await text(transport.send(HTTPRequest(method: "POST", url: server.url, body: [1]))) == "ok")
        #expect(server.connectionCount == 2)
    }

    /// The connection fails during the second request, after the server has read it.
    @Test(arguments: [("GET", 2), ("PUT", 2), ("DELETE", 2), ("POST", 1), ("PATCH", 1)])
    func onlyIdempotentRequestsAreSentTwice(method: String, times: Int) async throws {
        let server = try ScriptedServer { request in
            request.target == "/second" && request.connection == 1 ? .dropConnection : .text("ok")
        }
        #expect(try await text(transport.send(HTTPRequest(url: server.url + "/first"))) == "ok")
        let request = HTTPRequest(method: method, url: server.url + "/second", body: method == "GET" ? nil : [1, 2, 3])
        if times == 2 {
            #expect(try await text(transport.send(request)) == "ok")
        } else {
            let error = await #expect(throws: HTTPTransportError.self) { try await transport.send(request) }
            guard case .connectionLost? = error else {
                Issue.record("\(String(describing: error))")
                return
            }
        }
        let seen = server.requests.filter { $0.target == "/second" }
        #expect(seen.count == times)
        #expect(seen.allSatisfy { $0.body == request.body ?? [] })
    }

    @Test func aServerThatIsNotThere() async throws {
        let server = try ScriptedServer { _ in .text("ok") }
        server.stop()
        let error = await #expect(throws: HTTPTransportError.self) {
            try await transport.send(HTTPRequest(url: server.url, headers: ["Authorization": "Bearer secret"]))
        }
        guard case .couldNotConnect(let host, _)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(host == "127.0.0.1:\(server.port)")
        #expect("\(error as Any)".contains("secret") == false)
    }

    @Test func aNameThatDoesNotExist() async throws {
        let error = await #expect(throws: HTTPTransportError.self) {
            try await transport.send(HTTPRequest(url: "http://no-such-host.invalid/", proxy: .none))
        }
        guard case .couldNotConnect("no-such-host.invalid:80", _)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test func aConnectionDroppedBeforeTheAnswer() async throws {
        let server = try ScriptedServer { _ in .dropConnection }
        let error = await #expect(throws: HTTPTransportError.self) { try await transport.send(HTTPRequest(url: server.url)) }
        guard case .connectionLost? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test func aBodyThatIsCutIsAnErrorAfterItsBytes() async throws {
        let server = try ScriptedServer { _ in .stream([.text("half"), .cut]) }
        var body = try await transport.send(HTTPRequest(url: server.url)).body.makeAsyncIterator()
        #expect(try await body.next() == Array("half".utf8))
        let error = await #expect(throws: HTTPTransportError.self) { try await body.next() }
        guard case .connectionLost? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test func aHandshakeThatNeverEndsIsAConnectTimeout() async throws {
        // The server waits for the end of an HTTP head, which a TLS client never sends.
        let server = try ScriptedServer { _ in .text("ok") }
        let request = HTTPRequest(
            url: "https://127.0.0.1:\(server.port)/", timeouts: HTTPTimeouts(connect: 0.2, total: 30))
        await #expect(throws: HTTPTransportError.timedOut(.connect, host: "127.0.0.1:\(server.port)", seconds: 0.2)) {
            try await transport.send(request)
        }
    }

    @Test func anAnswerThatNeverComesIsATotalTimeout() async throws {
        let server = try ScriptedServer { _ in .silence }
        let request = HTTPRequest(url: server.url, timeouts: HTTPTimeouts(total: 0.2))
        await #expect(throws: HTTPTransportError.timedOut(.total, host: "127.0.0.1:\(server.port)", seconds: 0.2)) {
            try await transport.send(request)
        }
    }

    @Test("catalogue 7: a half-open stream ends by its deadline") func silentStream() async throws {
        let server = try ScriptedServer { _ in .stream([.text("one"), .hang]) }
        let request = HTTPRequest(url: server.url, timeouts: HTTPTimeouts(idle: 1))
        var body = try await transport.send(request).body.makeAsyncIterator()
        #expect(try await body.next() == Array("one".utf8))
        await #expect(throws: HTTPTransportError.timedOut(.idle, host: "127.0.0.1:\(server.port)", seconds: 1)) {
            try await body.next()
        }
    }

    @Test func aStreamThatSpeaksNowAndThenLives() async throws {
        // Longer than the idle timeout in total, but never silent for that long.
        let pieces = (0..<20).flatMap { [ScriptedResponse.Piece.text("\($0),"), .delay(0.1)] }
        let server = try ScriptedServer { _ in .stream(pieces) }
        let request = HTTPRequest(url: server.url, timeouts: HTTPTimeouts(idle: 1.5))
        #expect(try await text(transport.send(request)) == (0..<20).map { "\($0)," }.joined())
    }
}
