import HTTPTransport
import KubeCore

/// The lines of one watch, as bytes. Ends when the server ends the watch; throws when the connection fails. An incomplete last line is not delivered.
/// For one reader.
public struct WatchLines: AsyncSequence, Sendable {
    public typealias Element = [UInt8]
    public typealias Failure = KubeError

    private let body: HTTPBody

    /// The lines of any body; for tests.
    public init(_ body: HTTPBody) { self.body = body }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(body: body.makeAsyncIterator()) }

    public struct AsyncIterator: AsyncIteratorProtocol {
        private var body: HTTPBody.AsyncIterator
        private var splitter = LineSplitter()
        /// In reverse order, so that the next line is removed from the end.
        private var ready: [[UInt8]] = []

        init(body: HTTPBody.AsyncIterator) { self.body = body }

        /// The next line without its line feed; nil when the server has ended the watch.
        public mutating func next(
            isolation actor: isolated (any Actor)? = #isolation
        ) async throws(KubeError) -> [UInt8]? {
            while true {
                if let line = ready.popLast() { return line }
                let chunk: [UInt8]?
                do { chunk = try await body.next(isolation: actor) } catch { throw .transport(error) }
                guard let chunk else { return nil }
                ready = try splitter.append(chunk).reversed()
            }
        }
    }
}
