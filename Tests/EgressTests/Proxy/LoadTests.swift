import Base
import Glibc
import Subprocess
import Testing

@testable import Egress

@Suite("The proxy as a process", .serialized)
struct LoadTests {
    @Test("200 tunnels of 200 runs: 50 MB/s, slow readers, half-closed and abandoned ones; memory is bounded and every descriptor comes back")
    func load() async throws {
        try await onThread {
            let proxy = try EgressProcess()
            // What the client's first byte asks for.
            let origin = try Origin { socket, _ in
                switch try socket.read(1) {
                case Array("p".utf8):  // 2.5 MB in six seconds
                    let piece = [UInt8](repeating: 0x61, count: 25_000)
                    let begin = SystemTime().monotonic()
                    for count in 0..<100 {
                        let due = begin + Double(count) * 0.06
                        let now = SystemTime().monotonic()
                        if due > now { usleep(UInt32((due - now) * 1e6)) }
                        try socket.send(piece)
                    }
                case Array("f".utf8):  // as much as is taken
                    let piece = [UInt8](repeating: 0x61, count: 1 << 16)
                    while (try? socket.send(piece)) != nil {}
                default: while let bytes = try? socket.read(), !bytes.isEmpty {}
                }
            }
            let target = "127.0.0.1:\(origin.port)"
            func tunnel(_ index: Int) throws -> TestSocket {
                try proxy.tunnel(to: target, try EgressProcess.token(["127.0.0.1"], run: "run-\(index)"))
            }
            // Everything that is made once is there.
            try tunnel(0).close()
            #expect(soon { ((try? proxy.health("/metrics")) ?? "").contains("assay_egress_connections 0\n") })
            let (descriptors, resident) = (proxy.descriptors, proxy.resident)

            let sockets = try (0..<200).map(tunnel)
            let (moved, failed, ended, isOver) = (Locked(0), Locked(0), Locked(0), Locked(false))
            for (index, socket) in sockets.enumerated() {
                switch index {
                case ..<120:
                    startThread(name: "client", stackBytes: 1 << 20) {
                        // Without it these tunnels would be half-closed ones.
                        defer {
                            socket.close()
                            ended.withLock { $0 += 1 }
                        }
                        do {
                            try socket.send("p")
                            while true {
                                let count = try socket.read().count
                                if count == 0 { return }
                                moved.withLock { $0 += count }
                            }
                        } catch { failed.withLock { $0 += 1 } }
                    }
                case ..<160:
                    startThread(name: "client", stackBytes: 1 << 20) {
                        try? socket.send("f")
                        while !isOver.withLock({ $0 }) {
                            _ = try? socket.read(4096)
                            usleep(100_000)
                        }
                        socket.reset()
                        ended.withLock { $0 += 1 }
                    }
                case ..<180:
                    try socket.send("h")
                    socket.finishWriting()
                default: try socket.send("h")
                }
            }
            let begin = SystemTime().monotonic()
            var peak = 0
            while ended.withLock({ $0 }) < 120, SystemTime().monotonic() - begin < 120 {
                peak = max(peak, proxy.resident)
                usleep(100_000)
            }
            let seconds = SystemTime().monotonic() - begin
            #expect(failed.withLock { $0 } == 0)
            #expect(moved.withLock { $0 } == 120 * 2_500_000, "every byte arrived")
            print(
                "egress load: \(moved.withLock { $0 } / Int(seconds * 1e6)) MB/s in \(seconds) s, memory \(resident >> 20) MiB before, \(peak >> 20) MiB at most"
            )
            // 64 KiB for each direction of each tunnel would be 25 MiB.
            #expect(peak - resident < 40 << 20, "\(resident) before, \(peak) at most")
            isOver.withLock { $0 = true }
            for socket in sockets[160...] { socket.close() }
            #expect(soon { ended.withLock { $0 } == 160 })
            // The one of the health request before may have been counted, too.
            #expect(soon { (1...max(1, descriptors)).contains(proxy.descriptors) }, "\(descriptors) before, \(proxy.descriptors) after")
            let metrics = try proxy.health("/metrics")
            #expect(
                metrics.contains("assay_egress_connections 0\n")
                    && metrics.contains("assay_egress_requests_total{kind=\"connect\",result=\"allowed\"} 201\n"))
            withExtendedLifetime(origin) {}
        }
    }

    @Test("ready while it serves; SIGTERM lets a tunnel end; the log is JSON and holds no token")
    func graceful() async throws {
        let proxy = try await onThread {
            try EgressProcess(["--drain", "60", "--cluster-cidrs", "10.0.0.0/8,fd00::/8", "--denied-cidrs", "127.0.0.9"])
        }
        try await onThread {
            let echo = try Origin.echo()
            #expect(soon { ((try? proxy.health("/readyz")) ?? "").hasPrefix("HTTP/1.1 200 ") })
            let token = try EgressProcess.token(["127.0.0.0/8"], run: "a-run")
            let socket = try proxy.tunnel(to: "127.0.0.1:\(echo.port)", token)
            let denied = try TestSocket(port: proxy.port)
            try denied.send("CONNECT 127.0.0.9:\(echo.port) HTTP/1.1\r\n\(ProxyBench.authorization(token))\r\n")
            #expect(try denied.readHead().contains("denied_by_proxy"))
            proxy.running.signal(SIGTERM)
            #expect(soon { ((try? proxy.health("/readyz")) ?? "").hasPrefix("HTTP/1.1 503 ") })
            #expect(soon { (try? TestSocket(port: proxy.port)) == nil })
            try socket.send("still")
            #expect(try socket.readExactly(5) == Array("still".utf8))
            socket.finishWriting()
            #expect(try socket.readToEnd() == "")
        }
        #expect(await proxy.running.wait() == .code(0))
        let messages = proxy.lines.compactMap { try? JSONValue(parsing: $0)["msg"]?.string }
        #expect(messages.count == proxy.lines.count && messages == ["listening", "denied", "stopping", "stopped"], "\(proxy.lines)")
        #expect(!proxy.lines.contains { $0.contains("e1.") })
    }

    @Test(
        "what cannot work is refused at the start, with what to do",
        arguments: [
            (["--listen", "localhost:1"], "write an address"), (["--cluster-cidrs", "10.0.0.1/8"], "is no network"),
            (["--denied-cidrs", "x"], "is no network"),
            (["--key-file", "/nonexistent"], "No such file"), (["--connections", "0"], "whole number"),
        ])
    func refuses(words: [String], part: String) async throws {
        let key = "/tmp/assay-egress-key-\(UInt64.random(in: 0...UInt64.max))"
        try FileWriting.write(Array(repeating: 7, count: 32), to: key)
        defer { unlink(key) }
        let result = try await Command(
            EgressProcess.executable, ["egress", "--key-file", key, "--health-port", "0", "--drain", "0"] + words, deadlineSeconds: 120
        ).run()
        #expect(result.exit == .code(2) && result.stderrText.contains(part), "\(result.exit) \(result.stderrText)")
    }
}
