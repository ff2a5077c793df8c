import KubeCore

/// The two calls that following a resource takes. No retry inside: the watcher decides.
protocol ListWatchSource: Sendable {
    /// With the resource version unset.
    func list(limit: Int?, continueToken: String?) async throws -> ListPage

    /// The lines of a watch, without their line feeds.
    func watch(
        version: String?, sendsInitialEvents: Bool, timeoutSeconds: Int
    ) async throws -> any AsyncSequence<[UInt8], any Error>
}

extension WatcherFailure {
    init(_ status: KubeStatus) {
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
