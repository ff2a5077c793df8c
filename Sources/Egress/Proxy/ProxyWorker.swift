import Base
import Glibc
import HTTPServing

/// What other threads tell a worker.
enum WorkerMessage: Sendable {
    /// A connection that was admitted; the worker owns its descriptor now.
    case accepted(Int32, EgressClient)
    case resolved(connection: UInt64, generation: Int, Result<[IPAddress], HostResolutionError>)
    /// No new requests; everything is closed after so many seconds.
    case drain(seconds: Double)
}

/// Messages to one worker, which it finds at its next turn.
final class WorkerMailbox: Sendable {
    private struct State {
        var messages: [WorkerMessage] = []
        var isClosed = false
    }

    private let state = Locked(State())
    let wakeup: Wakeup

    init() throws(POSIXFailure) { wakeup = try Wakeup() }

    /// - Returns: false when the worker has ended; the message is dropped then.
    @discardableResult
    func post(_ message: WorkerMessage) -> Bool {
        let isTaken = state.withLock { state in
            if !state.isClosed { state.messages.append(message) }
            return !state.isClosed
        }
        if isTaken { wakeup.signal() }
        return isTaken
    }

    func take(closing: Bool = false) -> [WorkerMessage] {
        wakeup.drain()
        return state.withLock { state in
            defer {
                state.messages = []
                state.isClosed = state.isClosed || closing
            }
            return state.messages
        }
    }
}

/// One thread of the proxy with its connections.
final class ProxyWorker: EventHandler {
    let mailbox: WorkerMailbox
    private(set) var isDraining = false
    private let context: ProxyContext
    private let loop: EventLoop
    private let token: UInt64
    private var connections: [UInt64: ClientConnection] = [:]
    private var acceptors: [Acceptor] = []
    private var drainDeadline = Double.infinity

    /// - Parameters:
    ///   - epoll: from `EventLoop.openDescriptor`.
    ///   - listeners: whose connections this worker accepts; it closes them.
    ///   - team: the mailboxes of all workers, which get the connections in turn.
    init(_ context: ProxyContext, mailbox: WorkerMailbox, epoll: Int32, listeners: [Int32], team: [WorkerMailbox]) {
        self.context = context
        self.mailbox = mailbox
        loop = EventLoop(epoll: epoll)
        token = loop.makeToken()
        loop.add(self, token: token)
        loop.watch(mailbox.wakeup.readEnd, token: token, from: [], to: .readable)
        acceptors = listeners.map { Acceptor($0, on: loop, context: context, team: team) }
    }

    /// Serves until it is drained.
    func run() {
        while !isDraining || !connections.isEmpty {
            // The loop itself remembers only the deadlines of connections.
            if isDraining { loop.hasten(to: drainDeadline) }
            loop.turn()
            if loop.now >= drainDeadline { for connection in Array(connections.values) { connection.end(reset: true) } }
        }
        for message in mailbox.take(closing: true) { refuse(message) }
        // The loop references this worker.
        loop.remove(token: token)
    }

    func ready(_ events: Readiness) {
        for message in mailbox.take() {
            switch message {
            case .accepted(let descriptor, let client):
                guard !isDraining else {
                    refuse(message)
                    continue
                }
                let id = loop.makeToken()
                let connection = ClientConnection(descriptor, from: client, id: id, worker: self, context: context, loop: loop)
                connections[id] = connection
                loop.add(connection, id: id)
            case .resolved(let id, let generation, let result):
                connections[id]?.resolved(result, generation: generation)
                connections[id]?.resume()
            case .drain(let seconds): drain(seconds)
            }
        }
    }

    func ended(_ connection: ClientConnection) {
        connections[connection.id] = nil
        loop.removeHolder(id: connection.id)
    }

    private func drain(_ seconds: Double) {
        isDraining = true
        drainDeadline = loop.now + seconds
        for acceptor in acceptors { acceptor.close() }
        acceptors = []
        for connection in Array(connections.values) where connection.isIdle { connection.end(reset: false) }
    }

    /// A connection that was handed over too late.
    private func refuse(_ message: WorkerMessage) {
        guard case .accepted(let descriptor, let client) = message else { return }
        close(descriptor)
        context.book.withLock { $0.leave(client) }
    }
}
