import Base

/// The addresses that a download may use.
public enum WebAddresses: Sendable, Hashable {
    /// `https` only. For an operator on a cluster: what listens on its pod's loopback is not for the users who write addresses into jobs.
    case encrypted
    /// `https`, and `http` on this machine.
    case encryptedOrLoopback
    /// `http` of any host as well.
    case all

    public func allow(_ url: String) -> Bool {
        guard let address = try? HTTPAddress(url: url) else { return false }
        return switch self {
        case .encrypted: address.scheme == "https"
        case .encryptedOrLoopback: address.scheme == "https" || address.isLoopback
        case .all: true
        }
    }
}

extension HTTPTransport {
    /// Sends a request and follows redirects. For downloads whose content is verified: files of releases and fixtures often lie on another host than
    /// the one that lists them.
    ///
    /// - Parameters:
    ///   - request: without a credential, because the headers go to each host.
    ///   - addresses: where a redirect may lead.
    /// - Returns: the first answer that is no redirect.
    /// - Throws: `.invalidRequest` for a redirect to another address, or after `limit` redirects.
    public func download(_ request: HTTPRequest, to addresses: WebAddresses, redirects limit: Int = 5) async throws(HTTPTransportError)
        -> HTTPResponse
    {
        var request = request
        for _ in 0...limit {
            let response = try await send(request)
            guard (300..<400).contains(response.status), let target = response.headers["Location"] else { return response }
            if target.hasPrefix("/"), !target.hasPrefix("//") {
                let address = try HTTPAddress(url: request.url)
                request.url = "\(address.scheme)://\(address.hostHeader)\(target)"
            } else {
                request.url = target
            }
            guard addresses.allow(request.url) else {
                throw .invalidRequest("it is redirected to \(target.replacingControls), which is no https:// address")
            }
        }
        throw .invalidRequest("it is redirected more than \(limit) times")
    }
}
