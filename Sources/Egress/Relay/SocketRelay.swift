import Base
import Dispatch
import Glibc
import HTTPServing

/// Carries TCP connections from the loopback of a pod that has no other interface to the Unix socket of the egress proxy.
///
/// Guarantees: bytes pass unchanged in both directions, and so does the end of each direction. It reads no more than a peer takes. The number of
/// connections, and with it that of threads, is bounded: further ones wait until others have ended. A client whose connection the proxy does not
/// accept gets an answer with the status 502.
public final class SocketRelay: Sendable {
    /// Two threads each.
    public static let maximumConnections = 512
    private static let pieceBytes = 64 << 10
    private static let lingerBytes = 64 << 10

    private let socketPath: String
    private let free = DispatchSemaphore(value: SocketRelay.maximumConnections)
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
                free.wait()
                let client = accept(listener, nil, nil)
                if client >= 0 {
                    serve(client)
                    continue
                }
                let code = errno
                free.signal()
                if code != EINTR && code != ECONNABORTED {
                    log.warning("cannot accept a connection", ["error": .string(String(cString: strerror(code)))])
                    // No descriptors or no memory: others must end first.
                    usleep(100_000)
                }
            }
        }
        return own.port
    }

    private func serve(_ client: Int32) {
        _ = fcntl(client, F_SETFD, FD_CLOEXEC)
        let pair = Pair(client: client) { [self] in _ = free.signal() }
        let isStarted = startThread(name: "relay-out", stackBytes: 256 << 10) { [self] in
            let server: Int32
            do throws(POSIXFailure) { server = try connect() } catch {
                log.warning("the egress proxy does not answer", ["error": .string("\(error)")])
                return withExtendedLifetime(pair) { Self.refuse(client, errno: error.code) }
            }
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

    private func connect() throws(POSIXFailure) -> Int32 {
        let server = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard server >= 0 else { throw POSIXFailure(errno) }
        let code = SocketAddress.with(unixPath: socketPath) { Glibc.connect(server, $0, $1) == 0 ? 0 : errno } ?? ENAMETOOLONG
        guard code == 0 else {
            close(server)
            throw POSIXFailure(code)
        }
        return server
    }

    /// Tells the client that there is no proxy. What it sends is read for a moment, so that closing does not reset the connection before the
    /// client has read the answer.
    private static func refuse(_ client: Int32, errno number: Int32) {
        let answer = ProxyAnswer.noProxy(errno: number).bytes(closes: true, withBody: true)
        _ = answer.withUnsafeBytes { send(client, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        shutdown(client, Int32(SHUT_WR))
        setSocketOption(client, SOL_SOCKET, SO_RCVTIMEO, timeval(tv_sec: 2, tv_usec: 0))
        var bytes = [UInt8](repeating: 0, count: 4096)
        var discarded = 0
        while discarded < lingerBytes {
            let count = recv(client, &bytes, bytes.count, 0)
            guard count > 0 else { return }
            discarded += count
        }
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
