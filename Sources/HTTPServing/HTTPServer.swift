import Base
import Dispatch
import Glibc

/// The limits of a server.
public struct HTTPServerLimits: Sendable, Hashable {
    /// The number of connections served at the same time, one thread each. Further connections are answered with 503 and closed.
    public var connections: Int
    /// The seconds in which a request must arrive completely after its first byte.
    public var requestSeconds: Double
    /// The seconds after which a connection without a request is closed.
    public var idleSeconds: Double
    /// The part of `connections` that one client's address may use; nil: all of them. Clients on a Unix socket count as one address.
    public var connectionsPerClient: Int?

    public init(connections: Int = 128, requestSeconds: Double = 60, idleSeconds: Double = 60, connectionsPerClient: Int? = nil) {
        self.connections = connections
        self.connectionsPerClient = connectionsPerClient
        self.requestSeconds = requestSeconds
        self.idleSeconds = idleSeconds
    }
}

/// Accepts connections, by default on 127.0.0.1, and serves each on its own thread.
///
/// Guarantee: the number of threads never exceeds the limit plus a few for refusals.
public final class HTTPServer: Sendable {
    private struct State {
        var listener: Int32 = -1
        /// Descriptors and addresses of the clients.
        var served: [Int32: String] = [:]
        /// Connections that are being answered with 503.
        var refused: Set<Int32> = []
        var isStopped = false

        var isEmpty: Bool { served.isEmpty && refused.isEmpty }
    }

    private enum Admission { case served, refused, dropped, stopped }

    /// Above this number a connection to a full server is closed without an answer.
    private static let refusedAtOnce = 16

    private let state = Locked(State())
    private let limits: HTTPServerLimits
    private let handler: @Sendable (ServerRequest) -> ServerResponse
    private let refusal: @Sendable (HTTPRequestError) -> ServerResponse
    private let allGone = DispatchSemaphore(value: 0)

    /// - Parameter refusal: makes the answer to bytes that are not a valid request; the connection is closed after it.
    public init(
        limits: HTTPServerLimits = HTTPServerLimits(),
        refusal: @escaping @Sendable (HTTPRequestError) -> ServerResponse = { .text($0.status, $0.message + "\n") },
        handler: @escaping @Sendable (ServerRequest) -> ServerResponse
    ) {
        self.limits = limits
        self.refusal = refusal
        self.handler = handler
    }

    /// Binds the port and begins to accept connections.
    /// - Returns: the bound port; port 0 selects a free one.
    public func start(port: UInt16, everyAddress: Bool = false) throws(HTTPBindFailure) -> UInt16 {
        try start(address: everyAddress ? (0, 0, 0, 0) : (127, 0, 0, 1), port: port)
    }

