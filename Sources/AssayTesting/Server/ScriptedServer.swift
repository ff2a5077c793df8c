import Base
import Dispatch

/// The server could not be started.
public struct ScriptedServerError: Error, CustomStringConvertible {
    public let description: String
}

/// A loopback HTTP/1.1 server with scripted answers; the script also decides after which byte a connection is cut.
///
/// It deliberately uses one thread per connection and blocking calls, so that a scripted delay blocks no thread of Swift's pool.
/// For tests only; it trusts its peer.
public final class ScriptedServer: Sendable {
    public typealias Handler = @Sendable (ScriptedRequest) -> ScriptedResponse

    /// The port on 127.0.0.1.
    public let port: Int
    private let core: ScriptedServerCore

    /// Starts to listen immediately.
    /// - Parameter port: 0 selects a free port; a number lets a test restart a server where a client expects it.
    /// - Throws: `ScriptedServerError` when the port is not available.
    public init(port: Int = 0, handler: @escaping Handler) throws {
        let (descriptor, bound) = try Socket.listen(port: port)
        self.port = bound
        let core = ScriptedServerCore(listener: descriptor, handler: handler)
        self.core = core
        startThread(name: "scripted-accept") { core.acceptLoop() }
    }

    deinit { core.stop() }

    /// `http://127.0.0.1:port`.
    public var url: String { "http://127.0.0.1:\(port)" }

    /// All requests so far, in the order in which they were complete.
    public var requests: [ScriptedRequest] { core.state.withLock { $0.requests } }

    /// All requests so far as `GET /path?query`.
    public var requestLines: [String] { requests.map { "\($0.method) \($0.target)" } }

    /// The number of connections accepted so far.
    public var connectionCount: Int { core.state.withLock { $0.connections } }

    /// Waits for that many requests; false when they do not come within the time.
    public func waitForRequests(_ count: Int, within seconds: Double = 20) async -> Bool {
        await eventually(within: seconds) { self.requests.count >= count }
    }

    /// Closes the listener and every connection; later connections are refused. Returns when the port is free.
    public func stop() { core.stop() }

    /// Closes every open connection, even in the middle of an answer, and continues to listen.
    public func cutConnections() { core.cutConnections() }
}

final class ScriptedServerCore: Sendable {
    struct State {
        var requests: [ScriptedRequest] = []
        var connections = 0
        var open: Set<Int32> = []
        var stopped = false
    }

    let state = Locked(State())
    private let listener: Int32
    private let handler: ScriptedServer.Handler
    private let listenerClosed = DispatchSemaphore(value: 0)

    init(listener: Int32, handler: @escaping ScriptedServer.Handler) {
        self.listener = listener
        self.handler = handler
    }

    var isStopped: Bool { state.withLock { $0.stopped } }

    func acceptLoop() {
        defer {
            Socket.close(listener)
            listenerClosed.signal()
        }
        while !isStopped {
            let client = Socket.accept(listener)
            guard client >= 0 else {
                if isStopped { break }
                continue
            }
            let number = state.withLock { state -> Int? in
                if state.stopped { return nil }
                state.connections += 1
                state.open.insert(client)
                return state.connections
            }
            guard let number else {
                Socket.close(client)
                break
            }
            startThread(name: "scripted") { [self] in
                serve(client, number: number)
                state.withLock { _ = $0.open.remove(client) }
                Socket.close(client)
            }
        }
    }

    func stop() {
        let first = state.withLock { state -> Bool in
            defer { state.stopped = true }
            return !state.stopped
        }
        guard first else { return }
        // Shutting down the listener wakes the thread in accept. That thread closes the listener, which frees the port.
        Socket.shutdown(listener)
        cutConnections()
        listenerClosed.wait()
    }

    func cutConnections() {
        // Only shut down: the connection's own thread closes the descriptor, so that its number is not reused before.
        state.withLock { state in for descriptor in state.open { Socket.shutdown(descriptor) } }
    }

    private func serve(_ client: Int32, number: Int) {
        var reader = RequestReader(descriptor: client, connection: number)
        while !isStopped, let request = reader.next() {
            state.withLock { $0.requests.append(request) }
            let response = handler(request)
            let writer = ResponseWriter(descriptor: client, isStopped: { [self] in isStopped })
            guard writer.write(response, toHead: request.method == "HEAD") else { return }
        }
    }
}
