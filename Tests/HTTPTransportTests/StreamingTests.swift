import AssayTesting
import Base
import Testing

@testable import HTTPTransport

@Suite struct StreamingTests {
    let transport = HTTPTransport()

    @Test func chunksArriveWhileTheServerStillWrites() async throws {
        let gate = Locked(0)
        let server = try ScriptedServer { _ in
            .stream([
                .live { body in
                    for number in 1...3 {
                        body.send([UInt8(number)])
                        while gate.withLock({ $0 < number }), body.wait(seconds: 0.001) {}
                    }
                }
            ])
        }
        var body = try await transport.send(HTTPRequest(url: server.url)).body.makeAsyncIterator()
        for number in 1...3 {
            #expect(try await body.next() == [UInt8(number)])
            gate.withLock { $0 = number }
        }
        #expect(try await body.next() == nil)
        #expect(try await body.next() == nil)
    }

    @Test func aSlowReaderStopsTheServer() async throws {
        let total = 64 << 20
        let chunk = (0..<65_536).map { UInt8(truncatingIfNeeded: $0) }
        let sent = Locked(0)
        let server = try ScriptedServer { request in
            guard request.target == "/slow" else { return ScriptedResponse(pieces: [.bytes([UInt8](repeating: 1, count: 32 << 20))]) }
            return .stream([
                .live { body in
                    for _ in 0..<(total / chunk.count) {
                        guard body.send(chunk) else { return }
                        sent.withLock { $0 += chunk.count }
                    }
                }
            ])
        }
        let slow = try await transport.send(HTTPRequest(url: server.url + "/slow", timeouts: HTTPTimeouts(idle: 5)))
        // Another transfer of half that size completes at the same time, so the thread could also have read the slow one.
        let other = try await transport.send(HTTPRequest(url: server.url + "/other"))
        #expect(try await other.body.collect(upTo: 32 << 20).count == 32 << 20)
        // Our buffer, and the kernel's buffers for a loopback connection.
        #expect(sent.withLock { $0 } < 24 << 20)

        var received = 0
        var intact = true
        for try await bytes in slow.body {
            for byte in bytes {
                if byte != UInt8(truncatingIfNeeded: received) { intact = false }
                received += 1
            }
        }
        #expect(received == total)
        #expect(intact)
    }

    @Test func cancellingTheTaskThatWaitsForTheHead() async throws {
        let server = try ScriptedServer { _ in .silence }
        let task = Task { try await transport.send(HTTPRequest(url: server.url)) }
        #expect(await server.waitForRequests(1))
        task.cancel()
        await #expect(throws: HTTPTransportError.cancelled) { try await task.value }
    }

    @Test func aCancelledTaskSendsNothing() async throws {
        let server = try ScriptedServer { _ in .text("ok") }
        let task = Task {
            while !Task.isCancelled { await Task.yield() }
            return try await transport.send(HTTPRequest(url: server.url))
        }
        task.cancel()
        await #expect(throws: HTTPTransportError.cancelled) { try await task.value }
        #expect(server.requests.isEmpty)
    }

    @Test func cancellingTheReaderClosesTheConnection() async throws {
        let closed = Locked(false)
        let server = try ScriptedServer { _ in endlessStream(closed) }
        let started = Locked(false)
        let task = Task {
            var body = try await transport.send(HTTPRequest(url: server.url)).body.makeAsyncIterator()
            while try await body.next() != nil { started.withLock { $0 = true } }
        }
        #expect(await eventually { started.withLock { $0 } })
        task.cancel()
        await #expect(throws: HTTPTransportError.cancelled) { try await task.value }
        #expect(await eventually { closed.withLock { $0 } })
    }

    @Test func droppingTheBodyClosesTheConnection() async throws {
        let closed = Locked(false)
        let server = try ScriptedServer { _ in endlessStream(closed) }
        do {
            let response = try await transport.send(HTTPRequest(url: server.url))
            #expect(response.status == 200)
        }
        #expect(await eventually { closed.withLock { $0 } })
    }

    @Test func leavingALoopEarlyClosesTheConnection() async throws {
        let closed = Locked(false)
        let server = try ScriptedServer { _ in endlessStream(closed) }
        for try await bytes in try await transport.send(HTTPRequest(url: server.url)).body {
            #expect(bytes == [1])
            break
        }
        #expect(await eventually { closed.withLock { $0 } })
    }

    @Test func manyCancellationsLeaveTheTransportUsable() async throws {
        let server = try ScriptedServer { request in request.target == "/ok" ? .text("ok") : .stream([.text("x"), .hang]) }
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<100 {
                group.addTask {
                    let task = Task {
                        let response = try await transport.send(HTTPRequest(url: server.url + "/\(number)"))
                        return try await response.body.collect(upTo: 10)
                    }
                    if number.isMultiple(of: 2) { _ = await server.waitForRequests(number / 4) }
                    task.cancel()
                    await #expect(throws: HTTPTransportError.cancelled) { try await task.value }
                }
            }
        }
        #expect(try await text(transport.send(HTTPRequest(url: server.url + "/ok"))) == "ok")
    }

    private func endlessStream(_ closed: Locked<Bool>) -> ScriptedResponse {
        .stream([
            .live { body in
                body.send([1])
                while body.wait(seconds: 0.01) {}
                closed.withLock { $0 = true }
            }
        ])
    }
}
