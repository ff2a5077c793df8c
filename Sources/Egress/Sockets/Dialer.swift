import Base
import Glibc

/// Connects to one of several addresses: the next is tried when one fails, or has not answered for a moment (RFC 8305). The first connection
/// wins, the others are closed.
final class Dialer {
    enum Outcome {
        /// A connected, non-blocking socket.
        case connected(Int32, IPAddress)
        /// The `errno` of the last attempt.
        case failed(Int32)
    }

    /// The time after which the next address is tried beside the ones before.
    static let attemptDelay = 0.25
    private static let maximumAddresses = 8

    private let loop: EventLoop
    private let port: UInt16
    private var waiting: ArraySlice<IPAddress>
    private var attempts: [Attempt] = []
    private var finish: ((Outcome) -> Void)?
    private var lastError = ENETUNREACH
    /// When the next address is tried.
    private(set) var nextAttempt = Double.infinity

    /// - Parameter finish: called once, from `start`, `attemptNext` or a turn of the loop; not after `cancel`.
    init(_ addresses: [IPAddress], port: UInt16, on loop: EventLoop, finish: @escaping (Outcome) -> Void) {
        self.loop = loop
        self.port = port
        self.finish = finish
        waiting = Self.alternating(addresses).prefix(Self.maximumAddresses)
    }

    /// The first address keeps its place; after it the families take turns, so that one that is unreachable costs one delay.
    static func alternating(_ addresses: [IPAddress]) -> [IPAddress] {
        guard let first = addresses.first else { return [] }
        var same = addresses.filter { $0.isIPv6 == first.isIPv6 }[...]
        var other = addresses.filter { $0.isIPv6 != first.isIPv6 }[...]
        var out: [IPAddress] = []
        while !same.isEmpty || !other.isEmpty {
            if let next = same.popFirst() { out.append(next) }
            if let next = other.popFirst() { out.append(next) }
        }
        return out
    }

    func start() { attemptNext() }

    /// Starts with the next address; for the caller's timer at `nextAttempt`.
    func attemptNext() {
        nextAttempt = .infinity
        while finish != nil, let address = waiting.popFirst() {
            let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
            let descriptor = socket(address.isIPv6 ? AF_INET6 : AF_INET, kind, 0)
            guard descriptor >= 0 else {
                lastError = errno
                continue
            }
            StreamSettings.apply(to: descriptor)
            let code = SocketAddress.with(address, port: port) { connect(descriptor, $0, $1) == 0 ? 0 : errno }
            if code == 0 {
                succeed(descriptor, address)
            } else if code == EINPROGRESS {
                attempts.append(Attempt(descriptor, address, self, loop))
                nextAttempt = waiting.isEmpty ? .infinity : loop.now + Self.attemptDelay
                return
            } else {
                lastError = code
                close(descriptor)
            }
        }
        failIfNothingIsLeft()
    }

    func cancel() {
        finish = nil
        for attempt in attempts { attempt.close() }
        attempts = []
        waiting = []
        nextAttempt = .infinity
    }

    fileprivate func ended(_ attempt: Attempt, error: Int32) {
        attempts.removeAll { $0 === attempt }
        if error == 0 {
            attempt.release()
            succeed(attempt.descriptor, attempt.address)
        } else {
            attempt.close()
            lastError = error
            attemptNext()
        }
    }

    private func succeed(_ descriptor: Int32, _ address: IPAddress) {
        let finish = finish
        cancel()
        finish?(.connected(descriptor, address))
    }

    private func failIfNothingIsLeft() {
        guard attempts.isEmpty, waiting.isEmpty, let finish else { return }
        self.finish = nil
        finish(.failed(lastError))
    }

    /// One connection that is being made.
    fileprivate final class Attempt: EventHandler {
        let descriptor: Int32
        let address: IPAddress
        private weak var dialer: Dialer?
        private let loop: EventLoop
        private let token: UInt64

        init(_ descriptor: Int32, _ address: IPAddress, _ dialer: Dialer, _ loop: EventLoop) {
            self.descriptor = descriptor
            self.address = address
            self.dialer = dialer
            self.loop = loop
            token = loop.makeToken()
            loop.add(self, token: token)
            loop.watch(descriptor, token: token, from: [], to: .writable)
        }

        func ready(_ events: Readiness) {
            var code: Int32 = 0
            var size = socklen_t(MemoryLayout<Int32>.size)
            if getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &size) != 0 { code = errno }
            dialer?.ended(self, error: code)
        }

        /// The descriptor gets another handler.
        func release() {
            loop.watch(descriptor, token: token, from: .writable, to: [])
            loop.remove(token: token)
        }

        func close() {
            release()
            Glibc.close(descriptor)
        }
    }
}