    /// - Parameter ip: an IPv4 address of this machine.
    public func start(address ip: (UInt8, UInt8, UInt8, UInt8), port: UInt16) throws(HTTPBindFailure) -> UInt16 {
        let place = "\(ip.0).\(ip.1).\(ip.2).\(ip.3):\(port)"
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard listener >= 0 else { throw HTTPBindFailure(place: place, errno: errno) }
        _ = fcntl(listener, F_SETFD, FD_CLOEXEC)
        setOption(listener, SOL_SOCKET, SO_REUSEADDR, Int32(1))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = (UInt32(ip.0) << 24 | UInt32(ip.1) << 16 | UInt32(ip.2) << 8 | UInt32(ip.3)).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(listener, generic, size) == 0 && listen(listener, 1024) == 0 && getsockname(listener, generic, &size) == 0
            }
        }
        guard bound else {
            let code = errno
            close(listener)
            throw HTTPBindFailure(place: place, errno: code)
        }
        state.withLock { $0.listener = listener }
        startThread(name: "http-accept") { [self] in accept(on: listener) }
        return UInt16(bigEndian: address.sin_port)
    }

    /// Listens on a Unix socket instead of a port. What was at the path before is replaced.
    ///
    /// - Parameters:
    ///   - directory: an existing directory; its path may be of any length.
    ///   - mode: of the socket; a client needs the permission to write.
    public func start(socket name: String, in directory: String, mode: mode_t) throws(HTTPBindFailure) {
        let place = "\(directory)/\(name)"
        let folder = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { throw HTTPBindFailure(place: place, errno: errno) }
        defer { close(folder) }
        let listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        guard listener >= 0 else { throw HTTPBindFailure(place: place, errno: errno) }
        _ = fcntl(listener, F_SETFD, FD_CLOEXEC)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        // An address has room for 107 bytes, and the directory's own path may be longer.
        let path = Array("/proc/self/fd/\(folder)/\(name)".utf8)
        let fits = withUnsafeMutableBytes(of: &address.sun_path) { room in
            guard path.count < room.count else { return false }
            room.copyBytes(from: path)
            return true
        }
        unlinkat(folder, name, 0)
        let bound =
            fits
            && withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                    bind(listener, generic, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0 && fchmodat(folder, name, mode, 0) == 0
                        && listen(listener, 1024) == 0
                }
            }
        guard bound else {
            let code = fits ? errno : ENAMETOOLONG
            close(listener)
            throw HTTPBindFailure(place: place, errno: code)
        }
        state.withLock { $0.listener = listener }
        startThread(name: "http-accept") { [self] in accept(on: listener) }
    }

    /// The address of the peer, for `ServerRequest.client`.
    private static func address(of client: Int32) -> String {
        var address = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                guard getpeername(client, generic, &size) == 0 else { return "" }
                guard generic.pointee.sa_family == sa_family_t(AF_INET) else { return "unix" }
                return generic.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { peer in
                    let ip = UInt32(bigEndian: peer.pointee.sin_addr.s_addr)
                    return [24, 16, 8, 0].map { String(ip >> UInt32($0) & 255) }.joined(separator: ".")
                }
            }
        }
    }

    /// Closes every connection, including streams, and waits up to 5 s for their threads to end.
    public func stop() {
        let (listener, connections) = state.withLock { state in
            state.isStopped = true
            defer { state.listener = -1 }
            return (state.listener, state.refused.union(state.served.keys))
        }
        guard listener >= 0 else { return }
        // Wakes the thread that is blocked in accept(2). That thread closes the descriptor, so that no other file can get its
        // number before.
        shutdown(listener, Int32(SHUT_RDWR))
        for connection in connections { shutdown(connection, Int32(SHUT_RDWR)) }
        if !connections.isEmpty { _ = allGone.wait(timeout: .now() + 5) }
    }

    private func accept(on listener: Int32) {
        defer { close(listener) }
        while true {
            let client = Glibc.accept(listener, nil, nil)
            if client < 0 {
                if state.withLock({ $0.isStopped }) { return }
                // Too many open files, or a client that closed immediately: neither may stop the server.
                if errno == EMFILE || errno == ENFILE || errno == ENOMEM { usleep(50_000) }
                continue
            }
            _ = fcntl(client, F_SETFD, FD_CLOEXEC)
            setOption(client, Int32(IPPROTO_TCP), TCP_NODELAY, Int32(1))
            // A client that has stopped reading a watch must not block its thread for ever.
            setOption(client, SOL_SOCKET, SO_SNDTIMEO, timeval(tv_sec: 30, tv_usec: 0))
            let address = Self.address(of: client)
            let connection = HTTPConnection(socket: client, client: address, limits: limits, handler: handler, refusal: refusal)
            switch admit(client, from: address) {
            case .served:
                let isStarted = startThread(name: "http") { [self] in
                    connection.serve()
                    ended(client)
                }
                if !isStarted { ended(client) }
            case .refused:
                let isStarted = startThread(name: "http-full") { [self] in
                    let message = "the limit of connections (in all \(limits.connections)) is reached: try again later"
                    connection.refuse(HTTPRequestError(status: 503, message: message))
                    ended(client)
                }
                if !isStarted { ended(client) }
            case .dropped: close(client)
            case .stopped:
                close(client)
                return
            }
        }
    }

    private func admit(_ client: Int32, from address: String) -> Admission {
        state.withLock { state in
            if state.isStopped { return .stopped }
            let own = limits.connectionsPerClient.map { limit in state.served.values.count { $0 == address } < limit } ?? true
            if own, state.served.count < limits.connections {
                state.served[client] = address
                return .served
            }
            guard state.refused.count < Self.refusedAtOnce else { return .dropped }
            state.refused.insert(client)
            return .refused
        }
    }

    private func ended(_ client: Int32) {
        let isLast = state.withLock { state in
            state.served[client] = nil
            state.refused.remove(client)
            close(client)
            return state.isStopped && state.isEmpty
        }
        if isLast { allGone.signal() }
    }
}

/// The server could not listen on the address.
public struct HTTPBindFailure: Error, Sendable, Hashable, CustomStringConvertible {
    /// `127.0.0.1:8080`, or the path of a socket.
    public let place: String
    public let errno: Int32

    public init(place: String, errno: Int32) {
        self.place = place
        self.errno = errno
    }

    public var description: String { "cannot listen on \(place): \(POSIXFailure(errno))" }
}

private func setOption<Value>(_ socket: Int32, _ level: Int32, _ option: Int32, _ value: Value) {
    withUnsafeBytes(of: value) { _ = setsockopt(socket, level, option, $0.baseAddress, socklen_t($0.count)) }
}
