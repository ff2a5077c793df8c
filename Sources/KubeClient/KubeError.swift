import HTTPTransport
import KubeCore

/// Why a call to the API server failed.
public enum KubeError: Error, Sendable, Hashable {
    /// The server's answer is not a success.
    case status(KubeStatus)
    /// There was no answer, or only a part of one. The server may have executed the request.
    case transport(HTTPTransportError)
    /// The answer cannot be decoded.
    case malformed(String)
    /// The request is invalid and was not sent.
    case invalidRequest(String)
    /// There are no credentials; the request was not sent.
    case credentials(String)

    /// The server's answer, if there was one.
    public var status: KubeStatus? {
        if case .status(let status) = self { status } else { nil }
    }

    public var isNotFound: Bool { status?.isNotFound ?? false }
    public var isConflict: Bool { status?.isConflict ?? false }
    public var isAlreadyExists: Bool { status?.isAlreadyExists ?? false }
    public var isGone: Bool { status?.isGone ?? false }
    public var isForbidden: Bool { status?.isForbidden ?? false }
    /// Nothing can be created in the namespace because it is being deleted.
    public var isNamespaceTerminating: Bool { status?.isNamespaceTerminating ?? false }
    public var isInvalid: Bool { status?.isInvalid ?? false }

    /// The task was cancelled, which is not an error to report.
    public var isCancelled: Bool { self == .transport(.cancelled) }

    /// Whether the same call may succeed later without any change.
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
