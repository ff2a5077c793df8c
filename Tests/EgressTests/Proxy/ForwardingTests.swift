import Base
import Glibc
import Testing

@testable import Egress

@Suite("Plain HTTP through the proxy")
struct ForwardingTests {
    @Test("requests to several servers over one connection; the credentials stay with the proxy")
    func keepAlive() async throws {
        try await onThread {
            let (one, two) = (try Origin.answering("one"), try Origin.answering("two"))
            let bench = try ProxyBench(["a.example": ["127.0.0.1"], "b.example": ["127.0.0.1"]])
            let token = try bench.token(["a.example", "b.example", "127.0.0.1"])
            let socket = try bench.client()
            // The challenge comes first, as for clients that send credentials only when they are asked for.
            try socket.send("GET http://a.example:\(one.port)/x HTTP/1.1\r\nHost: a\r\n\r\n")
            let challenge = try socket.readAnswer()
            #expect(challenge.head.hasPrefix("HTTP/1.1 407 ") && challenge.head.contains("\r\nProxy-Authenticate: Basic realm="), "\(challenge)")
            for (host, origin, body) in [("a.example", one, "one"), ("b.example", two, "two"), ("a.example", one, "one")] {
                try socket.send(
                    "GET http://\(host):\(origin.port)/x?y HTTP/1.1\r\nHost: wrong\r\n\(ProxyBench.authorization(token))Cookie: c=1\r\nProxy-Connection: keep-alive\r\n\r\n"
                )
                let answer = try socket.readAnswer()
                #expect(answer.head.hasPrefix("HTTP/1.1 200 OK\r\n") && answer.head.contains("X-Origin: yes") && answer.body == body, "\(answer)")
                #expect(!answer.head.lowercased().contains("connection: close"))
            }
            #expect(one.accepted.withLock { $0 } == 2, "each request has a connection of its own")
            let head = try #require(two.notes.withLock { $0.first })
            #expect(
                head == "GET /x?y HTTP/1.1\r\nHost: b.example:\(two.port)\r\nCookie: c=1\r\nVia: 1.1 assay-egress\r\nConnection: close\r\n\r\n")
        }
    }

    @Test("requests that arrive together are answered in their order")
    func pipelining() async throws {
        try await onThread {
            let origin = try Origin { socket, _ in
                let path = try socket.readHead().split(separator: " ")[1]
                usleep(path == "/1" ? 100_000 : 0)
                try socket.send("HTTP/1.1 200 OK\r\nContent-Length: \(path.count)\r\n\r\n\(path)")
            }
            let bench = try ProxyBench()
            let token = try bench.token(["127.0.0.1"])
            let socket = try bench.client()
            let auth = ProxyBench.authorization(token)
            let requests =
                ["/1", "/22"].map { "GET http://127.0.0.1:\(origin.port)\($0) HTTP/1.1\r\nHost: a\r\n\(auth)\r\n" }
                + [
                    "GET http://denied.example/ HTTP/1.1\r\nHost: a\r\n\(auth)\r\n",
                    "GET http://127.0.0.1:\(origin.port)/333 HTTP/1.1\r\nHost: a\r\n\(auth)\r\n",
                ]
            try socket.send(requests.joined())
            #expect(try socket.readAnswer().body == "/1")
            #expect(try socket.readAnswer().body == "/22")
            #expect(try socket.readAnswer().head.hasPrefix("HTTP/1.1 403 "))
            #expect(try socket.readAnswer().body == "/333")
        }
    }

    @Test("bodies with a length and in chunks, in pieces, with trailers")
    func bodies() async throws {
        try await onThread {
            let origin = try Origin { socket, origin in
                let head = try socket.readHead()
                let body =
                    head.contains("chunked")
                    ? try socket.read(until: "0\r\nEnd: yes\r\n\r\n") : String(decoding: try socket.readExactly(11), as: UTF8.self)
                origin.note(head.split(separator: "\r\n").filter { !$0.hasPrefix("Host") }.joined(separator: "|") + "||" + body)
                try socket.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nyes\r\n0\r\n\r\n")
            }
            let bench = try ProxyBench()
            let socket = try bench.client()
            let auth = ProxyBench.authorization(try bench.token(["127.0.0.1"]))
            let url = "http://127.0.0.1:\(origin.port)/"
            for (framing, body) in [
                ("Content-Length: 11", "hello world"), ("Transfer-Encoding: chunked", "6;x=y\r\nhello \r\n5\r\nworld\r\n0\r\nEnd: yes\r\n\r\n"),
            ] {
                try socket.send("POST \(url) HTTP/1.1\r\nHost: a\r\n\(auth)\(framing)\r\n\r\n")
                for byte in body.utf8 { try socket.send([byte]) }
                #expect(
                    try socket.read(until: "0\r\n\r\n").hasSuffix(
                        "\r\nTransfer-Encoding: chunked\r\nVia: 1.1 assay-egress\r\n\r\n3\r\nyes\r\n0\r\n\r\n"))
            }
            #expect(
                origin.notes.withLock { $0 } == [
                    "POST / HTTP/1.1|Content-Length: 11|Via: 1.1 assay-egress|Connection: close||hello world",
                    "POST / HTTP/1.1|Transfer-Encoding: chunked|Via: 1.1 assay-egress|Connection: close||6;x=y\r\nhello \r\n5\r\nworld\r\n0\r\nEnd: yes\r\n\r\n",
                ])
        }
    }

    @Test("100 Continue, HEAD, answers without a body, and early ones")
    func specialAnswers() async throws {
        try await onThread {
            let bench = try ProxyBench()
            let auth = ProxyBench.authorization(try bench.token(["127.0.0.1"]))
            let origin = try Origin { socket, _ in
                let head = try socket.readHead()
                switch head.split(separator: " ")[1] {
                case "/continue":
                    if !head.contains("Expect: 100-continue") { return }
                    try socket.send("HTTP/1.1 100 Continue\r\n\r\n")
                    let body = try socket.readExactly(4)
                    try socket.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n" + String(decoding: body, as: UTF8.self))
                case "/head": try socket.send("HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n")
                case "/none": try socket.send("HTTP/1.1 204 No Content\r\n\r\n")
                case "/old": try socket.send("HTTP/1.0 200 OK\r\n\r\nuntil the end")
                default:
                    try socket.send("HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\n\r\nlarge")
                    socket.finishWriting()
                    _ = try? socket.readToEnd()
                }
            }
            let url = "http://127.0.0.1:\(origin.port)"
            let socket = try bench.client()
            try socket.send("POST \(url)/continue HTTP/1.1\r\nHost: a\r\n\(auth)Expect: 100-continue\r\nContent-Length: 4\r\n\r\n")
            #expect(try socket.readHead().hasPrefix("HTTP/1.1 100 Continue\r\n"))
            try socket.send("body")
            #expect(try socket.readAnswer().body == "body")
            try socket.send("HEAD \(url)/head HTTP/1.1\r\nHost: a\r\n\(auth)\r\n")
            #expect(try socket.readHead().contains("Content-Length: 12345\r\n"))
            try socket.send("GET \(url)/none HTTP/1.1\r\nHost: a\r\n\(auth)\r\n")
            #expect(try socket.readHead().hasPrefix("HTTP/1.1 204 "))
            try socket.send("GET \(url)/old HTTP/1.1\r\nHost: a\r\n\(auth)\r\n")
            let old = try socket.readToEnd()
            #expect(old.contains("\r\nVia: 1.0 assay-egress\r\nConnection: close\r\n\r\nuntil the end"), "\(old)")

            let early = try bench.client()
            try early.send("POST \(url)/early HTTP/1.1\r\nHost: a\r\n\(auth)Content-Length: 1000000\r\n\r\nbegin")
            let answer = try early.readAnswer()
            #expect(answer.head.hasPrefix("HTTP/1.1 413 ") && answer.head.contains("Connection: close\r\n") && answer.body == "large")
            #expect(try early.readToEnd() == "")

            let ten = try bench.client()
            try ten.send("GET \(url)/old HTTP/1.0\r\n\(auth)\r\n")
            #expect(try ten.readToEnd().hasSuffix("until the end"))
            // Once all of its request is there, a client may end its side.
            let half = try bench.client()
            try half.send("GET \(url)/old HTTP/1.1\r\nHost: a\r\n\(auth)\r\n")
            half.finishWriting()
            #expect(try half.readToEnd().hasSuffix("until the end"))
            for client in [socket, early, ten, half] { client.close() }
            #expect(soon { bench.isIdle })
        }
    }

    @Test("servers that fail are told from the proxy, and from each other")
    func failures() async throws {
        try await onThread {
            let bench = try ProxyBench(["empty.example": []], limits: { $0.transferIdleSeconds = 1.5 })
            let token = try bench.token(["127.0.0.1", "*.example"])
            func server(_ text: String) throws -> Origin {
                try Origin { socket, _ in
                    _ = try socket.readHead()
                    try socket.send(text)
                    if text == "HTTP/1.1 200 OK\r\nX: wait" { _ = try? socket.readToEnd() }
                }
            }
            let closed = try Origin.echo()
            closed.stop()
            usleep(50_000)
            for (text, status, error) in [
                ("", 502, "connection_terminated"), ("SSH-2.0-OpenSSH\r\n\r\n", 502, "http_protocol_error"),
                ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 502, "http_protocol_error"),
                ("HTTP/1.1 101 Switching Protocols\r\n\r\n", 502, "http_protocol_error"),
                ("HTTP/1.1 200 OK\nX: y\n\n", 502, "http_protocol_error"), ("HTTP/1.1 200 OK\r\nX: wait", 504, "http_response_timeout"),
            ] {
                let origin = try server(text)
                let answer = try bench.get("http://127.0.0.1:\(origin.port)/", token)
                #expect(
                    answer.head.hasPrefix("HTTP/1.1 \(status) ") && answer.head.contains("Proxy-Status: assay-egress; error=\(error)\r\n"),
                    "\(text): \(answer)")
                #expect(answer.body.hasPrefix("assay egress: 127.0.0.1:\(origin.port) ") && answer.body.hasSuffix("\n"), "\(answer)")
            }
            let refused = try bench.get("http://127.0.0.1:\(closed.port)/", token)
            #expect(refused.head.hasPrefix("HTTP/1.1 502 ") && refused.body.contains("Connection refused"), "\(refused)")
            for name in ["missing.example", "empty.example"] {
                let unresolved = try bench.get("http://\(name)/", token)
                #expect(unresolved.head.hasPrefix("HTTP/1.1 502 ") && unresolved.head.contains("error=dns_error"), "\(unresolved)")
            }
            // What breaks off in the middle is not a complete answer.
            for text in ["HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"] {
                let origin = try server(text)
                let socket = try bench.client()
                try socket.send("GET http://127.0.0.1:\(origin.port)/ HTTP/1.1\r\nHost: a\r\n\(ProxyBench.authorization(token))\r\n")
                #expect(socket.endsWithReset(), "\(text)")
            }
        }
    }

    @Test(
        "what could be read as another request never reaches a server",
        arguments: [
            "Content-Length: 4\r\nContent-Length: 4", "Content-Length: 4\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked, chunked",
            "X: y\r\n folded", "X : y", "X: y\nZ: w", "Content-Length: 4, 4",
        ])
    func smuggling(fields: String) async throws {
        try await onThread {
            let origin = try Origin.answering("reached")
            let bench = try ProxyBench()
            let socket = try bench.client()
            let auth = ProxyBench.authorization(try bench.token(["127.0.0.1"]))
            try socket.send(
                "POST http://127.0.0.1:\(origin.port)/ HTTP/1.1\r\nHost: a\r\n\(auth)\(fields)\r\n\r\n0\r\n\r\nGET http://127.0.0.1:\(origin.port)/second HTTP/1.1\r\nHost: a\r\n\(auth)\r\n"
            )
            let text = try socket.readToEnd()
            #expect(text.hasPrefix("HTTP/1.1 400 ") || text.hasPrefix("HTTP/1.1 501 "), "\(text)")
            #expect(text.contains("Connection: close\r\n") && text.components(of: "HTTP/1.1 ") == 1, "\(text)")
            #expect(origin.accepted.withLock { $0 } == 0)
        }
    }

    @Test("a body that turns out malformed ends the request on both sides")
    func malformedBody() async throws {
        try await onThread {
            let origin = try Origin { socket, origin in
                _ = try socket.readHead()
                do { origin.note(try socket.readToEnd()) } catch { origin.note("reset") }
            }
            let bench = try ProxyBench()
            let socket = try bench.client()
            let auth = ProxyBench.authorization(try bench.token(["127.0.0.1"]))
            try socket.send("POST http://127.0.0.1:\(origin.port)/ HTTP/1.1\r\nHost: a\r\n\(auth)Transfer-Encoding: chunked\r\n\r\n3\r\nabcd")
            #expect(try socket.readToEnd().hasPrefix("HTTP/1.1 400 "))
            #expect(soon { !origin.notes.withLock { $0.isEmpty } })
        }
    }
}

extension String {
    func components(of text: String) -> Int { ranges(of: text).count }
}
