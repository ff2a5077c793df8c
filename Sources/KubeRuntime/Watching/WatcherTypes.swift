import Base
import KubeCore

/// One object from a list or a watch event, reduced to what is kept.
public struct WatchedItem<Object: Sendable>: Sendable {
    public let key: ObjectKey
    public let uid: String
    public let version: String
    /// Whether the object has a deletion timestamp.
    public let isDeleting: Bool
    /// nil when the object exists but could not be decoded as `Object`.
    public let object: Object?

    public init(key: ObjectKey, uid: String, version: String, isDeleting: Bool = false, object: Object?) {
        self.key = key
        self.uid = uid
        self.version = version
        self.isDeleting = isDeleting
        self.object = object
    }
}

/// The settings of a watcher. Their reasons are in docs/controller-runtime.md.
public struct WatcherOptions: Sendable {
    /// Objects per page of a list.
    public var pageSize = 500
    /// Begin with a stream of the initial state. If the server refuses it, a list is used.
    public var usesWatchList = true
    /// The length of a watch is chosen at random from this range, so that many watches do not end together. Less than `staleSeconds`: the next watch
    /// is an answer of a server that has no event and sends no bookmarks.
    public var timeoutSeconds: ClosedRange<Int> = 300...540
    /// A resource without an event, a bookmark or a list for so long, while other requests succeed, is reported as stalled.
    public var staleSeconds = 600.0
    /// A stream that is silent for this long after its timeout is closed: the connection is probably half open.
    public var silenceGraceSeconds = 5.0
    /// When the initial stream is silent for this long, a list is used instead.
    public var initialSilenceSeconds = 30.0
    /// The values of client-go (`tools/cache/reflector.go`): 800 ms doubling to 30 s, reset after two minutes. The jitter only adds time, so the cap
    /// is also the shortest time between two attempts in a long outage.
    public var backoff = Backoff(BackoffPolicy(initialSeconds: 0.8, capSeconds: 30, jitter: 1...1.5), resetAfterSeconds: 120)
    /// The number of interrupted initial streams after which a list is used.
    public var cutInitialStreams = 3
    /// The number of failures in a row at one version after which the whole state is read again.
    public var failuresBeforeRelist = 5
    /// The number of complete lists older than the known state after which the older state is accepted: the server's history has gone back for good
    /// (etcd was restored from a backup).
    public var regressionsBeforeAccepting = 10

    public init() {}
}

/// What the caller of a `Watcher` must do next.
public enum WatcherCall: Sendable, Equatable {
    /// Request a page of `limit` items, or everything (nil), without a resource version.
    case list(limit: Int?, continueToken: String?)
    /// Open a stream. `resourceVersion` nil: from the newest state, with initial events.
    case watch(resourceVersion: String?, sendsInitialEvents: Bool, timeoutSeconds: Int)
    /// Wait, then call `waited`.
    case wait(seconds: Double)
}

/// A result of a watcher. The store must apply the results in order.
public enum WatcherEffect<Object: Sendable>: Sendable {
    /// The complete state at a version. Objects that are not in it are deleted.
    case replace([WatchedItem<Object>], version: String)
    case upsert(WatchedItem<Object>, version: String)
    case delete(ObjectKey, uid: String, version: String)
    /// Nothing changed up to this version.
    case advance(version: String)
    /// An error that is retried; for the log and the health of the reflector.
    case trouble(WatcherFailure)
    /// A message for the log.
    case notice(String)
}

/// The result of one event: effects, then a call. Without a call, reading of the open stream continues; with one, the stream is closed.
public struct WatcherStep<Object: Sendable>: Sendable {
    public var effects: [WatcherEffect<Object>] = []
    public var call: WatcherCall?

    init(_ effects: [WatcherEffect<Object>] = [], call: WatcherCall? = nil) {
        self.effects = effects
        self.call = call
    }
}

/// Failures by their consequence for a watch.
public enum WatcherFailure: Sendable, Equatable, CustomStringConvertible {
    /// 410 Expired or Gone, as an HTTP status or an ERROR event: the version is too old.
    case expired(String)
    /// 504 with the cause ResourceVersionTooLarge: the server has not reached this version yet.
    case versionTooLarge(String)
    /// 429.
    case throttled(retryAfterSeconds: Double?, String)
    /// Another 4xx, with the server's message.
    case rejected(code: Int, String)
    /// A 5xx.
    case serverError(code: Int, retryAfterSeconds: Double?, String)
    /// The connection was refused, reset or lost, or timed out.
    case unreachable(String)
    /// The answer does not follow the protocol.
    case malformed(String)

    public var description: String {
        switch self {
        case .expired(let text): "410: \(text)"
        case .versionTooLarge(let text): "504: \(text)"
        case .throttled(_, let text): "429: \(text)"
        case .rejected(let code, let text), .serverError(let code, _, let text): "\(code): \(text)"
        case .unreachable(let text), .malformed(let text): text
        }
    }

    var retryAfterSeconds: Double? {
        switch self {
        case .throttled(let seconds, _), .serverError(_, let seconds, _): seconds
        default: nil
        }
    }
}

/// One line of a watch stream.
public enum WatchLine<Object: Sendable>: Sendable {
    /// ADDED or MODIFIED: the difference does not matter.
    case present(WatchedItem<Object>)
    case deleted(WatchedItem<Object>)
    /// `endsInitialEvents`: whether it has the annotation `k8s.io/initial-events-end: "true"`.
    case bookmark(version: String, endsInitialEvents: Bool)
    /// An ERROR event or a bare Status.
    case failure(WatcherFailure)
    /// Not an event: a line that was cut, or that is not JSON.
    case broken(String)
    /// A complete event that cannot be understood. It is reported and skipped.
    case unknown(String)

    /// Whether the line shows that the server serves the resource.
    var isAnswer: Bool {
        switch self {
        case .present, .deleted, .bookmark, .unknown: true
        case .failure, .broken: false
        }
    }
}
