/// The head of a response, and its body as it arrives.
public struct HTTPResponse: Sendable {
    public var status: Int
    public var headers: HTTPHeaders
    public var body: HTTPBody

    public init(status: Int, headers: HTTPHeaders, body: HTTPBody) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}

/// The bytes of a body, in the chunks in which they arrive.
///
/// One reader at a time; a chunk that one iterator has taken is not seen by another. Only a bounded amount is buffered: when the
/// reader is slower than the network, receiving stops. Dropping every copy of the body, or cancelling the task that reads it,
/// aborts the transfer.
public struct HTTPBody: AsyncSequence, Sendable {
    public typealias Element = [UInt8]
    public typealias Failure = HTTPTransportError

    private let source: BodySource

    init(source: BodySource) { self.source = source }

    /// A body whose bytes are already known.
    public init(_ bytes: [UInt8]) { source = BodySource(bytes: bytes) }

    /// Keeps the token alive until this body has been read to its end, has failed, or is dropped by everybody.
    public func holding(_ token: any Sendable) -> HTTPBody {
        source.hold(token)
        return self
    }

    public struct AsyncIterator: AsyncIteratorProtocol {
        let source: BodySource

        /// The next bytes, never empty; nil after the end of a complete body.
        public mutating func next(
            isolation actor: isolated (any Actor)? = #isolation
        ) async throws(HTTPTransportError) -> [UInt8]? {
            try await source.next()
        }
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(source: source) }

    /// Reads to the end.
    ///
    /// - Throws: ``HTTPTransportError/bodyTooLarge(limit:)`` as soon as there are more than `limit` bytes.
    public func collect(upTo limit: Int) async throws(HTTPTransportError) -> [UInt8] {
        guard var all = try await source.next() else { return [] }
        while true {
            guard all.count <= limit else {
                source.abandon()
                throw .bodyTooLarge(limit: limit)
            }
            guard let more = try await source.next() else { return all }
            all += more
        }
    }
}
