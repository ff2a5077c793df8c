import Base

/// What all connections of a proxy share.
final class ProxyContext: Sendable {
    let policy: EgressPolicy
    let limits: EgressLimits
    let resolver: ResolverThreads
    let metrics: EgressMetrics
    let log: Log
    let book: Locked<ConnectionBook>
    let denials = Locked(DenialBook())
    private let keys: SigningKeys
    private let time: any TimeSource
    private let startTime: Timestamp

    init(_ configuration: EgressProxy.Configuration, limits: EgressLimits) {
        policy = configuration.policy
        self.limits = limits
        resolver = ResolverThreads(configuration.resolver)
        metrics = EgressMetrics(configuration.metrics)
        log = configuration.log
        keys = configuration.keys
        time = configuration.time
        startTime = time.now()
        book = Locked(ConnectionBook(limits))
    }

    /// A token whose signature is right; it may have expired.
    struct Credentials: Sendable {
        let token: EgressToken
        /// Tells tokens apart without holding their text: their signature's hash.
        let id: String
        /// Seconds until the token expires; negative afterwards.
        let secondsLeft: Double
    }

    /// - Throws: the answer for a client without valid credentials.
    func credentials(of request: ProxyRequest) throws(Refusal) -> Credentials {
        guard let text = request.credentials else { throw Refusal(answer: .unauthenticated("the request has no token")) }
        let token: EgressToken
        do { token = try EgressToken(verifying: text, keys: keys()) } catch { throw Refusal(answer: .unauthenticated("\(error)")) }
        let now = time.now()
        let left = Double(token.expires.seconds - now.seconds) - Double(now.nanoseconds) / 1e9
        return Credentials(token: token, id: SHA256.hex(of: text.utf8), secondsLeft: left)
    }

    struct Refusal: Error { let answer: ProxyAnswer }

    /// Notes a denial and makes its answer.
    func deny(_ destination: Destination, _ token: EgressToken, _ reason: DenialReason) -> ProxyAnswer {
        let answer = ProxyAnswer.denied(destination, token, reason)
        let now = time.now()
        let isNew = denials.withLock { $0.add(token, destination, reason, message: answer.text, at: now) }
        if isNew {
            var fields: [String: JSONValue] = [
                "run": .string(token.run), "phase": .string(token.phase), "host": .string(destination.host.bare),
                "port": .int(Int64(destination.port)), "reason": .string(reason.code),
            ]
            if let step = token.step { fields["step"] = .string(step) }
            // Further requests of the same kind are only counted.
            log.info("denied", fields)
        }
        return answer
    }

    func report(of run: String) -> EgressDenialReport {
        let (denials, omitted) = denials.withLock { $0.denials(of: run) }
        return EgressDenialReport(run: run, proxyStartTime: startTime, denials: denials, omitted: omitted)
    }

    /// The public addresses of this machine among the given ones. Others of its addresses are not reachable unless listed anyway.
    func own(among addresses: [IPAddress]) -> Set<IPAddress> {
        Set(addresses.map(\.unmapped).filter { AddressClass(of: $0) == .public && LocalAddress.isOwn($0) })
    }

    /// A connection begins to use a token. Nil when it may; `book.release` ends it.
    func objection(to credentials: Credentials, by client: EgressClient) -> ProxyAnswer? {
        let now = time.now()
        switch book.withLock({ $0.use(credentials.id, expires: credentials.token.expires, by: client, at: now) }) {
        case .allowed: return nil
        case .otherClient: return .otherClient
        case .full: return .tooManyOfToken
        }
    }
}
