import Base
import Foundation
import Glibc
import Subprocess
import Testing

@testable import Egress

/// The way of pods that have no interface but loopback: a relay for each pod, and one proxy behind a Unix socket.
@Suite("The relay of a pod", .serialized)
struct RelayTests {
    private static func socketPath() -> String { "/tmp/assay-relay-\(UInt32.random(in: 0...UInt32.max)).sock" }

    @Test("a token is bound to the pod that used it first: through the relay of another pod it is refused")
    func otherPod() async throws {
        try await onThread {
            let path = Self.socketPath()
            let bench = try ProxyBench(listeners: ["127.0.0.1:0", "unix:\(path)"])
            let origin = try Origin.answering("reached")
            let (one, other) = (try RelayProcess(to: path), try RelayProcess(to: path))
            let (first, second) = (try bench.token(["127.0.0.1"], run: "first"), try bench.token(["127.0.0.1"], run: "second"))
            #expect(try one.get("http://127.0.0.1:\(origin.port)/", first).body == "reached")
            #expect(try other.get("http://127.0.0.1:\(origin.port)/", second).body == "reached")
            for url in ["http://127.0.0.1:\(origin.port)/", "/.assay/denials"] {
                for (relay, token) in [(one, second), (other, first)] {
                    let answer = try relay.get(url, token)
                    #expect(answer.head.hasPrefix("HTTP/1.1 403 ") && answer.body.contains("belongs to another pod"), "\(answer)")
                }
            }
            #expect(try one.get("http://127.0.0.1:\(origin.port)/", first).body == "reached")
            #expect(origin.accepted.withLock { $0 } == 3)
        }
    }

    @Test("200 connections of a pod, half-closed and abandoned ones among them, give back every descriptor and thread")
    func load() async throws {
        try await onThread {
            let path = Self.socketPath()
            let bench = try ProxyBench(listeners: ["127.0.0.1:0", "unix:\(path)"])
            let echo = try Origin.echo()
            let relay = try RelayProcess(to: path)
            let token = try bench.token(["127.0.0.1"])
            try relay.tunnel(to: "127.0.0.1:\(echo.port)", token).close()
            #expect(soon { bench.isIdle && relay.connectionThreads == 0 })
            let idle = relay.openSockets
            let sockets = try (0..<200).map { _ in try relay.tunnel(to: "127.0.0.1:\(echo.port)", token) }
            let piece = [UInt8](repeating: 0x62, count: 20_000)
            for socket in sockets {
                try socket.send(piece)
                #expect(try socket.readExactly(piece.count) == piece)
            }
            for (index, socket) in sockets.enumerated() {
                switch index % 3 {
                case 0:
                    socket.finishWriting()
                    #expect(try socket.readToEnd() == "")
                case 1: socket.reset()
                default: socket.close()
                }
            }
            for socket in sockets { socket.close() }
            #expect(soon { bench.isIdle })
            #expect(
                soon { relay.connectionThreads == 0 && relay.openSockets == idle }, "\(relay.connectionThreads) threads, \(relay.openSockets) sockets"
            )
        }
    }

    @Test("a proxy that ends breaks what goes through it; a client is told that there is none, and the next proxy serves at the same place")
    func restart() async throws {
        try await onThread {
            let path = Self.socketPath()
            let echo = try Origin.echo()
            let relay = try RelayProcess(to: path)
            func expectNone() throws {
                let answer = try relay.get("http://127.0.0.1:\(echo.port)/", "any")
                #expect(answer.head.hasPrefix("HTTP/1.1 502 ") && answer.head.contains("Proxy-Status: assay-egress; error=destination_unavailable"))
                #expect(answer.body.contains("the proxy does not answer"), "\(answer)")
            }
            try expectNone()
            for _ in 0..<2 {
                let bench = try ProxyBench(listeners: ["127.0.0.1:0", "unix:\(path)"])
                let begin = SystemTime().now()
                let token = try bench.token(["127.0.0.1"])
                let tunnel = try relay.tunnel(to: "127.0.0.1:\(echo.port)", token)
                try tunnel.send("hi")
                #expect(try tunnel.readExactly(2) == Array("hi".utf8))
                #expect(try bench.denials(of: token, through: relay).proxyStartTime <= begin)
                bench.proxy.stop(drainSeconds: 0)
                #expect(((try? tunnel.readToEnd()) ?? "") == "")
                try expectNone()
            }
        }
    }
}

extension ProxyBench {
    fileprivate func denials(of token: String, through relay: RelayProcess) throws -> EgressDenialReport {
        try #require(EgressDenialReport(json: try JSONValue(parsing: try relay.get("/.assay/denials", token).body)))
    }
}

/// `assay relay` as a process, as a pod's sandbox runs it.
private final class RelayProcess: Sendable {
    let port: UInt16
    private let running: RunningCommand

    init(to path: String) throws {
        let (descriptor, bound) = try EgressListener(parsing: "127.0.0.1:0").open()
        close(descriptor)
        guard case .tcp(_, let port) = bound else { throw SocketFailure("no port") }
        self.port = port
        running = try RunningCommand.start(
            Command(EgressProcess.executable, ["relay", "--port", "\(port)", "--socket", path], deadlineSeconds: 300))
        #expect(soon { (try? TestSocket(port: port)) != nil }, "the relay accepts connections")
    }

    deinit { running.signal(SIGKILL) }

    var openSockets: Int {
        entries("fd").count { (try? FileManager.default.destinationOfSymbolicLink(atPath: $0))?.hasPrefix("socket:") == true }
    }

    /// The threads that copy; the process has others.
    var connectionThreads: Int { entries("task").count { FileReading.text("\($0)/comm")?.hasPrefix("relay-") == true } }

    private func entries(_ folder: String) -> [String] {
        let path = "/proc/\(running.pid)/\(folder)"
        return ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).map { "\(path)/\($0)" }
    }

    func get(_ url: String, _ token: String) throws -> (head: String, body: String) {
        let socket = try TestSocket(port: port)
        try socket.send("GET \(url) HTTP/1.1\r\nHost: x\r\n\(ProxyBench.authorization(token))\r\n")
        return try socket.readAnswer()
    }

    func tunnel(to authority: String, _ token: String) throws -> TestSocket {
        let socket = try TestSocket(port: port)
        try socket.send("CONNECT \(authority) HTTP/1.1\r\n\(ProxyBench.authorization(token))\r\n")
        let head = try socket.readHead()
        try #require(head.hasPrefix("HTTP/1.1 200 "), "\(head)")
        return socket
    }
}
