import HTTPTransport
import KubeCore

/// Why a call to the API server did not succeed.
public enum KubeError: Error, Sendable, Hashable {
    /// The server answered, and not with a success.
    case status(KubeStatus)
    /// There was no answer, or not all of it. The server may have acted.
    case transport(HTTPTransportError)
    /// The answer cannot be read as what it should be.
    case malformed(String)
    /// The request was not sent: it cannot be.
    case invalidRequest(String)
    /// The request was not sent: there is nothing to sign it with.
    case credentials(String)

    /// The server's answer, when there was one.
    public var status: KubeStatus? {
        if case .status(let status) = self { status } else { nil }
    }

    public var isNotFound: Bool { status?.isNotFound ?? false }
    public var isConflict: Bool { status?.isConflict ?? false }
    public var isAlreadyExists: Bool { status?.isAlreadyExists ?? false }
    public var isGone: Bool { status?.isGone ?? false }
    public var isForbidden: Bool { status?.isForbidden ?? false }
    public var isInvalid: Bool { status?.isInvalid ?? false }

    /// The task was cancelled: not a failure to report.
    public var isCancelled: Bool { self == .transport(.cancelled) }

    /// True when the same call may succeed later without anybody changing it.
    public var isTransient: Bool {
        switch self {
        case .status(let status): status.isServerTrouble || status.isUnauthorized
        case .transport(.invalidRequest): false
        case .transport, .malformed, .credentials: true
        case .invalidRequest: false
        }
    }
}

extension KubeError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .status(let status): status.description
        case .transport(let error): "API server: \(error)"
        case .malformed(let what): "API server: \(what)"
        case .invalidRequest(let why): why
        case .credentials(let why): why
        }
    }
}
