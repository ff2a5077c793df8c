import Base

/// Sends HTTP requests over libcurl's multi interface.
///
/// Guarantees
/// - Connections are reused. A request whose reused connection turns out to be dead is sent again on a new one, unless its body
///   was already sent and its method is not idempotent (then: ``HTTPTransportError/connectionLost(host:detail:)``).
/// - Requests whose answer is read whole share one connection to an `https` server that speaks HTTP/2. A second one is opened
///   only when there are more concurrent requests than the server allows on one.
/// - No request waits for the slow reader of another: a streamed body has its own connection.
/// - A shared connection that does not answer is not used for further requests after 30 s without an acknowledgement by the
///   peer's kernel, or after the first request that reaches its idle timeout.
/// - Redirects are not followed, and only `http` and `https` are supported: credentials in headers go only to the host of the
///   URL.
/// - When a streamed body is read slowly, receiving stops; at most the buffer (512 KiB by default) and one read of libcurl (64
///   KiB) are held.
/// - Cancelling the task, or dropping the body, ends the request at the server: its stream on a shared connection, otherwise its
///   connection.
///
/// Caveats
/// - Over HTTP/1.1 there is one connection per concurrent request to a host: the caller must limit them.
/// - Proxies are taken from the environment unless the request specifies one; loopback addresses never use one.
public final class HTTPTransport: Sendable {
    /// For callers that do not need their own transport.
    public static let shared = HTTPTransport()

    private struct Engines {
        var own: Engine?
        var shared: Engine?
        var isShutDown = false
    }

    private let engines = Locked(Engines())
    private let sharesConnections: Bool
    private let bodyBuffer: Int
    private let time: any TimeSource

    /// - Parameters:
    ///   - bodyBuffer: the number of bytes of each streamed body that may be unread before receiving stops.
    ///   - sharesConnections: false: HTTP/1.1 only, for callers that must not wait for the requests of others on a shared
    ///     connection.
    public init(bodyBuffer: Int = 512 * 1024, sharesConnections: Bool = true, time: any TimeSource = SystemTime()) {
        self.bodyBuffer = bodyBuffer
        self.sharesConnections = sharesConnections
        self.time = time
    }

    deinit { shutDown() }

    /// Fails all requests in progress, and every later one, with ``HTTPTransportError/shutDown``.
    public func shutDown() {
        let (own, shared) = engines.withLock { engines in
            engines.isShutDown = true
            return (engines.own, engines.shared)
        }
        own?.stop()
        shared?.stop()
    }

    /// The engine for the next request; nil after `shutDown`, or when no engine can be created.
    private func engine(isShared: Bool) -> Engine? {
        engines.withLock { engines in
            guard !engines.isShutDown else { return nil }
            let place: WritableKeyPath<Engines, Engine?> = isShared ? \.shared : \.own
            if let engine = engines[keyPath: place], !engine.isRetired { return engine }
            let time = time
            engines[keyPath: place] = Engine(isShared: isShared) { time.monotonic() }
            return engines[keyPath: place]
        }
    }

    /// Sends a request and returns when the head of the response has arrived, whatever its status.
    public func send(_ request: HTTPRequest) async throws(HTTPTransportError) -> HTTPResponse {
        let address = try HTTPAddress(url: request.url)
        try Self.check(request)
        while true {
            let sent = try await attempt(request, address: address)
            if case .failure(.shutDown) = sent, !engines.withLock({ $0.isShutDown }) {
                // The engine ended after it was chosen and before the request started, so nothing was sent.
                continue
            }
            return try sent.get()
        }
    }

    private func attempt(
        _ request: HTTPRequest, address: HTTPAddress
    ) async throws(HTTPTransportError) -> Result<HTTPResponse, HTTPTransportError> {
        var isShared = false
        var (capacity, pauses) = (bodyBuffer, true)
        if case .whole(let limit) = request.reading {
            isShared = sharesConnections && address.scheme == "https"
            (capacity, pauses) = (limit, false)
        }
        guard let engine = engine(isShared: isShared) else { throw .shutDown }
        if Task.isCancelled { throw .cancelled }

        // The channel needs the transfer, which is created after it. A link avoids a reference cycle: the transfer retains the
        // channel.
        let link = TransferLink(engine: engine, transport: self)
        let channel = BodyChannel(
            capacity: capacity, pauses: pauses, onResume: { link.resume() }, onAbort: { link.cancel() })
        let time = time
        let transfer = Transfer(request, address: address, channel: channel, isShared: isShared) { time.monotonic() }
        link.attach(transfer)
        return await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: Transfer.HeadContinuation) in
                transfer.expectHead(continuation)
                engine.start(transfer)
            }
        } onCancel: {
            engine.cancel(transfer)
        }
    }

    /// Refuses values that could add another header or another request.
    /// Whether a request can have the URL: `http` or `https`, percent-encoded, without user and password.
    public static func accepts(url: String) -> Bool { (try? HTTPAddress(url: url)) != nil }

    private static func check(_ request: HTTPRequest) throws(HTTPTransportError) {
        guard !request.method.isEmpty, request.method.utf8.allSatisfy({ (0x41...0x5A).contains($0) }) else {
            throw .invalidRequest("the method is not one upper-case word")
        }
        for field in request.headers.fields {
            guard !field.name.isEmpty, field.name.utf8.allSatisfy(isToken) else {
                throw .invalidRequest("a header name holds characters that it must not")
            }
            guard field.value.utf8.allSatisfy({ ($0 >= 0x20 && $0 != 0x7F) || $0 == 0x09 }) else {
                throw .invalidRequest("the value of the header \(field.name) holds control characters")
            }
        }
        if let name = request.tls.serverName, !name.utf8.allSatisfy(isHostCharacter) {
            throw .invalidRequest("the TLS server name is no host name")
        }
    }

    /// The characters of a token (RFC 9110, section 5.6.2).
    private static func isToken(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }

    private static func isHostCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}

/// Leads from a body to its transfer, and keeps the transport alive while the body is read.
private final class TransferLink: Sendable {
    private struct Target { weak var transfer: Transfer? }

    private let engine: Engine
    private let transport: HTTPTransport
    private let target = Locked(Target())

    init(engine: Engine, transport: HTTPTransport) {
        self.engine = engine
        self.transport = transport
    }

    func attach(_ transfer: Transfer) { target.withLock { $0.transfer = transfer } }

    func resume() {
        guard let transfer = target.withLock({ $0.transfer }) else { return }
        engine.resume(transfer)
    }

    func cancel() {
        guard let transfer = target.withLock({ $0.transfer }) else { return }
        engine.cancel(transfer)
    }
}
