import HTTPTransport
import KubeCore

/// The lines of one watch, as bytes. Ends when the server ends it; throws when the connection fails. A line that was cut off by either
/// is not delivered. One reader.
public struct WatchLines: AsyncSequence, Sendable {
    public typealias Element = [UInt8]
    public typealias Failure = KubeError

    private let body: HTTPBody

    /// Lines of any body; for tests of what reads them.
    public init(_ body: HTTPBody) { self.body = body }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(body: body.makeAsyncIterator()) }

    public struct AsyncIterator: AsyncIteratorProtocol {
        private var body: HTTPBody.AsyncIterator
        private var splitter = LineSplitter()
        /// Newest first, so that taking one is cheap.
        private var ready: [[UInt8]] = []

        init(body: HTTPBody.AsyncIterator) { self.body = body }

        /// The next line, without its line feed; nil when the server has ended the watch.
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
