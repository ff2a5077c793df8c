import Base

/// The metrics of one cache of sources.
public struct CacheMetrics: Sendable {
    /// The caches of an operator, as the label `cache` names them.
    public enum Cache: String, Sendable, CaseIterable {
        /// Files of `fixtures.lock`s.
        case fixtures
        /// Copies of repositories.
        case mirrors
        /// Streams of trees for trial pods.
        case trees
    }

    private let cache: Cache
    private let requests: MetricsRegistry.Counter
    private let evictions: MetricsRegistry.Counter
    private let bytes: MetricsRegistry.Gauge

    public init(_ registry: MetricsRegistry, _ cache: Cache) {
        self.cache = cache
        requests = registry.counter(.cacheRequests)
        evictions = registry.counter(.cacheEvictions)
        bytes = registry.gauge(.cacheBytes)
        bytes.set(0, ["cache": cache.rawValue])
    }

    /// Something was looked up, and was there or was not.
    public func lookedUp(found: Bool) { requests.add(1, ["cache": cache.rawValue, "result": found ? "hit" : "miss"]) }

    /// Entries were removed to make room.
    public func evicted(_ count: Int) { if count > 0 { evictions.add(Double(count), ["cache": cache.rawValue]) } }

    /// The cache has so many bytes now.
    public func measured(bytes: Int) { self.bytes.set(Double(bytes), ["cache": cache.rawValue]) }
}

/// The metrics of clones and fetches.
public struct FetchMetrics: Sendable {
    enum Kind: String { case clone, fetch }

    private let fetches: MetricsRegistry.Counter

    public init(_ registry: MetricsRegistry) { fetches = registry.counter(.gitFetches) }

    func ended(_ kind: Kind, _ error: GitError? = nil) {
        fetches.add(1, ["kind": kind.rawValue, "result": error.map { Self.result($0.kind) } ?? "ok"])
    }

    static func result(_ kind: GitError.Kind) -> String {
        switch kind {
        case .unreachable, .timeout: "unreachable"
        case .authentication, .refused: "denied"
        case .refNotFound, .pathNotFound, .notARepository: "not_found"
        case .storage: "storage"
        case .cancelled: "cancelled"
        case .invalidInput, .conflict, .tooLarge, .corrupt, .gitMissing, .failed: "failed"
        }
    }
}
