import Base
import HTTPTransport
import KubeCore

/// A client of one API server.
///
/// Guarantees
/// - Every answer without success is thrown as ``KubeError/status(_:)``, whether or not its body is a `Status`.
/// - When a refusal has a `Retry-After` (429, or 5xx for idempotent requests), the request is sent again after that time, up to ten times. After a
///   401 the request is sent once more with a new credential, if there is one.
/// - Credentials are sent only to the configured server and are never part of an error.
/// - The number of concurrent calls is limited by the budgets. The timeout of a call starts when the call starts.
/// - Cancelling the task ends the request.
///
/// Assumptions: the server is a Kubernetes API server of version 1.28 or newer, or behaves like one.
///
/// Caveats: a `create` whose answer was lost may have succeeded. Use deterministic names, and treat `AlreadyExists` as a possible success. Watches
/// are not retried here; the reflector does that.
public final class KubeClient: Sendable {
    public let config: KubeConfig
    private let transport: HTTPTransport
    private let time: any TimeSource
    private let authenticator: Authenticator
    private let bucket: Locked<TokenBucket>?
    let budgets: CallBudgets?
    private let log: Log
    private let metrics: RequestMetrics?
    /// Without a slash at the end.
    private let base: String

    /// The limit for an answer, in bytes. An unpaged list of 10,000 large pods is smaller.
    static let responseLimit = 512 << 20
    /// Longer than the 60 s after which the server gives up. Seconds.
    static let silence = 65.0

    /// - Parameter budgets: the limits for concurrent calls; nil: no limit.
    public init(
        config: KubeConfig, transport: HTTPTransport = .shared, budgets: CallBudgets? = CallBudgets(),
        time: any TimeSource = SystemTime(), metrics: RequestMetrics? = nil, log: Log = Log("kube-client")
    ) {
        self.config = config
        self.transport = transport
        self.budgets = budgets
        self.time = time
        self.metrics = metrics
        self.log = log
        authenticator = Authenticator(config.credential, time: time, log: log)
        bucket = config.rateLimit.map { Locked(TokenBucket($0)) }
        var base = config.server
        while base.hasSuffix("/") { base.removeLast() }
        self.base = base
    }

    /// A client of the same server that shares no budget and no connection with this one, so that its calls never wait for others. A cancelled call
    /// closes its connection, so that the next call does not use a dead one.
    public func apart() -> KubeClient {
        KubeClient(config: config, transport: HTTPTransport(sharesConnections: false), budgets: nil, time: time, metrics: metrics, log: log)
    }

    /// Sends a request and reads the whole answer. For requests without a function of their own, such as `/version`.
    public func send(_ request: KubeRequest) async throws(KubeError) -> KubeResponse {
        let response = try await open(
            request, timeouts: HTTPTimeouts(idle: Self.silence), waits: true, reading: .whole(limit: Self.responseLimit),
            budget: budgets?.calls)
        do {
            let body = try await response.body.collect(upTo: Self.responseLimit)
            return KubeResponse(request: request, code: response.status, headers: response.headers, body: body)
        } catch {
            throw .transport(error)
        }
    }

    /// Sends a request. Returns a successful answer as soon as its head has arrived.
    ///
    /// - Parameters:
    ///   - waits: whether to wait and retry after a refusal with `Retry-After`.
    ///   - budget: the limit that the call counts against until its body has been read or dropped.
    func open(
        _ request: KubeRequest, timeouts: HTTPTimeouts, waits: Bool, reading: HTTPReading = .streamed, budget: CallBudget? = nil
    ) async throws(KubeError) -> HTTPResponse {
        var attempts = 0
        var signedAgain = false
        while true {
            try await takeTurn()
            let signature = try await authenticator.signature()
            var response: HTTPResponse
            do {
                let place = try await budget?.enter()
                response = try await measured(request) { () throws(HTTPTransportError) in
                    try await transport.send(httpRequest(request, signature, timeouts, reading))
                }
                if let place { response.body = response.body.holding(place) }
            } catch let error as HTTPTransportError {
                throw .transport(error)
            } catch {
                throw .transport(.cancelled)
            }
            if (200..<300).contains(response.status) { return response }
            let status = try await failure(request, response)
            if status.code == 401, !signedAgain, await authenticator.rejected(signature) {
                signedAgain = true
                continue
            }
            let wanted = response.headers["Retry-After"] == nil ? nil : status.retryAfterSeconds
            guard waits,
                let delay = RetryRule.delay(
                    code: status.code, retryAfter: wanted, isIdempotent: request.isIdempotent, attempts: attempts)
            else { throw .status(status) }
            attempts += 1
            try await wait(Double(delay))
        }
    }

    private func measured(
        _ request: KubeRequest, _ send: () async throws(HTTPTransportError) -> HTTPResponse
    ) async throws(HTTPTransportError) -> HTTPResponse {
        guard let metrics else { return try await send() }
        let begin = time.monotonic()
        do {
            let response = try await send()
            metrics.ended(request, code: response.status, after: time.monotonic() - begin)
            return response
        } catch {
            // A request that its caller gave up says nothing about the server.
            if error != .cancelled { metrics.ended(request, code: nil, after: time.monotonic() - begin) }
            throw error
        }
    }

    private func failure(_ request: KubeRequest, _ response: HTTPResponse) async throws(KubeError) -> KubeStatus {
        var body: [UInt8] = []
        do { body = try await response.body.collect(upTo: 1 << 20) } catch HTTPTransportError.cancelled {
            throw .transport(.cancelled)
        } catch {
            // If the body cannot be read, the error has only the status code.
        }
        return KubeStatus(
            httpCode: response.status, body: body, retryAfter: response.headers["Retry-After"],
            request: request.summary)
    }

    private func httpRequest(
        _ request: KubeRequest, _ signature: Signature, _ timeouts: HTTPTimeouts, _ reading: HTTPReading
    ) -> HTTPRequest {
        var headers: HTTPHeaders = ["Accept": request.accept, "User-Agent": config.userAgent]
        if let type = request.contentType { headers["Content-Type"] = type }
        if let authorization = signature.authorization { headers["Authorization"] = authorization }
        if let acting = config.impersonation {
            headers["Impersonate-User"] = acting.user
            if let uid = acting.uid { headers["Impersonate-Uid"] = uid }
            for group in acting.groups { headers.add("Impersonate-Group", group) }
        }
        var tls = config.tls
        if let certificate = signature.certificate, let key = signature.key {
            tls.clientCertificate = .data(certificate)
            tls.clientKey = .data(key)
        }
        return HTTPRequest(
            method: request.method, url: base + request.target, headers: headers, body: request.body,
            timeouts: timeouts, tls: tls, proxy: config.proxy, reading: reading)
    }

    private func takeTurn() async throws(KubeError) {
        guard let bucket else { return }
        let delay = bucket.withLock { $0.take(now: time.monotonic()) }
        if delay > 0 { try await wait(delay) }
    }

    private func wait(_ seconds: Double) async throws(KubeError) {
        do { try await time.sleep(seconds: seconds) } catch { throw .transport(.cancelled) }
    }
}

/// A successful answer.
public struct KubeResponse: Sendable {
    let request: KubeRequest
    /// 200 to 299.
    public let code: Int
    public let headers: HTTPHeaders
    public let body: [UInt8]

    /// Decodes the part of the body that `projection` names.
    public func json(keeping projection: ObjectProjection = .whole) throws(KubeError) -> JSONValue {
        do { return try JSONValue(parsing: body, keeping: projection.json) } catch {
            throw .malformed("the answer to \(request.summary) is not JSON: \(error)")
        }
    }
}
