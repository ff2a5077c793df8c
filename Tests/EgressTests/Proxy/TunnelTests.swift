import Base
import Glibc
import Testing

@testable import Egress

@Suite("Tunnels")
struct TunnelTests {
    @Test("bytes go both ways, and the end of each direction by itself")
    func halfClose() async throws {
        try await onThread {
            let bench = try ProxyBench(["a.example": ["127.0.0.1"]])
            let token = try bench.token(["a.example", "127.0.0.1"])
            // The client ends first: the server still answers.
            let first = try Origin { socket, _ in
                let all = try socket.readToEnd()
                try socket.send("got \(all.utf8.count)")
            }
            let one = try bench.tunnel(to: "a.example:\(first.port)", token)
            try one.send(String(repeating: "x", count: 300_000))
            one.finishWriting()
            #expect(try one.readToEnd() == "got 300000")
            // The server ends first: the client still sends.
            let second = try Origin { socket, origin in
                try socket.send("bye")
                socket.finishWriting()
                origin.note("got \(try socket.readToEnd())")
            }
            let two = try bench.tunnel(to: "127.0.0.1:\(second.port)", token)
            #expect(try two.readToEnd() == "bye")
            try two.send("late")
            two.finishWriting()
            #expect(soon { second.notes.withLock { $0 == ["got late"] } })
            #expect(soon { bench.isIdle })
            #expect(bench.metrics.prometheusText().contains("assay_egress_bytes_total{direction=\"sent\"} 300004\n"))
            #expect(bench.metrics.prometheusText().contains("assay_egress_requests_total{kind=\"connect\",result=\"allowed\"} 2\n"))
        }
    }

    @Test("what a client sends together with CONNECT arrives")
    func earlyData() async throws {
        try await onThread {
            let bench = try ProxyBench()
            let echo = try Origin.echo()
            let token = try bench.token(["127.0.0.1"])
            let socket = try bench.client()
            try socket.send("CONNECT 127.0.0.1:\(echo.port) HTTP/1.1\r\nHost: a\r\n\(ProxyBench.authorization(token))\r\nearly")
            #expect(try socket.readHead() == "HTTP/1.1 200 Connection established\r\n\r\n")
            #expect(try socket.readExactly(5) == Array("early".utf8))
        }
    }

    @Test("a side that is reset resets the other, so that what arrived is not taken for everything")
    func reset() async throws {
        try await onThread {
            let bench = try ProxyBench()
            let token = try bench.token(["127.0.0.1"])
            let origin = try Origin { socket, _ in
                try socket.send("half")
                _ = try socket.readExactly(2)
                socket.reset()
            }
            let socket = try bench.tunnel(to: "127.0.0.1:\(origin.port)", token)
            #expect(try socket.readExactly(4) == Array("half".utf8))
            try socket.send("go")
            #expect(socket.endsWithReset())

            let other = try Origin { socket, origin in
                do { _ = try socket.readToEnd() } catch { origin.note("reset") }
            }
            let leaving = try bench.tunnel(to: "127.0.0.1:\(other.port)", token)
            try leaving.send("x")
            leaving.reset()
            #expect(soon { other.notes.withLock { $0 == ["reset"] } })
            #expect(soon { bench.isIdle })
        }
    }

