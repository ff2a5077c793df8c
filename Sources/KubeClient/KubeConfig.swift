import Base
import HTTPTransport

/// The address of an API server and the credentials for it.
public struct KubeConfig: Sendable {
    /// `https://host:port`, optionally with a path before `/api`.
    public var server: String
    /// The namespace to use when the user names none.
    public var namespace: String
    public var credential: KubeCredential
    public var tls: TLSOptions
    public var proxy: HTTPProxy
    /// The user to impersonate; nil: none.
    public var impersonation: Impersonation?
    /// The `User-Agent` of every request.
    public var userAgent: String
    /// The limit for calls per second and for bursts; nil leaves the limit to the server's priority and fairness.
    public var rateLimit: RateLimit?

    public static let defaultUserAgent = "assay"

    public init(
        server: String, namespace: String = "default", credential: KubeCredential = .none,
        tls: TLSOptions = TLSOptions(), proxy: HTTPProxy = .environment, impersonation: Impersonation? = nil,
        userAgent: String = KubeConfig.defaultUserAgent, rateLimit: RateLimit? = nil
    ) {
        self.server = server
        self.namespace = namespace
        self.credential = credential
        self.tls = tls
        self.proxy = proxy
        self.impersonation = impersonation
        self.userAgent = userAgent
        self.rateLimit = rateLimit
    }

    /// A server with a known address, for example an embedded one.
    public static func direct(server: String, token: String? = nil, namespace: String = "default") -> KubeConfig {
        KubeConfig(server: server, namespace: namespace, credential: token.map { .token($0) } ?? .none)
    }

    public struct Impersonation: Sendable, Hashable {
        public var user: String
        public var uid: String?
        public var groups: [String]

        public init(user: String, uid: String? = nil, groups: [String] = []) {
            self.user = user
            self.uid = uid
            self.groups = groups
        }
    }

    /// The limits of a token bucket.
    public struct RateLimit: Sendable, Hashable {
        public var perSecond: Double
        public var burst: Int

        public init(perSecond: Double = 50, burst: Int = 100) {
            self.perSecond = perSecond
            self.burst = burst
        }
    }
}

/// How requests are authenticated. A client certificate is part of ``KubeConfig/tls``.
public enum KubeCredential: Sendable, Hashable {
    case none
    case token(String)
    /// Read again each minute. `initial` is used until the file has been read once.
    case tokenFile(path: String, initial: String?)
    case basic(user: String, password: String)
    case exec(ExecPlugin)
}

/// A configuration that cannot be used. The message names the place and what to change.
public struct KubeConfigError: Error, Sendable, Hashable, CustomStringConvertible {
    public let message: String

    public init(_ message: String) { self.message = message }

    public var description: String { message }
}
