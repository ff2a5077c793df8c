import Base

extension HTTPTransport {
    /// Whether an address is `https`, or `http` on this machine.
    public static func isPrivate(_ url: String) -> Bool {
        guard let address = try? HTTPAddress(url: url) else { return false }
        return address.scheme == "https" || address.isLoopback
    }

    /// Sends a request and follows redirects, to private addresses only (`isPrivate`). For downloads whose content is verified: files of releases and
    /// fixtures often lie on another host than the one that lists them.
    ///
    /// - Parameter request: without a credential, because the headers go to each host.
    /// - Returns: the first answer that is no redirect.
    /// - Throws: `.invalidRequest` for a redirect to another address, or after `limit` redirects.
    public func download(_ request: HTTPRequest, redirects limit: Int = 5) async throws(HTTPTransportError) -> HTTPResponse {
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
            guard Self.isPrivate(request.url) else {
                throw .invalidRequest("it is redirected to \(target.replacingControls), which is no https:// address")
            }
        }
        throw .invalidRequest("it is redirected more than \(limit) times")
    }
}
