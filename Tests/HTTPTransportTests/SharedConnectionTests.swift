import AssayTesting
import Base
import Foundation
import Testing

@testable import HTTPTransport

/// Requests that share an HTTP/2 connection, with nginx as the peer.
@Suite struct SharedConnectionTests {
    let transport = HTTPTransport()

    /// A scripted server behind nginx.
    final class Site: Sendable {
        let server: ScriptedServer
        let front: TLSFront
        private let directory: String

        init(_ settings: TLSFront.Settings = TLSFront.Settings(), handler: @escaping ScriptedServer.Handler) async throws {
            directory = FileManager.default.temporaryDirectory.appendingPathComponent("assay-front-\(UUID().uuidString)").path
            server = try ScriptedServer(handler: handler)
            front = try await TLSFront(before: server.port, directory: directory, settings: settings)
        }

        deinit { try? FileManager.default.removeItem(atPath: directory) }

        func request(
            _ path: String = "/", method: String = "GET", body: [UInt8]? = nil, timeouts: HTTPTimeouts = HTTPTimeouts(total: 60),
            reading: HTTPReading = .whole(limit: 64 << 20), certificate: Bool = false
        ) -> HTTPRequest {
            var tls = TLSOptions(authorities: .data(front.authority))
            if certificate {
                tls.clientCertificate = .data(front.clientCertificate)
                tls.clientKey = .data(front.clientKey)
            }
            return HTTPRequest(
                method: method, url: front.url + path, body: body, timeouts: timeouts, tls: tls, reading: reading)
        }

        func connections(_ version: String) -> Int { Set(front.requests().filter { $0.httpVersion == version }.map(\.connection)).count }
    }

    /// Sends that many requests at once; returns the results in order.
    func sendAll(_ count: Int, _ request: @escaping @Sendable (Int) -> HTTPRequest) async -> [Result<String, HTTPTransportError>] {
        await withTaskGroup(of: (Int, Result<String, HTTPTransportError>).self) { group in
            for number in 0..<count {
                group.addTask {
                    do throws(HTTPTransportError) {
                        let response = try await transport.send(request(number))
                        return (number, .success(String(decoding: try await response.body.collect(upTo: 64 << 20), as: UTF8.self)))
                    } catch {
                        return (number, .failure(error))
                    }
                }
            }
            var results = [Result<String, HTTPTransportError>](repeating: .failure(.cancelled), count: count)
            for await (number, result) in group { results[number] = result }
            return results
        }
    }

    @Test func requestsShareOneConnection() async throws {
        let site = try await Site { request in .text("\(request.method) \(request.target) \(request.body.count)") }
        let results = await sendAll(60) { number in
            number.isMultiple(of: 2) ? site.request("/\(number)") : site.request("/\(number)", method: "POST", body: [1, 2, 3])
        }
        for (number, result) in results.enumerated() {
            #expect(result == .success(number.isMultiple(of: 2) ? "GET /\(number) 0" : "POST /\(number) 3"))
        }
        #expect(await eventually { site.front.requests().count == 60 })
        #expect(site.connections("HTTP/2.0") == 1)
        #expect(site.connections("HTTP/1.1") == 0)
    }

    @Test func moreRequestsThanTheServerTakesOnOneConnectionAllEnd() async throws {
        var settings = TLSFront.Settings()
        settings.streams = 4
        let site = try await Site(settings) { request in .stream([.delay(0.02), .text(request.target)]) }
        let results = await sendAll(40) { site.request("/\($0)") }
        #expect(results == (0..<40).map { .success("/\($0)") })
    }

    @Test func aServerThatSpeaksHTTP1OnlyIsSpokenToSo() async throws {
        var settings = TLSFront.Settings()
        settings.speaksHTTP2 = false
        let site = try await Site(settings) { .text($0.target) }
        for _ in 0..<3 {
            #expect(await sendAll(20) { site.request("/\($0)") } == (0..<20).map { .success("/\($0)") })
        }
        #expect(await eventually { site.front.requests().count == 60 })
        #expect(site.connections("HTTP/1.1") <= 20)
        #expect(site.connections("HTTP/2.0") == 0)
    }

    @Test func aTransportWithoutSharingHasItsOwnConnection() async throws {
        let site = try await Site { .text($0.target) }
        let apart = HTTPTransport(sharesConnections: false)
        #expect(try await text(transport.send(site.request("/one"))) == "/one")
        #expect(try await text(apart.send(site.request("/two"))) == "/two")
        #expect(await eventually { site.front.requests().count == 2 })
        #expect(site.connections("HTTP/2.0") == 1)
        #expect(site.connections("HTTP/1.1") == 1)
    }

    @Test func aSlowReaderDelaysNoOtherRequest() async throws {
        let chunk = [UInt8](repeating: 7, count: 65_536)
        let site = try await Site { request in
            guard request.target == "/log" else { return .text("ok") }
            return .stream((0..<512).map { _ in .bytes(chunk) })
        }
        #expect(try await text(transport.send(site.request("/warm"))) == "ok")
        // 32 MiB, none of which has been read yet.
        let log = try await transport.send(site.request("/log", reading: .streamed))
        #expect(await sendAll(200) { site.request("/\($0)", timeouts: HTTPTimeouts(total: 20)) } == (0..<200).map { _ in .success("ok") })
        var received = 0
        for try await bytes in log.body { received += bytes.count }
        #expect(received == 512 * chunk.count)
    }

