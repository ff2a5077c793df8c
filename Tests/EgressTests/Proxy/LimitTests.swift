import Base
import Glibc
import Testing

@testable import Egress

@Suite("Limits of the proxy")
struct LimitTests {
    @Test("connections in all, of one client and of one token")
    func connections() async throws {
        try await onThread {
            let echo = try Origin.echo()
            let bench = try ProxyBench(limits: { ($0.connections, $0.connectionsPerClient, $0.connectionsPerToken) = (6, 4, 2) })
            let target = "127.0.0.1:\(echo.port)"
            let (one, two) = (try bench.token(["127.0.0.1"], run: "one"), try bench.token(["127.0.0.1"], run: "two"))
            var open = [try bench.tunnel(to: target, one), try bench.tunnel(to: target, one)]
            let third = try bench.connect(to: target, one)
            #expect(third.head.hasPrefix("HTTP/1.1 429 "), "\(third.head)")
            third.socket.close()
            #expect(soon { bench.proxy.connections == 2 })
            open.append(try bench.tunnel(to: target, two))
            open.append(try bench.tunnel(to: target, two))
            #expect(try bench.client().readToEnd().hasPrefix("HTTP/1.1 503 "), "the client has its four")
            let others = try (0..<2).map { _ in try bench.client(from: "127.0.0.7") }
            #expect(soon { bench.proxy.connections == 6 })
            #expect(try bench.client(from: "127.0.0.8").readToEnd().hasPrefix("HTTP/1.1 503 "), "the proxy has its six")
            open.removeFirst().close()
            #expect(soon { bench.proxy.connections == 5 })
            let again = try bench.tunnel(to: target, one)
            try again.send("x")
            #expect(try again.readExactly(1) == [0x78])
            #expect(bench.metrics.prometheusText().contains("assay_egress_connections 6\n"))
            withExtendedLifetime((open, others)) {}
        }
    }

    @Test("requests that do not end, connections that ask for nothing, heads without end")
    func slowClients() async throws {
        try await onThread {
            let bench = try ProxyBench(limits: { ($0.headSeconds, $0.idleSeconds) = (0.3, 0.5) })
            for begin in ["", "GET http://a/ HTTP/1.1\r\nHo"] {
                let socket = try bench.client()
                if !begin.isEmpty { try socket.send(begin) }
                #expect(try socket.readToEnd() == "")
            }
            // A byte now and then does not prolong it.
            let dripping = try bench.client()
            let begin = SystemTime().monotonic()
            while (try? dripping.send("G")) != nil, SystemTime().monotonic() - begin < 15 { usleep(50_000) }
            #expect(SystemTime().monotonic() - begin < 10)
            let endless = try ProxyBench()
            let socket = try endless.client()
            try socket.send("GET http://a/ HTTP/1.1\r\nX: " + String(repeating: "x", count: 60_000))
            #expect(try socket.readToEnd().hasPrefix("HTTP/1.1 431 "))
        }
    }

    @Test("a client that asks and does not read is not read from")
    func unreadAnswers() async throws {
        try await onThread {
            let bench = try ProxyBench()
            let socket = try bench.client()
            let request = Array(String(repeating: "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", count: 1000).utf8)
            setSocketOption(socket.descriptor, SOL_SOCKET, SO_SNDTIMEO, timeval(tv_sec: 1, tv_usec: 0))
            var sent = 0
            while sent < 200 << 20, (try? socket.send(request)) != nil { sent += request.count }
            #expect(sent < 100 << 20, "\(sent) bytes were taken")
        }
    }

    @Test("names that are resolved slowly delay their own client: the others' are resolved, and the wait is bounded")
    func slowNames() async throws {
        try await onThread {
            let origin = try Origin.answering("reached")
            let bench = try ProxyBench(["good.example": ["127.0.0.1"]], limits: { $0.resolveSeconds = 1 })
            let names = (0..<12).map { "slow-\($0).example" }
            bench.resolver.stuck.withLock { $0 = Set(names) }
            let slow = try bench.token(["*.example"], run: "slow")
            let waiting = try names.map { name in
                let socket = try bench.client()
                try socket.send("CONNECT \(name):1 HTTP/1.1\r\n\(ProxyBench.authorization(slow))\r\n")
                return socket
            }
            #expect(soon { bench.resolver.lookups.withLock { $0.count } == 8 }, "a run has half of the threads")
            #expect(
                try bench.get("http://good.example:\(origin.port)/", try bench.token(["good.example", "127.0.0.1"], run: "other")).body == "reached")
            for socket in waiting { #expect(try socket.readHead().hasPrefix("HTTP/1.1 504 ")) }
            bench.resolver.stuck.withLock { $0 = [] }
            // Answers that come too late do no harm: the connection serves its next request.
            try waiting[0].send("GET http://good.example:\(origin.port)/ HTTP/1.1\r\nHost: a\r\n\(ProxyBench.authorization(slow))\r\n")
            _ = try waiting[0].read(until: "\n")
            #expect(try waiting[0].readHead().hasPrefix("HTTP/1.1 403 "))
        }
    }

    @Test("a stop lets what runs go on for its time, and accepts nothing new")
    func drain() async throws {
        try await onThread {
            let echo = try Origin.echo()
            let bench = try ProxyBench()
            let token = try bench.token(["127.0.0.1"])
            let idle = try bench.client()
            // Connections whose own deadline comes before that of the stop, for each worker.
            let lingering = try (0..<8).map { _ in try bench.client() }
            for socket in lingering { try socket.send("no request\r\n\r\n") }
            let (short, long) = (try bench.tunnel(to: "127.0.0.1:\(echo.port)", token), try bench.tunnel(to: "127.0.0.1:\(echo.port)", token))
            let stopped = Locked(false)
            let begin = SystemTime().monotonic()
            startThread(name: "stop") {
                bench.proxy.stop(drainSeconds: 3)
                stopped.withLock { $0 = true }
            }
            #expect(try idle.readToEnd() == "")
            #expect(soon { (try? bench.client()) == nil })
            try short.send("still")
            #expect(try short.readExactly(5) == Array("still".utf8))
            short.finishWriting()
            #expect(try short.readToEnd() == "")
            #expect(!stopped.withLock { $0 })
            #expect(soon { stopped.withLock { $0 } })
            #expect(bench.proxy.connections == 0, "it left before it had closed everything")
            #expect(long.endsWithReset())
            #expect(SystemTime().monotonic() - begin > 2.5)
            withExtendedLifetime(lingering) {}

            let quick = try ProxyBench()
            let start = SystemTime().monotonic()
            quick.proxy.stop(drainSeconds: 60)
            #expect(SystemTime().monotonic() - start < 10, "with nothing to wait for")
        }
    }
}
