import Base
import Glibc

/// Accepts the connections of one listening socket and hands them to the workers in turn.
final class Acceptor: EventHandler, DeadlineHolder {
    private let descriptor: Int32
    private let loop: EventLoop
    private let context: ProxyContext
    private let team: [WorkerMailbox]
    private let token: UInt64
    private var next = 0
    private var isWatched = false
    private(set) var deadline = Double.infinity

    init(_ descriptor: Int32, on loop: EventLoop, context: ProxyContext, team: [WorkerMailbox]) {
        self.descriptor = descriptor
        self.loop = loop
        self.context = context
        self.team = team
        token = loop.makeToken()
        loop.add(self as any EventHandler, token: token)
        loop.add(self as any DeadlineHolder, id: token)
        watch(true)
    }

    func ready(_ events: Readiness) {
        for _ in 0..<64 {
            switch EgressListener.accept(descriptor) {
            case .connection(let descriptor, let client): handOver(descriptor, client)
            case .none: return
            case .failed(let number):
                // A client that has gone again. With too few descriptors the listener would be ready all the time.
                guard [EMFILE, ENFILE, ENOMEM, ENOBUFS].contains(number) else { continue }
                context.log.warning("a connection cannot be accepted", ["error": .string(String(cString: strerror(number)))])
                watch(false)
                deadline = loop.now + 0.1
                loop.hasten(to: deadline)
                return
            }
        }
    }

    func deadlinePassed() {
        deadline = .infinity
        watch(true)
    }

    func close() {
        watch(false)
        loop.remove(token: token)
        loop.removeHolder(id: token)
        Glibc.close(descriptor)
    }

    private func handOver(_ descriptor: Int32, _ client: EgressClient) {
        let admission = context.book.withLock { $0.admit(client) }
        context.metrics.connection(admission)
        guard admission == .admitted else {
            // The socket is new and its buffer empty: this fits, or the client has gone.
            let bytes = ProxyAnswer.full.bytes(closes: true, withBody: true)
            _ = bytes.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            shutdown(descriptor, Int32(SHUT_WR))
            Glibc.close(descriptor)
            return
        }
        if !team[next % team.count].post(.accepted(descriptor, client)) {
            Glibc.close(descriptor)
            context.book.withLock { $0.leave(client) }
        }
        next += 1
    }

    private func watch(_ isWanted: Bool) {
        guard isWanted != isWatched else { return }
        isWatched = isWanted
        loop.watch(descriptor, token: token, from: isWanted ? [] : .readable, to: isWanted ? .readable : [])
    }
}
