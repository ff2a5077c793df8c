import Base
import HTTPServing

/// An answer that the proxy makes itself.
struct ProxyAnswer: Sendable, Hashable {
    let status: Int
    /// One line without its end, or JSON.
    let text: String
    /// The reason phrase. Many clients show it when a CONNECT fails, and never the body.
    let phrase: String
    /// The parameters of Proxy-Status (RFC 9209), which tells the proxy's answers from a server's.
    let proxyStatus: String
    /// A word for metrics; one of a fixed few.
    let result: String
    var contentType = "text/plain; charset=utf-8"

    func bytes(closes: Bool, withBody: Bool) -> [UInt8] {
        let body = Array(text.utf8) + [0x0A]
        var head = "HTTP/1.1 \(status) \(phrase)\r\nContent-Type: \(contentType)\r\nContent-Length: \(body.count)\r\n"
        if !proxyStatus.isEmpty { head += "Proxy-Status: assay-egress; \(proxyStatus)\r\n" }
        if status == 407 { head += "Proxy-Authenticate: Basic realm=\"assay egress\"\r\n" }
        if closes { head += "Connection: close\r\n" }
        return Array((head + "\r\n").utf8) + (withBody ? body : [])
    }

    static func denied(_ destination: Destination, _ token: EgressToken, _ reason: DenialReason) -> ProxyAnswer {
        let phase = token.step.map { "\(token.phase) of step \($0)" } ?? token.phase
        return ProxyAnswer(
            status: 403, text: "assay egress: denied \(destination) in phase \(phase): \(reason.explanation)",
            phrase: "Denied by assay egress: \(destination) in phase \(phase): \(reason.code)",
            proxyStatus: reason.isAboutAddress ? "error=destination_ip_prohibited" : "error=http_request_denied", result: "denied_\(reason.code)")
    }

    static func malformed(_ error: HTTPSyntaxError) -> ProxyAnswer {
        plain(error.status, "the request is refused: \(error.message)", "error=http_request_error", "malformed")
    }

    static func unauthenticated(_ why: String) -> ProxyAnswer {
        plain(407, "\(why): use the proxy address of the trial's environment, which holds a token", "error=http_request_denied", "unauthenticated")
    }

    /// A relay's, for a proxy that does not accept its connection.
    static func noProxy(errno: Int32) -> ProxyAnswer {
        plain(502, "the proxy does not answer: \(POSIXFailure(errno))", "error=destination_unavailable", "no_proxy")
    }

    static let otherClient = plain(403, "the token belongs to another pod", "error=http_request_denied", "other_client")
    static let tooManyOfToken = plain(
        429, "this phase has too many connections: close some, or try again later", "error=connection_limit_reached", "limit")
    static let full = plain(503, "the proxy has as many connections as it may have: try again later", "error=connection_limit_reached", "limit")
    static let resolverBusy = plain(503, "too many names are being resolved: try again later", "error=dns_error", "limit")

    static func unresolved(_ destination: Destination, _ why: String) -> ProxyAnswer {
        plain(502, "\(destination): the name cannot be resolved: \(why)", "error=dns_error", "unresolved")
    }

    static func unreachable(_ destination: Destination, errno: Int32) -> ProxyAnswer {
        plain(502, "\(destination) cannot be connected to: \(POSIXFailure(errno))", "error=connection_refused", "unreachable")
    }

    static func resolveTimeout(_ destination: Destination) -> ProxyAnswer {
        plain(504, "\(destination): the name is not resolved in time", "error=dns_timeout", "timeout")
    }

    static func connectTimeout(_ destination: Destination) -> ProxyAnswer {
        plain(504, "\(destination) does not accept the connection in time", "error=connection_timeout", "timeout")
    }

    static func responseTimeout(_ destination: Destination) -> ProxyAnswer {
        plain(504, "\(destination) does not answer in time", "error=http_response_timeout", "timeout")
    }

    static func badResponse(_ destination: Destination, _ why: String) -> ProxyAnswer {
        plain(502, "\(destination) answers with \(why)", "error=http_protocol_error", "bad_response")
    }

    static func noResponse(_ destination: Destination) -> ProxyAnswer {
        plain(502, "\(destination) closes the connection without an answer", "error=connection_terminated", "bad_response")
    }

    private static func plain(_ status: Int, _ text: String, _ proxyStatus: String, _ result: String) -> ProxyAnswer {
        ProxyAnswer(status: status, text: "assay egress: \(text)", phrase: ServerResponse.phrase(status), proxyStatus: proxyStatus, result: result)
    }

    static func own(_ status: Int, _ text: String, contentType: String = "text/plain; charset=utf-8") -> ProxyAnswer {
        ProxyAnswer(status: status, text: text, phrase: ServerResponse.phrase(status), proxyStatus: "", result: "own", contentType: contentType)
    }
}

extension DenialReason {
    fileprivate var isAboutAddress: Bool {
        switch self {
        case .addressNotPublic, .clusterAddress, .ownAddress, .deniedByProxy: true
        case .noNetwork, .notAllowed, .tokenExpired: false
        }
    }
}
