import Testing

@testable import HTTPTransport

@Suite struct ResponseHeadParserTests {
    private func feed(_ parser: inout ResponseHeadParser, _ text: String) -> ResponseHeadParser.Action {
        Array(text.utf8).withUnsafeBytes { parser.line($0) }
    }

    @Test func interimResponsesAndTrailersAreNotTheHead() {
        var parser = ResponseHeadParser()
        #expect(feed(&parser, "HTTP/1.1 100 Continue\r\n") == .more)
        #expect(feed(&parser, "X-Interim: 1\r\n") == .more)
        #expect(feed(&parser, "\r\n") == .more)
        #expect(feed(&parser, "HTTP/1.1 201 Created\r\n") == .more)
        #expect(feed(&parser, "Warning:  299 - \"a: b\" \r\n") == .more)
        #expect(feed(&parser, "WARNING: second\r\n") == .more)
        #expect(feed(&parser, "\r\n") == .complete)
        #expect(feed(&parser, "X-Trailer: late\r\n") == .more)
        #expect(parser.status == 201)
        #expect(parser.headers["warning"] == "299 - \"a: b\"")
        #expect(parser.headers.all("warning") == ["299 - \"a: b\"", "second"])
        #expect(parser.headers["x-interim"] == nil)
        #expect(parser.headers["x-trailer"] == nil)
    }

    @Test func anEndlessHeadIsRefused() {
        var parser = ResponseHeadParser()
        _ = feed(&parser, "HTTP/1.1 200 OK\r\n")
        let line = "X-Padding: " + String(repeating: "x", count: 10_000) + "\r\n"
        var actions: [ResponseHeadParser.Action] = []
        for _ in 0..<30 { actions.append(feed(&parser, line)) }
        #expect(actions.first == .more)
        #expect(actions.last == .tooLarge)
    }
}

@Suite struct DeadlinesTests {
    @Test func silenceCountsFromTheLastByte() {
        var deadlines = Deadlines(HTTPTimeouts(idle: 5), now: 100)
        #expect(deadlines.next == 105)
        deadlines.activity(now: 103)
        #expect(deadlines.next == 108)
        #expect(deadlines.expired(now: 107.9) == nil)
        #expect(deadlines.expired(now: 108)?.0 == .idle)
    }

    @Test func aSlowReaderIsNotTheServersSilence() {
        var deadlines = Deadlines(HTTPTimeouts(total: 60, idle: 5), now: 100)
        deadlines.pause()
        #expect(deadlines.next == 160)
        #expect(deadlines.expired(now: 159) == nil)
        deadlines.resume(now: 150)
        #expect(deadlines.next == 155)
        #expect(deadlines.expired(now: 160)?.0 == .total)
    }

    @Test func theTimeForAConnectionEndsWithTheConnection() {
        var deadlines = Deadlines(HTTPTimeouts(connect: 10), now: 100, awaitsConnection: true)
        #expect(deadlines.next == 110)
        #expect(deadlines.expired(now: 109.9) == nil)
        #expect(deadlines.expired(now: 110)?.0 == .connect)
        deadlines.connected(now: 109)
        #expect(deadlines.next == nil)
        #expect(deadlines.expired(now: 1000) == nil)
    }

    @Test func withoutTimeoutsNothingIsEverDue() {
        let deadlines = Deadlines(HTTPTimeouts(), now: 100)
        #expect(deadlines.next == nil)
        #expect(deadlines.expired(now: 1e12) == nil)
    }
}

@Suite struct HTTPAddressTests {
    @Test(arguments: [
        ("http://example.com/a?b", "example.com:80", false, "/a?b"),
        ("HTTPS://Example.com", "Example.com:443", false, ""),
        ("https://example.com:6443/prefix/", "example.com:6443", false, "/prefix/"),
        ("http://127.0.0.1:8080/x", "127.0.0.1:8080", true, "/x"),
        ("https://[::1]:6443/", "[::1]:6443", true, "/"),
        ("https://[2001:db8::1]", "[2001:db8::1]:443", false, ""),
        ("http://localhost", "localhost:80", true, ""),
        ("http://h?q=a@b", "h:80", false, "?q=a@b"),
    ]) func parsed(url: String, name: String, loopback: Bool, rest: String) throws {
        let address = try HTTPAddress(url: url)
        #expect(address.name == name)
        #expect(address.isLoopback == loopback)
        #expect(address.rest == rest)
    }

    @Test(arguments: [
        "", "example.com", "ftp://example.com/", "file:///etc/passwd", "http://", "http:///x", "http://:80/",
        "http://user:secret@example.com/", "http://a b/", "http://a/\r\nX: y", "http://ä/", "http://h:0/",
        "http://h:65536/", "http://h:x/", "http://[::1/", "http://[::1]x/", "http://a\\b/",
    ]) func refused(url: String) {
        let error = #expect(throws: HTTPTransportError.self) { try HTTPAddress(url: url) }
        guard case .invalidRequest(let why)? = error else {
            Issue.record("\(url): \(String(describing: error))")
            return
        }
        #expect(!why.contains("secret"))
    }
}

@Suite struct HTTPHeadersTests {
    @Test func namesCompareWithoutCaseAndOrderIsKept() {
        var headers: HTTPHeaders = ["B": "1", "a": "2"]
        headers.add("b", "3")
        #expect(headers["b"] == "1")
        #expect(headers.all("B") == ["1", "3"])
        headers["b"] = "4"
        #expect(headers.fields.map(\.name) == ["a", "b"])
        headers["A"] = nil
        #expect(headers.fields.map(\.value) == ["4"])
    }
}
