import Base
import Testing

@testable import Egress

@Suite("Shapes of HTTP messages")
struct HTTPShapeTests {
    static func parse(_ text: String) throws(HTTPSyntaxError) -> ProxyRequest? {
        var head = HeadCollector(limit: 4096)
        head.append(text.utf8)
        guard let lines = try head.takeHead() else { return nil }
        return try ProxyRequest(lines: lines)
    }

    @Test(
        "what two readers could read differently is refused",
        arguments: [
            "POST http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
            "POST http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\n",
            "POST http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n",
            "POST http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\n",
            "POST http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999999999999\r\n\r\n",
            "POST http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n",
            "POST http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST http://a/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST http://a/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n",
            "POST http://a/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n",
            "POST http://a/ HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
            "GET http://a/ HTTP/1.1\r\nHost: a\r\n folded: x\r\n\r\n",
            "GET http://a/ HTTP/1.1\r\nHost: a\r\nA: b\r\n\tc\r\n\r\n",
            "GET http://a/ HTTP/1.1\r\nHost : a\r\n\r\n",
            "GET http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\n",
            "GET http://a/ HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n",
            "GET http://a/ HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
            "GET http://a/ HTTP/1.1\nHost: a\n\n",
            "GET http://a/ HTTP/1.1\r\nHost: a\nX: y\r\n\r\n",
            "GET http://a/ HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
            "GET http://a/ HTTP/1.1\r\nHost: a\r\nX: \u{0}\r\n\r\n",
            "GET http://a/ HTTP/1.1\r\nHost: a\r\nX: \u{1}\r\n\r\n",
            "GET http://a/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            "GET http://a/ HTTP/1.1\r\n\r\n",
            "GET http://a/ HTTP/1.1\r\nHost: a\r\nConnection: content-length\r\n\r\n",
            "GET http://a/ HTTP/1.1\r\nHost: a\r\nConnection: close, Transfer-Encoding\r\n\r\n",
            "GET  http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET http://a/ HTTP/1.1 \r\nHost: a\r\n\r\n",
            "GET\thttp://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET http://a/ HTTP/2.0\r\nHost: a\r\n\r\n",
            "GET http://a/ http/1.1\r\nHost: a\r\n\r\n",
            "GET http://a/\r\n\r\n",
            "G(T http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET http://a/#f HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET http://u:p@a/ HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET https://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET a HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET http:/a HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET http:// HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET http://a:99999/ HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET http://127.1/ HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET http://0x7f000001/ HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET http://a%00.b/ HTTP/1.1\r\nHost: a\r\n\r\n",
            "CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n",
            "CONNECT http://a:443/ HTTP/1.1\r\nHost: a\r\n\r\n",
            "CONNECT a:443 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n",
            "CONNECT a:443 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
            "CONNECT a:443 HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            "CONNECT 127.0.0.1.:443 HTTP/1.1\r\nHost: a\r\n\r\n",
            "\r\n\r\n\r\nGET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
        ])
    func refuses(text: String) {
        #expect(throws: HTTPSyntaxError.self) { _ = try Self.parse(text) }
    }

