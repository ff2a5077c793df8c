import Base
import Glibc
import HTTPServing

/// Carries TCP connections from the loopback of a pod that has no other interface to the Unix socket of the egress proxy.
///
/// Guarantees: bytes pass unchanged in both directions, and so does the end of each direction. It reads no more than a peer takes. The number of
/// connections, and with it that of threads, is bounded.
public final class SocketRelay: Sendable {
    /// Two threads each.
    public static let maximumConnections = 512
    private static let pieceBytes = 64 << 10

    private let socketPath: String
    private let connections = Locked(0)
    private let log = Log("relay")

    /// - Parameter socketPath: at most 107 bytes.
    public init(to socketPath: String) { self.socketPath = socketPath }

    /// Accepts connections at a port of 127.0.0.1, on a thread of its own.
    /// - Parameter port: 0 takes a free one.
    /// - Returns: the bound port.
    public func start(port: UInt16) throws(HTTPBindFailure) -> UInt16 {
        let place = "127.0.0.1:\(port)"
        guard let loopback = IPAddress(bytes: [127, 0, 0, 1]) else { throw HTTPBindFailure(place: place, errno: EINVAL) }
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard listener >= 0 else { throw HTTPBindFailure(place: place, errno: errno) }
        setSocketOption(listener, SOL_SOCKET, SO_REUSEADDR, Int32(1))
        let code = SocketAddress.with(loopback, port: port) { address, size in
            bind(listener, address, size) == 0 && listen(listener, 1024) == 0 ? 0 : errno
        }
        guard code == 0, let own = SocketAddress.own(of: listener) else {
            close(listener)
            throw HTTPBindFailure(place: place, errno: code == 0 ? EINVAL : code)
        }
        startThread(name: "relay", stackBytes: 256 << 10) { [self] in
            while true {
                let client = accept(listener, nil, nil)
                if client >= 0 {
                    serve(client)
                } else if errno != EINTR && errno != ECONNABORTED {
                    log.warning("cannot accept a connection", ["error": .string(String(cString: strerror(errno)))])
                    // No descriptors or no memory: others must end first.
                    usleep(100_000)
                }
            }
        }
        return own.port
    }

    private func serve(_ client: Int32) {
        _ = fcntl(client, F_SETFD, FD_CLOEXEC)
        let isAdmitted = connections.withLock { count in
            guard count < Self.maximumConnections else { return false }
            count += 1
            return true
        }
        guard isAdmitted else {
            close(client)
            return
        }
        let pair = Pair(client: client) { [self] in connections.withLock { $0 -= 1 } }
        let isStarted = startThread(name: "relay-out", stackBytes: 256 << 10) { [self] in
            guard let server = connect() else { return }
            pair.server = server
            startThread(name: "relay-in", stackBytes: 256 << 10) { Self.copy(from: server, to: client, pair) }
            Self.copy(from: client, to: server, pair)
        }
        if !isStarted { log.warning("cannot start a thread for a connection") }
    }

    /// The two ends of a connection; closed when the last thread that uses them has ended.
    private final class Pair: @unchecked Sendable {  // `server` is set once, before a second thread gets the object
        let client: Int32
        var server: Int32 = -1
        private let ended: @Sendable () -> Void

        init(client: Int32, ended: @escaping @Sendable () -> Void) {
            self.client = client
            self.ended = ended
        }

        deinit {
            close(client)
            if server >= 0 { close(server) }
            ended()
        }
    }

    private func connect() -> Int32? {
        let server = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard server >= 0 else { return nil }
        let code = SocketAddress.with(unixPath: socketPath) { Glibc.connect(server, $0, $1) == 0 ? 0 : errno } ?? ENAMETOOLONG
        guard code == 0 else {
            close(server)
            log.warning("the egress proxy does not answer", ["error": .string(String(cString: strerror(code)))])
            return nil
        }
        return server
    }

    /// Copies until the source ends, then ends that direction. An error ends both.
    private static func copy(from source: Int32, to target: Int32, _ pair: Pair) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: pieceBytes, alignment: 16)
        defer { buffer.deallocate() }
        withExtendedLifetime(pair) {
            while true {
                let count = recv(source, buffer.baseAddress, buffer.count, 0)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else {
                    if count == 0 { shutdown(target, Int32(SHUT_WR)) } else { end(source, target) }
                    return
                }
                var sent = 0
                while sent < count {
                    let more = send(target, buffer.baseAddress?.advanced(by: sent), count - sent, Int32(MSG_NOSIGNAL))
                    if more < 0, errno == EINTR { continue }
                    guard more > 0 else { return end(source, target) }
                    sent += more
                }
            }
        }
    }

    private static func end(_ one: Int32, _ other: Int32) {
        shutdown(one, Int32(SHUT_RDWR))
        shutdown(other, Int32(SHUT_RDWR))
    }
}
