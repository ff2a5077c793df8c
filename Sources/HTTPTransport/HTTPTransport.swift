import Base

/// Sends HTTP requests over libcurl's multi interface.
///
/// Guarantees
/// - Connections are reused. A request whose reused connection turns out dead is sent again on a new one, unless its body
///   had left and its method is not idempotent (then: ``HTTPTransportError/connectionLost(host:detail:)``).
/// - Requests whose answer is read whole share one connection to an `https` server that speaks HTTP/2; a second one is opened only
///   for more requests at once than the server takes on one.
/// - No request waits behind another one's slow reader: a body that is streamed has a connection to itself.
/// - A shared connection that does not answer is given up for the next request: after 30 s without an acknowledgement by the peer's
///   kernel, or with the first request that runs into its idle timeout.
/// - Redirects are not followed, and only `http` and `https` are spoken: credentials in headers go to the host of the URL.
/// - A slow reader of a streamed body stops the network; at most the buffer (512 KiB by default) and one read of libcurl (64 KiB) are
///   held.
/// - Cancelling the task, or dropping the body, ends the request at the server: its stream, or its connection where it has one.
///
/// Caveats
/// - Over HTTP/1.1 there are as many connections as concurrent requests to a host: bounding them is the caller's business.
/// - Proxies come from the environment unless the request says otherwise; loopback never goes through one.
public final class HTTPTransport: Sendable {
    /// For who has no reason to have one of their own.
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
    ///   - bodyBuffer: bytes of each streamed body that may lie unread before the network is stopped.
    ///   - sharesConnections: false: HTTP/1.1 only. For who must not wait for what others send over the same connection.
    public init(bodyBuffer: Int = 512 * 1024, sharesConnections: Bool = true, time: any TimeSource = SystemTime()) {
        self.bodyBuffer = bodyBuffer
        self.sharesConnections = sharesConnections
        self.time = time
    }

    deinit { shutDown() }

    /// Fails what is under way, and every later request, with ``HTTPTransportError/shutDown``.
    public func shutDown() {
        let (own, shared) = engines.withLock { engines in
            engines.isShutDown = true
            return (engines.own, engines.shared)
        }
        own?.stop()
        shared?.stop()
    }

    /// The engine for the next request of its kind; nil when there is none to be had.
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

    /// Sends a request and returns when the head of the response is there, whatever its status.
    public func send(_ request: HTTPRequest) async throws(HTTPTransportError) -> HTTPResponse {
        let address = try HTTPAddress(url: request.url)
        try Self.check(request)
        while true {
            let sent = try await attempt(request, address: address)
            if case .failure(.shutDown) = sent, !engines.withLock({ $0.isShutDown }) {
                // Its engine ended between the choice and the start, so that nothing was sent.
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

        // The channel has to reach a transfer that is made with it. It must not keep it: the transfer keeps the channel.
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

    /// What would let a value become another header, or another request.
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

    /// RFC 9110, section 5.6.2.
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

/// From a body back to its transfer, and what keeps the transport alive while a body is being read.
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
