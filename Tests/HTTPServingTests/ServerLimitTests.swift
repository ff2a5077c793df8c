import AssayTesting
import Base
import HTTPServing
import Testing

@Suite("Limits of the server")
struct ServerLimitTests {
    private static let request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

    @Test("a client beyond the limit of connections gets 503, and is served after another one ends")
    func connections() async throws {
        let server = HTTPServer(limits: HTTPServerLimits(connections: 2)) { _ in .text(200, "ok\n") }
        let port = try server.start(port: 0)
        var held: [RawConnection] = []
        for _ in 0..<2 {
            let client = try RawConnection(port: port)
            try client.send(Self.request)
            #expect(try await client.readAll(until: "ok\n").hasPrefix("HTTP/1.1 200 "))
            held.append(client)
        }
        let third = try RawConnection(port: port)
        try third.send(Self.request)
        let answer = try await third.readAll(until: "\u{0}")
        #expect(answer.hasPrefix("HTTP/1.1 503 ") && answer.contains("Connection: close") && answer.contains("limit"), "\(answer)")
        // The admitted ones are still served.
        try held[1].send(Self.request)
        #expect(try await held[1].readAll(until: "ok\n").hasPrefix("HTTP/1.1 200 "))
        held.removeFirst()
        #expect(
            try await eventually {
                let next = try RawConnection(port: port)
                try next.send(Self.request)
                return try await next.readAll(until: "ok\n").hasPrefix("HTTP/1.1 200 ")
            })
        server.stop()
    }

    @Test("of a flood of connections the first are served, a few get an answer with the reason, and the rest are closed")
    func flood() async throws {
        let server = HTTPServer(limits: HTTPServerLimits(connections: 4)) { _ in .text(200, "ok\n") }
        let port = try server.start(port: 0)
        let clients = try (0..<100).map { _ in try RawConnection(port: port) }
        var told = 0
        for client in clients[4...] {
            let answer = try await client.readAll(until: "\u{0}")
            #expect(answer.isEmpty || answer.hasPrefix("HTTP/1.1 503 "), "\(answer)")
            if !answer.isEmpty { told += 1 }
        }
        #expect(told > 0)
        for client in clients[..<4] {
            try client.send(Self.request)
            #expect(try await client.readAll(until: "ok\n").hasPrefix("HTTP/1.1 200 "))
        }
        server.stop()
    }

    @Test("a connection without a request is closed, and so is one whose request does not end")
    func idle() async throws {
        let server = HTTPServer(limits: HTTPServerLimits(requestSeconds: 0.3, idleSeconds: 0.3)) { _ in .text(200, "ok\n") }
        let port = try server.start(port: 0)
        for begin in ["", "GET / HTTP/1.1\r\nHo"] {
            let client = try RawConnection(port: port)
            if !begin.isEmpty { try client.send(begin) }
            let start = SystemTime().monotonic()
            #expect(try await client.readAll(until: "\u{0}") == "")
            #expect(SystemTime().monotonic() - start < 20)
        }
        server.stop()
    }

    @Test("no header has an empty name: the version of a request is not among its headers, and a client cannot send one")
    func emptyHeaderName() async throws {
        let server = HTTPServer { request in .text(200, "\(request.header("") ?? "none"), \(request.isHTTP10)\n") }
        let port = try server.start(port: 0)
        for (text, expected) in [
            ("GET / HTTP/1.0\r\n\r\n", "none, true\n"), ("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "none, false\n"),
        ] {
            let client = try RawConnection(port: port)
            try client.send(text)
            let answer = try await client.readAll(until: "\u{0}")
            #expect(answer.hasSuffix("\r\n\r\n\(expected)"), "\(answer)")
        }
        for field in [": HTTP/1.0", ":", " : x"] {
            let client = try RawConnection(port: port)
            try client.send("GET / HTTP/1.1\r\nHost: x\r\n\(field)\r\n\r\n")
            let answer = try await client.readAll(until: "\u{0}")
            #expect(answer.hasPrefix("HTTP/1.1 400 "), "\(field): \(answer)")
        }
        server.stop()
    }

    @Test("an HTTP/1.0 request gets the whole answer, and its connection is closed")
    func oldVersion() async throws {
        let server = HTTPServer { request in
            request.rawPath == "/stream"
                ? ServerResponse(status: 200, contentType: "text/plain", stream: { try $0.write(Array("streamed".utf8)) })
                : .text(200, request.isHTTP10 ? "old" : "new")
        }
        let port = try server.start(port: 0)
        for (path, body) in [("/", "old"), ("/stream", "streamed")] {
            let client = try RawConnection(port: port)
            try client.send("GET \(path) HTTP/1.0\r\n\r\n")
            let answer = try await client.readAll(until: "\u{0}")
            #expect(answer.contains("Connection: close\r\n") && answer.hasSuffix("\r\n\r\n\(body)") && !answer.contains("chunked"), "\(answer)")
        }
        let client = try RawConnection(port: port)
        try client.send(Self.request)
        #expect(try await client.readAll(until: "new").hasSuffix("new"))
        server.stop()
    }
}
