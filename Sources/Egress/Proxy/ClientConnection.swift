import Base

/// One client's connection: reads a request, decides, resolves, connects and passes on; then reads the next one.
///
/// Lives on one event loop. Holds one `Phase` at a time, and everything that belongs to it.
final class ClientConnection: StreamSocketOwner, DeadlineHolder {
    enum Phase {
        /// A request's head is read.
        case head
        case resolving(Admitted)
        case dialing(Admitted, Dialer, deadline: Double)
        case tunnel(Tunnel, server: StreamSocket, Admitted)
        case exchange(Exchange, server: StreamSocket, Admitted)
        /// The last answer was given. What the client still sends is dropped for a moment, so that closing does not reset the connection
        /// before the client has read the answer.
        case lingering
        case closed
    }

    /// A request whose destination may be reached, as far as is known before its name is resolved.
    struct Admitted {
        let request: ProxyRequest
        let destination: Destination
        let token: EgressToken
        /// Monotonic seconds.
        let tokenDeadline: Double
        let kind: EgressMetrics.Kind
    }

    private static let lingerSeconds = 2.0
    private static let lingerBytes = 4 << 20

    let id: UInt64
    /// Who it is from.
    let source: EgressClient
    let context: ProxyContext
    let loop: EventLoop
    unowned let worker: ProxyWorker
    private(set) var client: StreamSocket?
    var phase = Phase.head
    var input: HeadCollector
    /// Counts requests, so that a late answer of the resolver finds out that nobody waits for it.
    var generation = 0
    /// The id of the token that this connection is counted for.
    var countedToken: String?
    private var headBegan = false
    private var isServing = false
    private var tokenDeadline = Double.infinity
    private var wasHalfClosed = false
    private var discarded = 0

    var deadline: Double { didSet { if deadline < oldValue { loop.hasten(to: deadline) } } }

    init(_ descriptor: Int32, from source: EgressClient, id: UInt64, worker: ProxyWorker, context: ProxyContext, loop: EventLoop) {
        self.id = id
        self.source = source
        self.worker = worker
        self.context = context
        self.loop = loop
        input = HeadCollector(limit: context.limits.headBytes)
        deadline = loop.now + context.limits.idleSeconds
        StreamSettings.apply(to: descriptor)
        let client = StreamSocket(descriptor, on: loop, owner: self)
        self.client = client
        client.isReading = true
    }

    /// No request is being served.
    var isIdle: Bool {
        if case .head = phase { return input.isEmpty }
        return false
    }

    // MARK: Events

    func isReady(_ socket: StreamSocket) {
        guard let client else { return }
        switch phase {
        case .head:
            if socket === client { readHead(client) }
        case .resolving, .dialing:
            if client.isBroken { end(reset: true) }
        case .tunnel(let tunnel, _, _): pump(tunnel)
        case .exchange(let exchange, _, let admitted): pump(exchange, admitted)
        case .lingering: linger(client)
        case .closed: break
        }
    }

    func deadlinePassed() {
        switch phase {
        case .head, .lingering: end(reset: false)
        case .resolving(let admitted):
            if loop.now >= admitted.tokenDeadline {
                expire(admitted)
            } else {
                answer(.resolveTimeout(admitted.destination), admitted.request, admitted.kind)
            }
            resume()
        case .dialing(let admitted, let dialer, let end):
            if loop.now >= admitted.tokenDeadline {
                expire(admitted)
                resume()
            } else if loop.now >= end {
                dialer.cancel()
                answer(.connectTimeout(admitted.destination), admitted.request, admitted.kind)
                resume()
            } else {
                dialer.attemptNext()
                if case .dialing = phase { deadline = min(end, dialer.nextAttempt, admitted.tokenDeadline) }
            }
        case .tunnel(_, _, let admitted):
            noteExpiry(of: admitted)
            end(reset: true)
        case .exchange(let exchange, let server, let admitted):
            noteExpiry(of: admitted)
            context.metrics.request(admitted.kind, "timeout")
            if exchange.hasAnswered { return end(reset: true) }
            server.close()
            finish(with: .responseTimeout(admitted.destination), withBody: admitted.request.method != "HEAD")
        case .closed: break
        }
    }

    /// Closes everything. The connection is not used afterwards.
    func end(reset: Bool) {
        switch phase {
        case .dialing(_, let dialer, _): dialer.cancel()
        case .tunnel(_, let server, _), .exchange(_, let server, _): server.close(reset: reset)
        case .closed: return
        case .head, .resolving, .lingering: break
        }
        phase = .closed
        client?.close(reset: reset)
        client = nil
        if let countedToken { context.book.withLock { $0.release(countedToken) } }
        context.book.withLock { $0.leave(source) }
        worker.ended(self)
    }

    // MARK: Reading requests

    private func readHead(_ client: StreamSocket) {
        guard client.isFlushed, !client.isBroken else {
            if client.isBroken { end(reset: false) }
            return
        }
        switch client.read() {
        case .bytes(let count): input.append(UnsafeRawBufferPointer(rebasing: loop.scratch[..<count]))
        case .nothingNow: break
        case .end, .failed: return end(reset: false)
        }
        nextRequests()
    }

