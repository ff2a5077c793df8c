/// One request. Only `http` and `https`; redirects are reported, never followed.
public struct HTTPRequest: Sendable {
    /// Upper case.
    public var method: String
    /// Absolute, already percent-encoded, without user information.
    public var url: String
    public var headers: HTTPHeaders
    public var body: [UInt8]?
    public var timeouts: HTTPTimeouts
    public var tls: TLSOptions
    public var proxy: HTTPProxy
    public var reading: HTTPReading
    /// The path of a Unix socket to connect to, instead of the host of the URL; at most 107 bytes. No proxy is used.
    public var unixSocket: String?

    public init(
        method: String = "GET", url: String, headers: HTTPHeaders = [:], body: [UInt8]? = nil,
        timeouts: HTTPTimeouts = HTTPTimeouts(), tls: TLSOptions = TLSOptions(), proxy: HTTPProxy = .environment,
        reading: HTTPReading = .streamed, unixSocket: String? = nil
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.timeouts = timeouts
        self.tls = tls
        self.proxy = proxy
        self.reading = reading
        self.unixSocket = unixSocket
    }
}

/// How the body of the answer is read. This decides which connection the request uses.
public enum HTTPReading: Sendable, Hashable {
    /// In chunks, at the reader's pace. The request has its own connection (HTTP/1.1): libcurl 7.88 stops a whole HTTP/2
    /// connection when the reader of one of its streams is slow.
    case streamed
    /// In one piece of at most `limit` bytes; a longer body fails with ``HTTPTransportError/bodyTooLarge(limit:)``. Over TLS such
    /// requests share one connection when the server speaks HTTP/2.
    case whole(limit: Int)
}

/// Timeouts of a request, in seconds. Nil means no limit.
public struct HTTPTimeouts: Sendable, Hashable {
    /// Name resolution, connection and TLS handshake together.
    public var connect: Double
    /// From the start of the request to the last byte of the body.
    public var total: Double?
    /// The longest time without a byte in either direction. Time in which the transfer waits for the reader of the body is not
    /// counted.
    public var idle: Double?

    public init(connect: Double = 10, total: Double? = nil, idle: Double? = nil) {
        self.connect = connect
        self.total = total
        self.idle = idle
    }
}

/// Which servers to trust, and the client's own certificate. TLS 1.2 or newer.
public struct TLSOptions: Sendable, Hashable {
    /// The source of PEM text. A file is read again for each new connection, so that rotation needs no restart.
    public enum PEM: Sendable, Hashable {
        case file(String)
        case data([UInt8])
    }

    /// The only trusted authorities; nil trusts those of the system.
    public var authorities: PEM?
    public var clientCertificate: PEM?
    /// The key must not be encrypted.
    public var clientKey: PEM?
    /// The name that the certificate must have and that is sent as SNI; nil: the host of the URL.
    public var serverName: String?
    /// Trusts any certificate. Only for experiments.
    public var insecure: Bool

    public init(
        authorities: PEM? = nil, clientCertificate: PEM? = nil, clientKey: PEM? = nil, serverName: String? = nil,
        insecure: Bool = false
    ) {
        self.authorities = authorities
        self.clientCertificate = clientCertificate
        self.clientKey = clientKey
        self.serverName = serverName
        self.insecure = insecure
    }
}

/// The proxy for a request. Loopback addresses never use one.
public enum HTTPProxy: Sendable, Hashable {
    /// `http_proxy` (lower case only), `https_proxy`, `all_proxy` and `no_proxy`, as curl reads them.
    case environment
    case none
    /// For example `http://proxy:3128` or `socks5h://proxy:1080`.
    case url(String)
}
