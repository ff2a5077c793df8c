import AssayTesting
import Base
import Foundation
@testable import HTTPServing
import Testing

@testable import APIServer

@Suite("HTTP of the API server")
struct HTTPTests {
    @Test(
        "a request is delivered when it is complete, however it is split",
        arguments: [
            "POST /a%2Fb/c?x=1&y=a%20b+c HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
            "POST /a%2Fb/c?x=1&y=a%20b+c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;ext=1\r\nllo\r\n0\r\nTrailer: t\r\n\r\n",
        ])
    func cut(text: String) throws {
        let bytes = Array(text.utf8)
        for size in [1, 2, 3, 7, bytes.count] {
            var parser = HTTPRequestParser()
            var found: [ServerRequest] = []
            // Twice in a row: the second request of a connection is parsed like the first.
            for part in stride(from: 0, to: bytes.count * 2, by: size) {
                parser.append((part..<min(part + size, bytes.count * 2)).map { bytes[$0 % bytes.count] })
                while let request = try parser.next() { found.append(request) }
            }
            #expect(found.count == 2)
            for request in found {
                #expect(request.segments == ["a/b", "c"])
                #expect(request.query["y"] == "a b c")
                #expect(request.body == Array("hello".utf8))
            }
        }
    }

    @Test(
        "bytes that are not a request are refused",
        arguments: [
            ("GET / HTTP/2.0\r\n\r\n", 400), ("GET HTTP/1.1\r\n\r\n", 400), ("GET / HTTP/1.1\r\nbad header\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400), ("POST / HTTP/1.1\r\nContent-Length: 4000000\r\n\r\n", 413),
            ("POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
            ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n400000\r\n", 413),
            ("GET / HTTP/1.1\r\nA: " + String(repeating: "a", count: 70_000), 431),
        ])
    func malformed(text: String, status: Int) {
        var parser = HTTPRequestParser()
        parser.append(Array(text.utf8))
        do {
            let request = try parser.next()
            Issue.record("read as \(String(describing: request))")
        } catch {
            #expect(error.status == status)
        }
    }

    @Test("a body over 3 MiB gets a 413 that the client can read, and the server continues")
    func tooLarge() async throws {
        try await withServer { server in
            let client = try RawConnection(port: server.port)
            try client.send(
                "POST \(configMaps) HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 4000000\r\n\r\n")
            try client.send([UInt8](repeating: 32, count: 4_000_000))
            let answer = try await client.readAll(until: "\u{0}")
            #expect(answer.hasPrefix("HTTP/1.1 413 "))
            #expect(answer.contains("\"RequestEntityTooLarge\""))
            #expect(try await server.get("/healthz").status == 200)
        }
    }

    @Test("connections are kept open and pipelined requests are answered in order; HTTP/1.0 connections are closed")
    func keepAlive() async throws {
        try await withServer { server in
            let client = try RawConnection(port: server.port)
            let one = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
            try client.send(one + one + "GET /version HTTP/1.0\r\n\r\n")
            let answer = try await client.readAll(until: "\u{0}")
            #expect(answer.components(separatedBy: "HTTP/1.1 200 OK").count == 4)
            #expect(answer.contains("Connection: close"))
        }
    }

    @Test("a client that sends Expect: 100-continue gets the interim answer before it sends its body")
    func expectContinue() async throws {
        try await withServer { server in
            let client = try RawConnection(port: server.port)
            let body = configMap("a").text
            try client.send(
                "POST \(configMaps) HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n"
            )
            #expect(try await client.readAll(until: "\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n")
            try client.send(body)
            #expect(try await client.readAll(until: "}\n").hasPrefix("HTTP/1.1 201 "))
        }
    }

    @Test("with a token: a missing or wrong token gets 401, health checks need none")
    func token() async throws {
        try await withServer(token: "right") { server in
            #expect(try await server.get(configMaps).status == 200)
            var stranger = server
            for token in [nil, "wrong", "righ", ""] as [String?] {
                stranger.token = token
                let answer = try await stranger.get(configMaps)
                #expect(answer.status == 401)
                #expect(answer.json["reason"] == "Unauthorized")
                #expect(try await stranger.get("/version").status == 401)
                let health = try await stranger.get("/healthz")
                #expect(health.status == (token == nil ? 200 : 200))
            }
        }
    }

    @Test("the server listens on loopback only, and stops even with open streams")
    func stops() async throws {
        let server = try await ServerUnderTest.start()
        let client = try RawConnection(port: server.port)
        try client.send("GET \(configMaps)?watch=1&timeoutSeconds=600 HTTP/1.1\r\nHost: x\r\n\r\n")
        let head = try await client.readAll(until: "\r\n\r\n")
        #expect(head.hasPrefix("HTTP/1.1 200 OK"))
        await server.server.stop()
        _ = try await client.readAll(until: "\u{0}")
        #expect(throws: RawConnection.Failure.self) { try RawConnection(port: server.port) }
        do {
            _ = try await server.server.start()
            Issue.record("started again")
        } catch {}
    }

    @Test("an answer has the metadata only when that is asked for, whatever the verb; an error stays a Status")
    func metadataOnly() async throws {
        let api = try await ServerUnderTest.start()
        let accept = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
        let path = "/api/v1/namespaces/default/configmaps"
        let map: JSONValue = ["metadata": ["name": "m", "finalizers": ["a.b/c"]], "data": ["k": "v"]]
        func check(_ answer: ServerUnderTest.Answer, _ status: Int) {
            #expect(answer.status == status)
            #expect(answer.json["kind"]?.string == "PartialObjectMetadata" && answer.json["data"] == nil)
            #expect(answer.json.at("metadata", "name")?.string == "m" && Int(answer.version) != nil)
        }
        check(try await api.send("POST", path, map, accept: accept), 201)
        check(try await api.send("GET", "\(path)/m", accept: accept), 200)
        let patch: JSONValue = ["data": ["k": "w"]]
        check(try await api.send("PATCH", "\(path)/m", patch, type: "application/merge-patch+json", accept: accept), 200)
        check(try await api.send("DELETE", "\(path)/m", accept: accept), 200)
        #expect(try await api.get("\(path)/m").json.at("data", "k")?.string == "w")
        let missing = try await api.send("DELETE", "\(path)/n", accept: accept)
        #expect(missing.status == 404 && missing.json["kind"]?.string == "Status")
        await api.server.stop()
    }
}