    /// Serves the requests that have arrived completely, one after the other, each when the answer before has been taken.
    private func nextRequests() {
        // A request may be answered while it is handed on; the loop that is running already goes on then.
        guard let client, !isServing else { return }
        isServing = true
        defer { isServing = false }
        while case .head = phase, client.isFlushed, !client.isBroken {
            do throws(HTTPSyntaxError) {
                guard let lines = try input.takeHead() else { break }
                headBegan = false
                handle(try ProxyRequest(lines: lines))
            } catch {
                context.metrics.request(.unknown, "malformed")
                finish(with: .malformed(error), withBody: true)
            }
        }
        guard case .head = phase else { return }
        if client.isBroken { return end(reset: false) }
        if worker.isDraining, input.isEmpty, client.isFlushed { return end(reset: false) }
        if input.isEmpty {
            deadline = loop.now + context.limits.idleSeconds
        } else if !headBegan {
            headBegan = true
            deadline = loop.now + context.limits.headSeconds
        }
        // Not while an answer waits for the client, so that a client that only sends is not read from.
        client.isReading = client.isFlushed
    }

    /// After an event from outside has ended a request, the next ones may already be in the input.
    func resume() {
        if case .head = phase { nextRequests() }
    }

    /// Answers a request instead of passing it on.
    func answer(_ answer: ProxyAnswer, _ request: ProxyRequest, _ kind: EgressMetrics.Kind) {
        guard let client else { return }
        context.metrics.request(kind, answer.result)
        let withBody = request.method != "HEAD"
        // After a body that was not read the next request could not be found.
        if request.framing != .none || request.wantsClose || worker.isDraining { return finish(with: answer, withBody: withBody) }
        client.write(answer.bytes(closes: false, withBody: withBody))
        expectRequest(client)
    }

    func expectRequest(_ client: StreamSocket) {
        phase = .head
        client.watchesForHangup = false
        client.isReading = client.isFlushed
        deadline = loop.now + context.limits.idleSeconds
    }

    /// Gives the last answer of the connection.
    private func finish(with answer: ProxyAnswer, withBody: Bool) {
        client?.write(answer.bytes(closes: true, withBody: withBody))
        beginLingering()
    }

    private func beginLingering() {
        guard let client else { return }
        phase = .lingering
        client.finishWriting()
        client.isReading = true
        deadline = loop.now + (client.isFlushed ? Self.lingerSeconds : context.limits.halfClosedSeconds)
    }

    private func linger(_ client: StreamSocket) {
        let wasWaiting = deadline > loop.now + Self.lingerSeconds
        if client.isFlushed, wasWaiting { deadline = loop.now + Self.lingerSeconds }
        switch client.read() {
        case .bytes(let count):
            discarded += count
            if discarded > Self.lingerBytes { end(reset: false) }
        case .nothingNow: if client.isBroken { end(reset: false) }
        case .end:
            // Everything may not have been sent yet.
            client.isReading = false
            if client.isFlushed || client.isBroken { end(reset: false) }
        case .failed: end(reset: false)
        }
    }

    // MARK: Passing on

    func begin(_ tunnel: Tunnel, server: StreamSocket, _ admitted: Admitted) {
        phase = .tunnel(tunnel, server: server, admitted)
        tokenDeadline = admitted.tokenDeadline
        touch(isHalfClosed: false)
        pump(tunnel)
    }

    func begin(_ exchange: Exchange, server: StreamSocket, _ admitted: Admitted) {
        phase = .exchange(exchange, server: server, admitted)
        tokenDeadline = admitted.tokenDeadline
        touch(isHalfClosed: false)
        pump(exchange, admitted)
    }

    /// What is cut because the time of its phase is over is in the run's denials.
    private func noteExpiry(of admitted: Admitted) {
        guard loop.now >= admitted.tokenDeadline else { return }
        _ = context.deny(admitted.destination, admitted.token, .tokenExpired)
    }

    private func touch(isHalfClosed: Bool) {
        wasHalfClosed = isHalfClosed
        let idle = isHalfClosed ? context.limits.halfClosedSeconds : context.limits.transferIdleSeconds
        deadline = min(loop.now + idle, tokenDeadline)
    }

    private func pump(_ tunnel: Tunnel) {
        switch tunnel.pump() {
        case .going(let sent, let received):
            context.metrics.moved(sent: sent, received: received)
            if sent + received > 0 || tunnel.isHalfClosed != wasHalfClosed { touch(isHalfClosed: tunnel.isHalfClosed) }
        case .ended: end(reset: false)
        case .broken: end(reset: true)
        }
    }

    private func pump(_ exchange: Exchange, _ admitted: Admitted) {
        switch exchange.pump() {
        case .going(let sent, let received):
            context.metrics.moved(sent: sent, received: received)
            if sent + received > 0 || exchange.isHalfClosed != wasHalfClosed { touch(isHalfClosed: exchange.isHalfClosed) }
        case .complete(let sent, let received, let keepsClient):
            context.metrics.moved(sent: sent, received: received)
            context.metrics.request(admitted.kind, "allowed")
            closeServer()
            guard keepsClient, let client else { return beginLingering() }
            input.append(exchange.leftover)
            expectRequest(client)
            nextRequests()
        case .failed(let failure):
            closeServer()
            context.metrics.request(admitted.kind, failure.result)
            finish(with: failure, withBody: admitted.request.method != "HEAD")
        case .broken:
            context.metrics.request(admitted.kind, "broken")
            end(reset: true)
        }
    }

    private func closeServer() {
        if case .exchange(_, let server, _) = phase { server.close() }
    }
}
