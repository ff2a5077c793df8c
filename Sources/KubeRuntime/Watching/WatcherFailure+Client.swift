import HTTPTransport
import KubeClient
import KubeCore

extension WatcherFailure {
    /// Translates a failure of the client into its consequence for a watch.
    public init(_ error: any Error) {
        switch error {
        case let error as KubeError:
            switch error {
            case .status(let status): self.init(status)
            case .malformed(let text): self = .malformed(text)
            case .transport, .credentials: self = .unreachable(error.description)
            // Neither the request nor the answer will change by itself. The call is retried like a refused one.
            case .invalidRequest(let text): self = .rejected(code: 0, text)
            }
        case let status as KubeStatus: self.init(status)
        default: self = .unreachable(String(describing: error))
        }
    }

    /// Translates a `Status`, from an HTTP answer or an ERROR event, into its consequence for a watch.
    public init(_ status: KubeStatus) {
        let text = status.description
        let retryAfter = status.retryAfterSeconds.map(Double.init)
        // Servers before 1.18 give the cause only in the message.
        let tooLarge = status.isResourceVersionTooLarge || status.message.hasPrefix("Too large resource version")
        if status.isGone || status.code == 410 {
            self = .expired(text)
        } else if tooLarge {
            self = .versionTooLarge(text)
        } else if status.isTooManyRequests || status.code == 429 {
            self = .throttled(retryAfterSeconds: retryAfter, text)
        } else if (400..<500).contains(status.code) {
            self = .rejected(code: status.code, text)
        } else {
            self = .serverError(code: status.code, retryAfterSeconds: retryAfter, text)
        }
    }
}
