import Base
import HTTPTransport

/// Gets a registry.json by its address.
///
/// Redirects are not followed, because the address that answers in the end would not be the one that the user wrote.
public struct RegistryDownload: Sendable {
    /// The most bytes of a registry; large ones have some thousand tasks.
    public static let limit = 32 << 20

    private let transport: HTTPTransport
    private let tls: TLSOptions
    private let addresses: WebAddresses

    /// - Parameters:
    ///   - tls: which servers to trust; by default those of the system.
    public init(transport: HTTPTransport = .shared, tls: TLSOptions = TLSOptions(), addresses: WebAddresses) {
        self.transport = transport
        self.tls = tls
        self.addresses = addresses
    }

    /// Why there is no registry.
    public struct Failure: Error, Sendable, Hashable, CustomStringConvertible {
        public let description: String
        /// Whether a later try may succeed.
        public let isTransient: Bool
    }

    public func bytes(_ url: String) async throws(Failure) -> [UInt8] {
        guard addresses.allow(url) else {
            throw Failure(description: "must be an https:// address, not \"\(url.replacingControls)\"", isTransient: false)
        }
        let answer: (status: Int, location: String?, body: [UInt8])
        do {
            let response = try await transport.send(HTTPRequest(url: url, timeouts: HTTPTimeouts(connect: 20, total: 120), tls: tls))
            answer = (response.status, response.headers["Location"], try await response.body.collect(upTo: Self.limit))
        } catch {
            throw Failure(description: "cannot get \(url): \(error)", isTransient: true)
        }
        guard answer.status == 200 else {
            let target = answer.location.map { "; it redirects to \($0.replacingControls)" } ?? ""
            throw Failure(
                description: "\(url) answered with status \(answer.status)\(target)", isTransient: answer.status >= 500 || answer.status == 429)
        }
        return answer.body
    }
}
