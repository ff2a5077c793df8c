import AssayTesting
import Base
import Foundation
import Glibc
import Subprocess
import Testing

@testable import Egress

/// `assay egress` as a process of its own, with a key of the test.
final class EgressProcess: Sendable {
    /// The executable lies where this test bundle was built.
    static let executable =
        URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent().appending(path: "assay").path

    let port: UInt16
    let healthPort: UInt16
    let running: RunningCommand
    let output = Locked("")
    private let folder: String

    init(_ words: [String] = []) throws {
        folder = "/tmp/assay-egress-\(UInt64.random(in: 0...UInt64.max))"
        try Directory.make(folder)
        try FileWriting.write(Array(repeating: 7, count: 32), to: "\(folder)/key")
        healthPort = UInt16(try freePorts(1)[0])
        let output = output
        running = try RunningCommand.start(
            Command(
                Self.executable,
                ["egress", "--listen", "127.0.0.1:0", "--key-file", "\(folder)/key", "--health-port", "\(healthPort)", "--log-format", "json"]
                    + words,
                deadlineSeconds: 300),
            onStderr: { bytes in output.withLock { $0 += String(decoding: bytes, as: UTF8.self) } })
        var port: UInt16?
        #expect(
            soon {
                port = Self.port(in: output.withLock { $0 })
                return port != nil
            })
        self.port = try #require(port, "\(output.withLock { $0 })")
    }

    deinit {
        running.signal(SIGKILL)
        _ = Directory.removeTree(folder)
    }

    private static func port(in text: String) -> UInt16? {
        for line in text.split(separator: "\n") {
            guard let object = try? JSONValue(parsing: String(line)), object["msg"] == "listening", let address = object["address"]?.string else {
                continue
            }
            return address.split(separator: ":").last.flatMap { UInt16($0) }
        }
        return nil
    }

    var lines: [String] { output.withLock { $0 }.split(separator: "\n").map(String.init) }

    /// How many descriptors are open.
    var descriptors: Int { (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(running.pid)/fd").count) ?? -1 }

    /// What is in memory, in bytes.
    var resident: Int {
        let text = FileReading.text("/proc/\(running.pid)/status") ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
        return (line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) } ?? 0) << 10
    }

    func health(_ path: String) throws -> String {
        let socket = try TestSocket(port: healthPort)
        try socket.send("GET \(path) HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        return try socket.readToEnd()
    }

    func tunnel(to authority: String, _ token: String) throws -> TestSocket {
        let socket = try TestSocket(port: port)
        try socket.send("CONNECT \(authority) HTTP/1.1\r\n\(ProxyBench.authorization(token))\r\n")
        let head = try socket.readHead()
        try #require(head.hasPrefix("HTTP/1.1 200 "), "\(head)")
        return socket
    }

    static func token(_ hosts: [String], run: String) throws -> String {
        let expires = Timestamp(seconds: SystemTime().now().seconds + 600)
        return try EgressToken(run: run, phase: "execute", grant: .only(try hosts.map { try HostPattern($0) }), expires: expires)
            .signed(with: EgressTokenTests.key(7))
    }
}
