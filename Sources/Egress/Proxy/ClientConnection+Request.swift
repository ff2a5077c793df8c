import Base

extension ClientConnection {
    private enum Path { static let denials = ProxyRequest.ownPrefix + "denials" }
    /// Of one name; the rest is not looked at.
    private static var maximumAddresses: Int { 32 }

    /// Authenticates a request and decides what happens with it.
    func handle(_ request: ProxyRequest) {
        generation += 1
        let kind: EgressMetrics.Kind =
            switch request.target {
            case .tunnel: .connect
            case .forward: .http
            case .own: .own
            }
        let credentials: ProxyContext.Credentials
        do throws(ProxyContext.Refusal) { credentials = try context.credentials(of: request) } catch {
            return answer(error.answer, request, kind)
        }
        switch request.target {
        case .own(let path): answerOwn(path, request, credentials)
        case .tunnel(let destination), .forward(let destination, _, _):
            let token = credentials.token
            if credentials.secondsLeft <= 0 { return answer(context.deny(destination, token, .tokenExpired), request, kind) }
            if let objection = count(credentials) { return answer(objection, request, kind) }
            let admitted = Admitted(
                request: request, destination: destination, token: token, tokenDeadline: loop.now + credentials.secondsLeft, kind: kind)
            var own: Set<IPAddress> = []
            if case .address(let address) = destination.host { own = context.own(among: [address]) }
            switch context.policy.admission(to: destination, by: token.grant, own: own) {
            case .denied(let reason): answer(context.deny(destination, token, reason), request, kind)
            case .connect(let addresses): dial(addresses, admitted)
            case .resolve(let name): resolve(name, admitted)
            }
        }
    }

    /// The proxy's own pages. A token that has expired is enough to read what its run was denied.
    private func answerOwn(_ path: String, _ request: ProxyRequest, _ credentials: ProxyContext.Credentials) {
        guard !context.book.withLock({ $0.isBound(credentials.id, toOtherThan: source) }) else { return answer(.otherClient, request, .own) }
        guard path == Path.denials else { return answer(.own(404, "assay egress: there is only \(Path.denials)"), request, .own) }
        guard request.method == "GET" || request.method == "HEAD" else { return answer(.own(405, "assay egress: use GET"), request, .own) }
        let report = context.report(of: credentials.token.run)
        let text = String(decoding: report.json.serialized(), as: UTF8.self)
        answer(.own(200, text, contentType: "application/json"), request, .own)
    }

    /// Counts the connection for the token. A connection that changes its token is counted for the latest one.
    private func count(_ credentials: ProxyContext.Credentials) -> ProxyAnswer? {
        guard countedToken != credentials.id else { return nil }
        if let before = countedToken {
            context.book.withLock { $0.release(before) }
            countedToken = nil
        }
        if let objection = context.objection(to: credentials, by: source) { return objection }
        countedToken = credentials.id
        return nil
    }

    private func resolve(_ name: HostName, _ admitted: Admitted) {
        phase = .resolving(admitted)
        waitForServer(until: min(loop.now + context.limits.resolveSeconds, admitted.tokenDeadline))
        let (mailbox, id, generation) = (worker.mailbox, id, generation)
        let isAccepted = context.resolver.resolve(name, for: admitted.token.run) { result in
            mailbox.post(.resolved(connection: id, generation: generation, result))
        }
        if !isAccepted { answer(.resolverBusy, admitted.request, admitted.kind) }
    }

    func resolved(_ result: Result<[IPAddress], HostResolutionError>, generation: Int) {
        guard case .resolving(let admitted) = phase, generation == self.generation else { return }
        switch result {
        case .failure(let error): answer(.unresolved(admitted.destination, error.description), admitted.request, admitted.kind)
        case .success(let addresses) where addresses.isEmpty:
            answer(.unresolved(admitted.destination, "it has no address"), admitted.request, admitted.kind)
        case .success(let all):
            let addresses = Array(all.prefix(Self.maximumAddresses))
            let (destination, grant) = (admitted.destination, admitted.token.grant)
            switch context.policy.verdict(on: addresses, of: destination, by: grant, own: context.own(among: addresses)) {
            case .denied(let reason): answer(context.deny(admitted.destination, admitted.token, reason), admitted.request, admitted.kind)
            case .connect(let allowed): dial(allowed, admitted)
            }
        }
    }

    /// - Parameter addresses: that were checked; no others are connected to.
    private func dial(_ addresses: [IPAddress], _ admitted: Admitted) {
        let dialer = Dialer(addresses, port: admitted.destination.port, on: loop) { [weak self] outcome in
            guard let self else { return }
            switch outcome {
            case .connected(let descriptor, _): connected(descriptor, admitted)
            case .failed(let number): answer(.unreachable(admitted.destination, errno: number), admitted.request, admitted.kind)
            }
            // After a failure the next request may already be in the input.
            resume()
        }
        let end = min(loop.now + context.limits.connectSeconds, admitted.tokenDeadline)
        phase = .dialing(admitted, dialer, deadline: end)
        waitForServer(until: end)
        dialer.start()
        if case .dialing = phase { deadline = min(end, dialer.nextAttempt) }
    }

    private func connected(_ descriptor: Int32, _ admitted: Admitted) {
        guard let client else { return }
        let server = StreamSocket(descriptor, on: loop, owner: self)
        client.watchesForHangup = false
        switch admitted.request.target {
        case .forward(_, let authority, let path):
            server.write(ForwardedHeads.request(admitted.request, authority: authority, path: path))
            let exchange = Exchange(
                admitted.request, to: admitted.destination, client: client, server: server, leftover: input.takeRest(),
                closesClient: admitted.request.wantsClose || worker.isDraining, headLimit: context.limits.headBytes, scratch: loop.scratch)
            begin(exchange, server: server, admitted)
        case .tunnel, .own:
            context.metrics.request(admitted.kind, "allowed")
            client.write(Array("HTTP/1.1 200 Connection established\r\n\r\n".utf8))
            server.write(input.takeRest())
            begin(Tunnel(client: client, server: server, scratch: loop.scratch), server: server, admitted)
        }
    }

    /// The phase of the token is over while its request is being prepared.
    func expire(_ admitted: Admitted) {
        if case .dialing(_, let dialer, _) = phase { dialer.cancel() }
        answer(context.deny(admitted.destination, admitted.token, .tokenExpired), admitted.request, admitted.kind)
    }

    /// The client is not read from; that it has gone is noticed.
    private func waitForServer(until end: Double) {
        client?.isReading = false
        client?.watchesForHangup = true
        deadline = end
    }
}
