/// One plain HTTP request and its response, over a connection to the server that is used for nothing else.
///
/// The response may begin before the request's body has ended. Nothing is kept but what one side does not take now.
final class Exchange {
    enum Outcome {
        case going(sent: Int, received: Int)
        /// The response is complete.
        /// - keepsClient: the next request may follow on the client's connection.
        case complete(sent: Int, received: Int, keepsClient: Bool)
        /// No byte of a final response has gone to the client: it can be answered.
        case failed(ProxyAnswer)
        /// The client's connection is to be reset, so that it does not take what it got for everything.
        case broken
    }

    private let request: ProxyRequest
    private let destination: Destination
    private let client: StreamSocket
    private let server: StreamSocket
    private let scratch: UnsafeMutableRawBufferPointer

    private var requestBody: BodyScanner
    private var responseHead: HeadCollector
    /// Nil until the final head has arrived.
    private var responseBody: BodyScanner?
    private var closesClient: Bool
    /// Bytes of the client that were read, and not passed on yet; at the end the beginning of its next request.
    private(set) var leftover: ArraySlice<UInt8>
    private var sent = 0
    private var received = 0

    /// - Parameters:
    ///   - leftover: what was read of the client after the head.
    ///   - closesClient: whether the client's connection ends after this exchange.
    init(
        _ request: ProxyRequest, to destination: Destination, client: StreamSocket, server: StreamSocket, leftover: [UInt8], closesClient: Bool,
        headLimit: Int, scratch: UnsafeMutableRawBufferPointer
    ) {
        self.request = request
        self.destination = destination
        self.client = client
        self.server = server
        self.leftover = leftover[...]
        self.closesClient = closesClient
        self.scratch = scratch
        requestBody = BodyScanner(request.framing)
        responseHead = HeadCollector(limit: headLimit)
    }

    var hasAnswered: Bool { responseBody != nil }

    var isHalfClosed: Bool { client.hungUp || client.hasEnded || server.hasEnded }

    /// Called when either socket is ready.
    func pump() -> Outcome {
        sent = 0
        received = 0
        guard !client.isBroken else { return .broken }
        do throws(HTTPSyntaxError) {
            guard try passRequest() else { return .broken }
        } catch {
            return responseBody == nil ? .failed(.malformed(error)) : .broken
        }
        if let outcome = passResponse() { return outcome }
        client.isReading = wantsRequestBytes && leftover.isEmpty
        if requestBody.isComplete, !client.hungUp, !client.watchesForHangup { client.watchesForHangup = true }
        server.isReading = client.isFlushed && !server.hasEnded
        return .going(sent: sent, received: received)
    }

    /// A server that takes no more of the body may still answer.
    private var wantsRequestBytes: Bool { !requestBody.isComplete && server.isFlushed && !server.isBroken }

    /// - Returns: false when the client has ended in the middle of its body.
    private func passRequest() throws(HTTPSyntaxError) -> Bool {
        for _ in 0..<4 where wantsRequestBytes {
            if !leftover.isEmpty {
                let taken = try requestBody.take(leftover)
                leftover.prefix(taken).withUnsafeBytes { server.write($0) }
                sent += taken
                leftover = leftover.dropFirst(taken)
                continue
            }
            switch client.read() {
            case .bytes(let count):
                let bytes = UnsafeRawBufferPointer(rebasing: scratch[..<count])
                let taken = try requestBody.take(bytes)
                sent += taken
                server.write(UnsafeRawBufferPointer(rebasing: bytes[..<taken]))
                if taken < count { leftover = Array(bytes[taken...])[...] }
                if count < scratch.count { return true }
            case .end, .failed: return false
            case .nothingNow: return true
            }
        }
        return true
    }

    private func passResponse() -> Outcome? {
        for _ in 0..<4 {
            if let responseBody, responseBody.isComplete { return complete() }
            guard client.isFlushed else { return nil }
            switch server.read() {
            case .bytes(let count):
                received += count
                let bytes = UnsafeRawBufferPointer(rebasing: scratch[..<count])
                if responseBody == nil {
                    responseHead.append(bytes)
                    do throws(HTTPSyntaxError) { try readHeads() } catch {
                        return responseBody == nil ? .failed(.badResponse(destination, error.message)) : .broken
                    }
                } else if !passBody(bytes) {
                    return .broken
                }
            case .nothingNow: return nil
            case .end:
                guard let responseBody else { return .failed(.noResponse(destination)) }
                return responseBody.endsAtClose ? complete() : .broken
            case .failed: return responseBody == nil ? .failed(.noResponse(destination)) : .broken
            }
        }
        if let responseBody, responseBody.isComplete { return complete() }
        return nil
    }

    /// Passes on the heads that have arrived: interim ones, and the final one with the beginning of its body.
    private func readHeads() throws(HTTPSyntaxError) {
        while responseBody == nil, let lines = try responseHead.takeHead() {
            let head = try ResponseHead(lines: lines)
            let framing = try head.framing(requestMethod: request.method)
            if head.isInterim {
                guard head.status != 101 else { throw HTTPSyntaxError("101, although no other protocol was asked for") }
                // HTTP/1.0 has no interim responses.
                if !request.isHTTP10 { client.write(ForwardedHeads.response(head, framing: .none, closes: false)) }
                continue
            }
            guard !(request.isHTTP10 && framing == .chunked) else { throw HTTPSyntaxError("chunks to an HTTP/1.0 request") }
            // Early answers: the rest of the request's body is not waited for.
            closesClient = closesClient || framing == .untilClose || !requestBody.isComplete
            client.write(ForwardedHeads.response(head, framing: framing, closes: closesClient))
            responseBody = BodyScanner(framing)
        }
        guard responseBody != nil else { return }
        let rest = responseHead.takeRest()
        let isGood = rest.withUnsafeBytes { passBody($0) }
        if !isGood { throw HTTPSyntaxError("a malformed body") }
    }

    /// Bytes after the end of the body are dropped, and the connection with them.
    private func passBody(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard var body = responseBody, let taken = try? body.take(bytes) else { return false }
        responseBody = body
        client.write(UnsafeRawBufferPointer(rebasing: bytes[..<taken]))
        return true
    }

    private func complete() -> Outcome {
        .complete(sent: sent, received: received, keepsClient: !closesClient && requestBody.isComplete)
    }
}
