import Base
import KubeCore

/// One object as a list or a watch event showed it, cut down to what is kept.
public struct WatchedItem<Object: Sendable>: Sendable {
    public let key: ObjectKey
    public let uid: String
    public let version: String
    /// The object has a deletion timestamp.
    public let isDeleting: Bool
    /// nil when the object exists but could not be read into `Object`.
    public let object: Object?

    public init(key: ObjectKey, uid: String, version: String, isDeleting: Bool = false, object: Object?) {
        self.key = key
        self.uid = uid
        self.version = version
        self.isDeleting = isDeleting
        self.object = object
    }
}

/// How a watcher behaves. docs/controller-runtime.md has the reasons.
public struct WatcherOptions: Sendable {
    /// Objects a page when listing.
    public var pageSize = 500
    /// Start with a stream of the initial state; a server that refuses it is listed instead.
    public var usesWatchList = true
    /// The length of a watch is drawn from this range, so that many watches do not end together.
    public var timeoutSeconds: ClosedRange<Int> = 300...600
    /// A stream that is silent for this long after its timeout is dropped: the connection is half open.
    public var silenceGraceSeconds = 5.0
    /// An initial stream that says nothing for this long is given up for a list.
    public var initialSilenceSeconds = 30.0
    /// The figures are client-go's (`tools/cache/reflector.go`): 800 ms doubling to 30 s, reset after two minutes. The jitter only
    /// adds, so that the cap is also the least distance between two attempts of a long outage.
    public var backoff = Backoff(BackoffPolicy(initialSeconds: 0.8, capSeconds: 30, jitter: 1...1.5), resetAfterSeconds: 120)
    /// Initial streams that are cut before their end, until a list is used instead.
    public var cutInitialStreams = 3
    /// Failures in a row at one version, until the state is fetched anew.
    public var failuresBeforeRelist = 5
    /// Complete lists older than what is known, until the server's history is believed to have gone back for good
    /// (etcd restored from a backup).
    public var regressionsBeforeAccepting = 10

    public init() {}
}

/// What the caller of a `Watcher` has to do next.
public enum WatcherCall: Sendable, Equatable {
    /// Get a page (`limit`) or everything (nil), with the resource version unset.
    case list(limit: Int?, continueToken: String?)
    /// Open a stream. `resourceVersion` nil means from the most recent state, with initial events.
    case watch(resourceVersion: String?, sendsInitialEvents: Bool, timeoutSeconds: Int)
    /// Let time pass, then say `waited`.
    case wait(seconds: Double)
}

/// What a watcher found out, in the order in which the store has to take it.
public enum WatcherEffect<Object: Sendable>: Sendable {
    /// The complete state at a version: what is absent is gone.
    case replace([WatchedItem<Object>], version: String)
    case upsert(WatchedItem<Object>, version: String)
    case delete(ObjectKey, uid: String, version: String)
    /// Nothing changed up to this version.
    case advance(version: String)
    /// Something went wrong and will be tried again; for the log and the health of the reflector.
    case trouble(WatcherFailure)
    /// Something worth a line in the log.
    case notice(String)
}

/// What follows from one event: effects, then a call. Without a call the open stream is read on; with one it is closed.
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
    /// 504 with the cause ResourceVersionTooLarge: the server has not come as far as our version.
    case versionTooLarge(String)
    /// 429.
    case throttled(retryAfterSeconds: Double?, String)
    /// Another 4xx, and what the server said.
    case rejected(code: Int, String)
    /// A 5xx.
    case serverError(code: Int, retryAfterSeconds: Double?, String)
    /// Refused, reset, timed out, cut.
    case unreachable(String)
    /// An answer that is not what the protocol says.
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
    /// ADDED or MODIFIED: the difference carries no meaning.
    case present(WatchedItem<Object>)
    case deleted(WatchedItem<Object>)
    /// `endsInitialEvents`: annotated `k8s.io/initial-events-end: "true"`.
    case bookmark(version: String, endsInitialEvents: Bool)
    /// An ERROR event or a bare Status.
    case failure(WatcherFailure)
    /// Not an event: a line that was cut, or is no JSON.
    case broken(String)
    /// An event that cannot be understood although its line is whole; it is reported and passed over.
    case unknown(String)

    /// Whether the server said something of the resource, rather than that it cannot.
    var isAnswer: Bool {
        switch self {
        case .present, .deleted, .bookmark, .unknown: true
        case .failure, .broken: false
        }
    }
}
