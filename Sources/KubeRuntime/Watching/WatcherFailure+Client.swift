import HTTPTransport
import KubeClient
import KubeCore

extension WatcherFailure {
    /// What a failure of the client means for a watch.
    public init(_ error: any Error) {
        switch error {
        case let error as KubeError:
            switch error {
            case .status(let status): self.init(status)
            case .malformed(let text): self = .malformed(text)
            case .transport, .credentials: self = .unreachable(error.description)
            // Neither the request nor its answer will change by itself; it is retried like a refusal.
            case .invalidRequest(let text): self = .rejected(code: 0, text)
            }
        case let status as KubeStatus: self.init(status)
        default: self = .unreachable(String(describing: error))
        }
    }

    /// What a `Status` means for a watch, as an HTTP answer or as an ERROR event.
    public init(_ status: KubeStatus) {
        let text = status.description
        let retryAfter = status.retryAfterSeconds.map(Double.init)
        // Servers before 1.18 name the cause in the message only.
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