    @Test("a client that does not read stops its server, and gets everything when it reads again")
    func backpressure() async throws {
        try await onThread {
            let bench = try ProxyBench()
            let token = try bench.token(["127.0.0.1"])
            let sent = Locked(0)
            let size = 96 << 20
            let origin = try Origin { socket, _ in
                let piece = [UInt8](repeating: 0x61, count: 1 << 18)
                for _ in 0..<(size / piece.count) {
                    try socket.send(piece)
                    sent.withLock { $0 += piece.count }
                }
            }
            let socket = try bench.tunnel(to: "127.0.0.1:\(origin.port)", token)
            var before = -1
            // The kernel's buffers are filled, then nothing moves.
            #expect(
                soon {
                    defer { before = sent.withLock { $0 } }
                    usleep(300_000)
                    return sent.withLock { $0 } == before && before > 0
                })
            #expect(before < 40 << 20, "\(before) bytes were taken from the server")
            var total = 0
            while true {
                let bytes = try socket.read(1 << 20)
                if bytes.isEmpty { break }
                total += bytes.count
            }
            #expect(total == size)
        }
    }

    @Test("tunnels that nobody uses end: idle ones, and half-closed ones earlier")
    func idle() async throws {
        try await onThread {
            let bench = try ProxyBench(limits: { $0.transferIdleSeconds = 0.4 })
            let token = try bench.token(["127.0.0.1"])
            let silent = try Origin { socket, _ in _ = try? socket.read() }
            let socket = try bench.tunnel(to: "127.0.0.1:\(silent.port)", token)
            #expect(socket.endsWithReset())
            #expect(soon { bench.isIdle })

            let patient = try ProxyBench(limits: { $0.halfClosedSeconds = 0.4 })
            let stubborn = try Origin { socket, _ in
                _ = try? socket.readToEnd()
                _ = try? socket.read()
                usleep(60_000_000)
            }
            let half = try patient.tunnel(to: "127.0.0.1:\(stubborn.port)", try patient.token(["127.0.0.1"]))
            half.finishWriting()
            #expect(half.endsWithReset())
            #expect(soon { patient.isIdle })
        }
    }

    @Test("when the time of a phase is over, its tunnels end, and the run is told")
    func expiry() async throws {
        try await onThread {
            let bench = try ProxyBench()
            let token = try bench.token(["127.0.0.1"], seconds: 3)
            let echo = try Origin.echo()
            let socket = try bench.tunnel(to: "127.0.0.1:\(echo.port)", token)
            #expect(socket.endsWithReset())
            let (_, head) = try bench.connect(to: "127.0.0.1:\(echo.port)", token)
            #expect(head.hasPrefix("HTTP/1.1 403 "), "\(head)")
            let denial = try #require(try bench.denials(token).denials.first)
            #expect(denial.reason == "token_expired" && denial.phase == "execute" && denial.port == Int(echo.port))
            #expect(denial.count == 2, "the tunnel that was cut and the one that was refused")
        }
    }

    @Test("an address that refuses or does not answer costs a moment, not the connection")
    func fallback() async throws {
        try await onThread {
            let bench = try ProxyBench()
            let echo = try Origin.echo()
            // A server whose queue is full: the kernel drops further attempts.
            let full = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
            defer { close(full) }
            let blackhole = try #require(IPAddress("127.0.0.2"))
            #expect(SocketAddress.with(blackhole, port: echo.port) { bind(full, $0, $1) } == 0)
            listen(full, 0)
            let held = try TestSocket(to: "127.0.0.2", port: echo.port)
            let token = try bench.token(["a.example", "127.0.0.0/8", "::1"])
            for addresses in [
                ["::1", "127.0.0.1"], ["127.0.0.3", "127.0.0.1"], ["127.0.0.2", "127.0.0.1"], ["127.0.0.2", "::1", "127.0.0.3", "127.0.0.1"],
            ] {
                bench.resolver.set("a.example", [addresses])
                let begin = SystemTime().monotonic()
                let socket = try bench.tunnel(to: "a.example:\(echo.port)", token)
                try socket.send("hello")
                #expect(try socket.readExactly(5) == Array("hello".utf8), "\(addresses)")
                #expect(SystemTime().monotonic() - begin < 8, "\(addresses)")
            }
            // Nothing but silence.
            let hasty = try ProxyBench(["a.example": ["127.0.0.2"]], limits: { $0.connectSeconds = 0.4 })
            let (answer, head) = try hasty.connect(to: "a.example:\(echo.port)", try hasty.token(["a.example", "127.0.0.2"]))
            #expect(head.hasPrefix("HTTP/1.1 504 ") && head.contains("error=connection_timeout"), "\(head)")
            #expect(try answer.read(until: "\n").contains("a.example:\(echo.port) does not accept the connection in time"))
            withExtendedLifetime(held) {}
        }
    }

    @Test("over IPv6 on both sides, and over a Unix socket")
    func listeners() async throws {
        try await onThread {
            let path = "/tmp/assay-egress-\(UInt32.random(in: 0...UInt32.max)).sock"
            let bench = try ProxyBench(["six.example": ["::1"]], listeners: ["[::]:0", "unix:\(path)"])
            let echo = try Origin.echo("::1")
            let token = try bench.token(["six.example", "::1"])
            for address in ["::1", "127.0.0.1"] {
                let socket = try TestSocket(to: address, port: bench.port)
                try socket.send("CONNECT six.example:\(echo.port) HTTP/1.1\r\n\(ProxyBench.authorization(token))\r\n")
                // The second client has another address: the token is bound to the first one's.
                #expect(try socket.readHead().hasPrefix(address == "::1" ? "HTTP/1.1 200 " : "HTTP/1.1 403 "))
            }
            let local = try TestSocket(unixPath: path)
            try local.send("CONNECT [::1]:\(echo.port) HTTP/1.1\r\n\(ProxyBench.authorization(try bench.token(["::1"])))\r\nhi")
            #expect(try local.readHead().hasPrefix("HTTP/1.1 200 "))
            #expect(try local.readExactly(2) == Array("hi".utf8))
            bench.proxy.stop(drainSeconds: 0)
            #expect(access(path, F_OK) != 0, "the socket file is removed")
        }
    }
}
