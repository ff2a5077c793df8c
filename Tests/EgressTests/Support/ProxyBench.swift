import Base
import Glibc
import Testing

@testable import Egress

/// Addresses by name, in memory.
final class StubResolver: HostResolver {
    private let answers: Locked<[String: [[String]]]>
    let lookups = Locked<[String]>([])
    /// Names whose lookups wait until it is emptied.
    let stuck = Locked<Set<String>>([])

    init(_ answers: [String: [String]] = [:]) { self.answers = Locked(answers.mapValues { [$0] }) }

    /// The answers to the next lookups of a name; the last one stays.
    func set(_ name: String, _ sequence: [[String]]) { answers.withLock { $0[name] = sequence } }

    func addresses(of name: HostName) throws(HostResolutionError) -> [IPAddress] {
        lookups.withLock { $0.append(name.text) }
        while stuck.withLock({ $0.contains(name.text) }) { usleep(10_000) }
        let answer = answers.withLock { answers -> [String]? in
            guard var sequence = answers[name.text], let first = sequence.first else { return nil }
            if sequence.count > 1 { sequence.removeFirst() }
            answers[name.text] = sequence
            return first
        }
        guard let answer else { throw HostResolutionError("Name or service not known") }
        return answer.compactMap { IPAddress($0) }
    }
}

/// A proxy on loopback with a resolver of the test. Stopped at the end of the test.
final class ProxyBench: Sendable {
    let proxy: EgressProxy
    let port: UInt16
    let resolver: StubResolver
    let metrics = MetricsRegistry()
    let logged = Locked<[String]>([])
    static let run = "0123456789abcdef"

    init(
        _ names: [String: [String]] = [:], policy: EgressPolicy = EgressPolicy(), system: Bool = false, listeners: [String] = ["127.0.0.1:0"],
        limits change: (inout EgressLimits) -> Void = { _ in }
    ) throws {
        var limits = EgressLimits()
        change(&limits)
        let resolver = StubResolver(names)
        self.resolver = resolver
        let key = try EgressTokenTests.key(7)
        let logged = logged
        proxy = EgressProxy(
            .init(
                listeners: try listeners.map { try EgressListener(parsing: $0) }, policy: policy, limits: limits, keys: { [key] },
                resolver: system ? SystemResolver() as any HostResolver : resolver, metrics: metrics,
                log: Log(
                    "egress",
                    destination: Log.Destination(minimum: .debug, format: .json) { line in
                        logged.withLock { $0.append(String(decoding: line, as: UTF8.self)) }
                    })))
        let bound = try proxy.start()
        guard case .tcp(_, let port)? = bound.first else {
            self.port = 0
            return
        }
        self.port = port
    }

    deinit { proxy.stop(drainSeconds: 0) }

    /// A token for these hosts; nil allows every public host.
    func token(_ hosts: [String]?, run: String = ProxyBench.run, phase: String = "execute", seconds: Double = 600) throws -> String {
        let grant = try hosts.map { EgressGrant.only(try $0.map { try HostPattern($0) }) } ?? .everyPublicHost
        let expires = Timestamp(seconds: SystemTime().now().seconds + Int64(seconds))
        return try EgressToken(run: run, phase: phase, grant: grant, expires: expires).signed(with: EgressTokenTests.key(7))
    }

    static func authorization(_ token: String) -> String { "Proxy-Authorization: Basic \(Base64.encode("assay:\(token)".utf8))\r\n" }

    func client(from source: String? = nil) throws -> TestSocket { try TestSocket(port: port, from: source) }

    /// Sends CONNECT and returns the answer's head with the socket.
    func connect(to authority: String, _ token: String, from source: String? = nil) throws -> (socket: TestSocket, head: String) {
        let socket = try client(from: source)
        try socket.send("CONNECT \(authority) HTTP/1.1\r\nHost: \(authority)\r\n\(Self.authorization(token))\r\n")
        return (socket, try socket.readHead())
    }

    /// An open tunnel.
    func tunnel(to authority: String, _ token: String) throws -> TestSocket {
        let (socket, head) = try connect(to: authority, token)
        try #require(head.hasPrefix("HTTP/1.1 200 "), "\(head)")
        return socket
    }

    /// One plain request on a connection of its own.
    func get(_ url: String, _ token: String, _ more: String = "") throws -> (head: String, body: String) {
        let socket = try client()
        try socket.send("GET \(url) HTTP/1.1\r\nHost: x\r\n\(Self.authorization(token))\(more)\r\n")
        return try socket.readAnswer()
    }

    func denials(_ token: String) throws -> EgressDenialReport {
        let (head, body) = try get("/.assay/denials", token)
        try #require(head.hasPrefix("HTTP/1.1 200 "), "\(head)")
        return try #require(EgressDenialReport(json: try JSONValue(parsing: body)))
    }
}

extension ProxyBench {
    var isIdle: Bool { proxy.connections == 0 }
}
