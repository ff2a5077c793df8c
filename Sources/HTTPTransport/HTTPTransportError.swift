import Base
import CCurl

/// Why there is no response, or only part of one. Messages contain the host, never a header, a query or a body.
public enum HTTPTransportError: Error, Sendable, Hashable {
    /// The timeout that expired.
    public enum Timeout: String, Sendable, Hashable {
        /// Resolving, connecting and TLS.
        case connect
        /// The whole exchange, from the start to the last byte.
        case total
        /// No byte was sent or received.
        case idle
    }

    /// The request is invalid and was not sent.
    case invalidRequest(String)
    /// There is no connection; the request was not sent.
    case couldNotConnect(host: String, detail: String)
    case timedOut(Timeout, host: String, seconds: Double)
    /// The certificate is not trusted, or the handshake failed.
    case tls(host: String, detail: String)
    /// The connection ended before the response did. The server may have acted on the request.
    case connectionLost(host: String, detail: String)
    /// The server's bytes are not HTTP, or exceed a limit.
    case protocolViolation(host: String, detail: String)
    /// The body is longer than the caller's limit.
    case bodyTooLarge(limit: Int)
    /// The task was cancelled, or the body was dropped.
    case cancelled
    /// The transport was shut down.
    case shutDown
}

extension HTTPTransportError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .invalidRequest(let detail): "cannot send the request: \(detail)"
        case .couldNotConnect(let host, let detail): "cannot connect to \(host): \(detail)"
        case .timedOut(.connect, let host, let seconds): "no connection to \(host) within \(Self.text(seconds)) s"
        case .timedOut(.total, let host, let seconds): "no complete answer from \(host) within \(Self.text(seconds)) s"
        case .timedOut(.idle, let host, let seconds): "nothing heard from \(host) for \(Self.text(seconds)) s"
        case .tls(let host, let detail): "no trusted connection to \(host): \(detail)"
        case .connectionLost(let host, let detail): "the connection to \(host) was lost: \(detail)"
        case .protocolViolation(let host, let detail): "\(host) does not answer as an HTTP server: \(detail)"
        case .bodyTooLarge(let limit): "the answer is longer than \(limit) bytes"
        case .cancelled: "the request was cancelled"
        case .shutDown: "the HTTP transport was shut down"
        }
    }

    private static func text(_ seconds: Double) -> String {
        // Whole seconds without a fraction: `10`, not `10.0`.
        seconds == seconds.rounded() && abs(seconds) < 1e9 ? String(Int(seconds)) : String(seconds)
    }

    /// Translates a result code of libcurl. `detail` is libcurl's message.
    static func from(_ code: CURLcode, detail: String, host: String, connectTimeout: Double) -> HTTPTransportError {
        let text = detail.isEmpty ? String(cString: curl_easy_strerror(code)) : detail
        // The text may come from the peer: it is shortened, and control characters are replaced.
        let message = String(text.prefix(300)).replacingControls
        switch code {
        case CURLE_COULDNT_RESOLVE_PROXY, CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_CONNECT, CURLE_INTERFACE_FAILED,
            CURLE_PROXY:
            return .couldNotConnect(host: host, detail: message)
        case CURLE_OPERATION_TIMEDOUT:
            // libcurl enforces only the connect timeout; the engine enforces the others.
            return .timedOut(.connect, host: host, seconds: connectTimeout)
        case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER,
            CURLE_SSL_CACERT_BADFILE, CURLE_SSL_CRL_BADFILE, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_PINNEDPUBKEYNOTMATCH,
            CURLE_SSL_INVALIDCERTSTATUS, CURLE_SSL_CLIENTCERT, CURLE_SSL_ENGINE_NOTFOUND, CURLE_SSL_ENGINE_SETFAILED,
            CURLE_SSL_ENGINE_INITFAILED, CURLE_SSL_SHUTDOWN_FAILED, CURLE_USE_SSL_FAILED:
            return .tls(host: host, detail: message)
        case CURLE_GOT_NOTHING, CURLE_SEND_ERROR, CURLE_RECV_ERROR, CURLE_PARTIAL_FILE, CURLE_SEND_FAIL_REWIND,
            CURLE_HTTP2, CURLE_HTTP2_STREAM, CURLE_AGAIN:
            // With TLS 1.3 a rejected client certificate is reported only by the first read.
            if message.contains("alert") { return .tls(host: host, detail: message) }
            return .connectionLost(host: host, detail: message)
        case CURLE_URL_MALFORMAT, CURLE_BAD_FUNCTION_ARGUMENT, CURLE_UNKNOWN_OPTION,
            CURLE_NOT_BUILT_IN:
            return .invalidRequest(message)
        case CURLE_ABORTED_BY_CALLBACK: return .cancelled
        default: return .protocolViolation(host: host, detail: message)
        }
    }
}
