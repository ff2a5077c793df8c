/// What a proxy changes in the heads that it passes on (RFC 9110, section 7.6).
enum ForwardedHeads {
    /// For one connection only. Transfer-Encoding is written anew from the framing.
    private static let hopByHop: Set<String> = [
        "connection", "proxy-connection", "keep-alive", "proxy-authorization", "proxy-authenticate", "proxy-authentication-info", "te",
        "transfer-encoding", "upgrade",
    ]
    private static let via = "assay-egress"

    /// The head of the request for the server. Each request has a connection to the server of its own, which ends with it: bytes that two
    /// readers would split differently can never become a second request there.
    static func request(_ request: ProxyRequest, authority: String, path: String) -> [UInt8] {
        let version = request.isHTTP10 ? "1.0" : "1.1"
        var fields = endToEnd(request.fields)
        fields.removeAll { $0.key == "host" }
        var out = Array("\(request.method) \(path) HTTP/\(version)\r\nHost: \(authority)\r\n".utf8)
        fields.write(to: &out)
        if request.framing == .chunked { out += "Transfer-Encoding: chunked\r\n".utf8 }
        out += "Via: \(version) \(via)\r\nConnection: close\r\n\r\n".utf8
        return out
    }

    /// The head of the response for the client.
    /// - Parameter closes: the connection to the client ends with this response.
    static func response(_ response: ResponseHead, framing: BodyFraming, closes: Bool) -> [UInt8] {
        var out = Array("HTTP/1.1 \(response.status) ".utf8) + response.phrase + Array("\r\n".utf8)
        endToEnd(response.fields).write(to: &out)
        if framing == .chunked { out += "Transfer-Encoding: chunked\r\n".utf8 }
        out += "Via: \(response.isHTTP10 ? "1.0" : "1.1") \(via)\r\n".utf8
        if closes { out += "Connection: close\r\n".utf8 }
        out += "\r\n".utf8
        return out
    }

    private static func endToEnd(_ fields: HeaderFields) -> HeaderFields {
        let named = Set(fields.words("connection") + fields.words("proxy-connection"))
        var kept = fields
        kept.removeAll { hopByHop.contains($0.key) || named.contains($0.key) }
        return kept
    }
}
