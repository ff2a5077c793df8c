import Base
import HTTPTransport
import KubeCore

/// A client of one API server.
///
/// Guarantees
/// - Every answer that is not a success is a ``KubeError/status(_:)``, whether or not its body is a `Status`.
/// - A refusal that says when to come back (429, or 5xx for idempotent requests, with `Retry-After`) is waited for, up to
///   ten times. A 401 is answered once with a fresh credential, when there is one.
/// - Credentials go to the configured server only, and stand in no error.
/// - Only so many calls are under way at once as its budgets allow; the others wait, and their timeouts do not run yet.
/// - Cancelling the task ends the request.
///
/// Assumptions: the server is a Kubernetes API server of 1.28 or newer, or answers like one.
///
/// Caveats: a `create` whose answer was lost may have happened. Give objects deterministic names and treat
/// `AlreadyExists` as an answer. Watches are not retried here: that is the reflector's business.
public final class KubeClient: Sendable {
    public let config: KubeConfig
    private let transport: HTTPTransport
    private let time: any TimeSource
    private let authenticator: Authenticator
    private let bucket: Locked<TokenBucket>?
    let budgets: CallBudgets?
    private let log: Log
    /// Without the slash at the end.
    private let base: String

    /// Bytes of an answer that are held at most; an unpaged list of 10,000 large pods stays below.
    static let responseLimit = 512 << 20
    /// The server gives up on its side after 60 s. Seconds.
    static let silence = 65.0

    /// - Parameter budgets: nil lets any number of calls be under way.
    public init(
        config: KubeConfig, transport: HTTPTransport = .shared, budgets: CallBudgets? = CallBudgets(),
        time: any TimeSource = SystemTime(), log: Log = Log("kube-client")
    ) {
        self.config = config
        self.transport = transport
        self.budgets = budgets
        self.time = time
        self.log = log
        authenticator = Authenticator(config.credential, time: time, log: log)
        bucket = config.rateLimit.map { Locked(TokenBucket($0)) }
        var base = config.server
        while base.hasSuffix("/") { base.removeLast() }
        self.base = base
    }

    /// A client of the same server that shares nothing with this one: its calls wait behind nobody else's, neither for a place nor
    /// on a connection. A call that is cancelled takes its connection with it, so that the next one cannot wait on a dead one.
    public func apart() -> KubeClient {
        KubeClient(config: config, transport: HTTPTransport(sharesConnections: false), budgets: nil, time: time, log: log)
    }

    /// Sends a request and reads the whole answer. For what the other functions do not cover, such as `/version`.
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

    /// Sends a request and returns its successful answer as soon as the head is there.
    ///
    /// - Parameters:
    ///   - waits: whether refusals with `Retry-After` are waited for.
    ///   - budget: where the call takes a place, until its body has been read to the end or dropped.
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
                response = try await transport.send(httpRequest(request, signature, timeouts, reading))
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

    private func failure(_ request: KubeRequest, _ response: HTTPResponse) async throws(KubeError) -> KubeStatus {
        var body: [UInt8] = []
        do { body = try await response.body.collect(upTo: 1 << 20) } catch HTTPTransportError.cancelled {
            throw .transport(.cancelled)
        } catch {
            // The code alone says enough.
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

    /// The part of the body that `projection` names, as JSON.
    public func json(keeping projection: ObjectProjection = .whole) throws(KubeError) -> JSONValue {
        do { return try JSONValue(parsing: body, keeping: projection.json) } catch {
            throw .malformed("the answer to \(request.summary) is not JSON: \(error)")
        }
    }
}