    @Test func aLargeAnswerIsCompleteAndATooLargeOneIsAnError() async throws {
        let size = 8 << 20
        let site = try await Site { request in
            ScriptedResponse(pieces: [.bytes([UInt8](repeating: 5, count: request.target == "/large" ? size : 10))])
        }
        let results = await sendAll(21) {
            $0 == 10 ? site.request("/large", reading: .whole(limit: 1 << 20)) : site.request($0 < 4 ? "/large" : "/small")
        }
        for (number, result) in results.enumerated() {
            switch number {
            case 10: #expect(result == .failure(.bodyTooLarge(limit: 1 << 20)))
            default: #expect(try result.get().utf8.count == (number < 4 ? size : 10))
            }
        }
        // The connection can still be used by others.
        #expect(try await text(transport.send(site.request("/small"))).utf8.count == 10)
        #expect(await eventually { site.front.requests().count >= 21 })
        #expect(site.connections("HTTP/2.0") == 1)
    }

    /// The server sends GOAWAY after a few requests while more are in progress.
    @Test func aServerThatEndsConnectionsLosesNoReadRequest() async throws {
        var settings = TLSFront.Settings()
        settings.requestsPerConnection = 20
        let site = try await Site(settings) { .text($0.target) }
        for round in 0..<5 {
            let results = await sendAll(40) { site.request("/\(round)-\($0)") }
            #expect(results == (0..<40).map { .success("/\(round)-\($0)") })
        }
        #expect(site.connections("HTTP/2.0") > 5)
    }

    @Test func aLostConnectionIsAnErrorForEachOfItsRequests() async throws {
        let site = try await Site { request in request.target == "/warm" ? .text("ok") : .silence }
        #expect(try await text(transport.send(site.request("/warm"))) == "ok")
        async let results = sendAll(40) { number in
            number.isMultiple(of: 2) ? site.request("/\(number)") : site.request("/\(number)", method: "POST", body: [1])
        }
        #expect(await site.server.waitForRequests(41))
        await site.front.kill()
        for (number, result) in await results.enumerated() {
            switch result {
            case .failure(.connectionLost): break
            // Sent again, because that is safe; the server was no longer there.
            case .failure(.couldNotConnect) where number.isMultiple(of: 2): break
            default: Issue.record("request \(number): \(result)")
            }
        }
        #expect(Set(site.server.requests.filter { $0.method == "POST" }.map(\.target)).count == 20)
        #expect(site.server.requests.count { $0.method == "POST" } == 20)
        try await site.front.start()
        #expect(try await text(transport.send(site.request("/warm"))) == "ok")
    }

    @Test func aConnectionClosedBetweenTwoRequestsIsReplaced() async throws {
        var settings = TLSFront.Settings()
        settings.idleSeconds = 1
        let site = try await Site(settings) { .text($0.target) }
        #expect(try await text(transport.send(site.request("/one"))) == "/one")
        try await Task.sleep(for: .seconds(5))
        #expect(try await text(transport.send(site.request("/two", method: "POST", body: [1]))) == "/two")
        #expect(await eventually { site.connections("HTTP/2.0") == 2 })
    }

    @Test("catalogue 7: a shared connection with a silent peer is not used again") func silentPeer() async throws {
        let site = try await Site { .text($0.target) }
        #expect(try await text(transport.send(site.request("/one"))) == "/one")
        site.front.pause(true)
        let results = await sendAll(3) { site.request("/\($0)", timeouts: HTTPTimeouts(idle: 1)) }
        for result in results { #expect(result == .failure(.timedOut(.idle, host: "127.0.0.1:\(site.front.port)", seconds: 1))) }
        site.front.pause(false)
        #expect(try await text(transport.send(site.request("/two"))) == "/two")
        #expect(await eventually { site.connections("HTTP/2.0") == 2 })
    }

    @Test func aHandshakeThatNeverEndsIsAConnectTimeoutForAllThatWaitForIt() async throws {
        let site = try await Site { .text($0.target) }
        site.front.pause(true)
        defer { site.front.pause(false) }
        let begun = SystemTime().monotonic()
        let results = await sendAll(20) { site.request("/\($0)", timeouts: HTTPTimeouts(connect: 1)) }
        for result in results { #expect(result == .failure(.timedOut(.connect, host: "127.0.0.1:\(site.front.port)", seconds: 1))) }
        // At the same time, not one after the other.
        #expect(SystemTime().monotonic() - begun < 15)
    }

    @Test func aClientCertificateIsShown() async throws {
        var settings = TLSFront.Settings()
        settings.asksForCertificate = true
        let site = try await Site(settings) { .text($0.target) }
        #expect(await sendAll(20) { site.request("/\($0)", certificate: true) } == (0..<20).map { .success("/\($0)") })
        #expect(site.connections("HTTP/2.0") == 1)
        // Not over the connection of a client that has shown its certificate.
        let response = try await transport.send(site.request("/none"))
        #expect(response.status == 400)
    }

    @Test func cancellingARequestEndsOnlyThatRequest() async throws {
        let site = try await Site { request in request.target == "/silent" ? .silence : .stream([.delay(1), .text("ok")]) }
        async let neighbours = sendAll(10) { site.request("/\($0)") }
        let task = Task { try await transport.send(site.request("/silent")) }
        #expect(await site.server.waitForRequests(11))
        task.cancel()
        await #expect(throws: HTTPTransportError.cancelled) { try await task.value }
        #expect(await neighbours == (0..<10).map { _ in .success("ok") })
        #expect(await eventually { site.connections("HTTP/2.0") == 1 })
    }
}