    @Test func whatIsGoodIsRead() throws {
        let connect = try #require(try Self.parse("CONNECT Example.com:443 HTTP/1.1\r\nHost: other\r\n\r\n"))
        #expect(connect.target == .tunnel(try Destination("example.com:443")) && !connect.wantsClose)
        #expect(try #require(try Self.parse("CONNECT [::1]:443 HTTP/1.0\r\n\r\n")).wantsClose)
        let forward = try #require(try Self.parse("\r\nGET http://A.example?x=1 HTTP/1.1\r\nHost: b\r\nContent-Length: 0\r\n\r\n"))
        #expect(forward.target == .forward(try Destination("a.example:80"), authority: "A.example", path: "/?x=1") && forward.framing == .none)
        #expect(
            try #require(try Self.parse("OPTIONS http://a HTTP/1.1\r\nHost: b\r\n\r\n")).target
                == .forward(try Destination("a:80"), authority: "a", path: "*"))
        #expect(try #require(try Self.parse("GET /.assay/denials?x HTTP/1.1\r\nHost: b\r\n\r\n")).target == .own(path: "/.assay/denials"))
        #expect(try #require(try Self.parse("GET http://proxy/.assay/denials HTTP/1.1\r\nHost: b\r\n\r\n")).target == .own(path: "/.assay/denials"))
        #expect(try Self.parse("GET http://a/ HTTP/1.1\r\nHost: a\r\n") == nil)
        #expect(throws: HTTPSyntaxError("the head is larger than 4096 bytes", status: 431)) {
            try Self.parse("GET http://a/ HTTP/1.1\r\nHost: a\r\nX: " + String(repeating: "x", count: 5000))
        }
    }

    @Test func aHeadMayArriveInPieces() throws {
        let text = "\r\nGET http://a/ HTTP/1.1\r\nHost: a\r\n\r\nrest"
        for size in [1, 2, 3, 7] {
            var head = HeadCollector(limit: 4096)
            var found: ProxyRequest?
            var bytes = Array(text.utf8)[...]
            while !bytes.isEmpty, found == nil {
                head.append(bytes.prefix(size))
                bytes = bytes.dropFirst(size)
                if let lines = try head.takeHead() { found = try ProxyRequest(lines: lines) }
            }
            #expect(found?.method == "GET")
            #expect(head.takeRest() + Array(bytes) == Array("rest".utf8))
        }
    }

    @Test(
        "credentials",
        arguments: [
            ("Proxy-Authorization: Basic \(Base64.encode("assay:tok".utf8))", "tok"),
            ("Proxy-Authorization: basic \(Base64.encode("tok:".utf8))", "tok"),
            ("Proxy-Authorization: Bearer tok", "tok"), ("Proxy-Authorization: Basic ###", nil), ("Proxy-Authorization: Digest x", nil),
            ("Authorization: Bearer tok", nil), ("Proxy-Authorization: Bearer a\r\nProxy-Authorization: Bearer b", nil),
        ] as [(String, String?)])
    func credentials(line: String, token: String?) throws {
        #expect(try #require(try Self.parse("GET http://a/ HTTP/1.1\r\nHost: a\r\n\(line)\r\n\r\n")).credentials == token)
    }

    @Test func hopByHopFieldsStay() throws {
        let request = try #require(
            try Self.parse(
                "POST http://a.example:81/p?q HTTP/1.1\r\nHost: evil\r\nProxy-Authorization: Basic eDp5\r\nproxy-connection: keep-alive\r\n"
                    + "Connection: keep-alive, X-Mine\r\nX-Mine: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n"
                    + "Authorization: Bearer kept\r\nX-Other: a\r\n\r\n"))
        let head = String(decoding: ForwardedHeads.request(request, authority: "a.example:81", path: "/p?q"), as: UTF8.self)
        #expect(
            head
                == "POST /p?q HTTP/1.1\r\nHost: a.example:81\r\nAuthorization: Bearer kept\r\nX-Other: a\r\nTransfer-Encoding: chunked\r\n"
                + "Via: 1.1 assay-egress\r\nConnection: close\r\n\r\n")
    }

    static func response(_ text: String) throws -> ResponseHead {
        var head = HeadCollector(limit: 4096)
        head.append(text.utf8)
        return try ResponseHead(lines: try #require(try head.takeHead()))
    }

    @Test(
        "how a response ends",
        arguments: [
            ("HTTP/1.1 200 OK\r\nContent-Length: 3", "GET", .length(3)), ("HTTP/1.1 200 OK\r\nContent-Length: 3", "HEAD", .none),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked", "GET", .chunked), ("HTTP/1.1 200", "GET", .untilClose),
            ("HTTP/1.0 200 OK", "GET", .untilClose),
            ("HTTP/1.1 204 No Content", "GET", .none), ("HTTP/1.1 304 Not Modified\r\nContent-Length: 9", "GET", .none),
            ("HTTP/1.1 100 Continue", "POST", .none),
        ] as [(String, String, BodyFraming)])
    func framing(head: String, method: String, framing: BodyFraming) throws {
        #expect(try Self.response(head + "\r\n\r\n").framing(requestMethod: method) == framing)
    }

    @Test(arguments: [
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked", "HTTP/2 200 OK", "HTTP/1.1 20 OK", "HTTP/1.1 2x0 OK", "HTTP/1.1 200 OK\r\n folded",
        "ICY 200 OK",
        "HTTP/1.1 200 OK\r\nA: b\nSet-Cookie: c",
    ])
    func badResponses(head: String) {
        #expect(throws: HTTPSyntaxError.self) { _ = try Self.response(head + "\r\n\r\n").framing(requestMethod: "GET") }
    }
}
