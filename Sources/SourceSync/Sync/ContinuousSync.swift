import Base
import Git

/// Keeps what was fetched up to date, so that jobs start without waiting for the remote.
///
/// A ref means the commit that it had at the last sync, which is at most the interval ago. The operator syncs what the jobs on a target
/// name whenever the interval has passed; a job for which that has not happened syncs itself.
public struct ContinuousSync: SyncStrategy {
    /// Seconds.
    public let interval: Double
    private let extent: MirrorExtent
    private let time: any TimeSource

    /// - Parameter interval: in seconds: the age at which a sync is made again.
    public init(_ extent: MirrorExtent = .full, interval: Double, time: any TimeSource = SystemTime()) {
        self.extent = extent
        self.interval = interval
        self.time = time
    }

    public var field: String { "spec.source.repo" }

    public func sync(_ request: SyncRequest, with resolver: SourceResolver) async throws(SourceError) -> PinnedSource {
        guard request.pinned == nil else { return try await OneshotSync(extent).sync(request, with: resolver) }
        if let last = last(request, in: resolver), time.monotonic() - last.at < interval { return last.source }
        let source = try await OneshotSync(extent).sync(request, with: resolver)
        resolver.recent.note(source, for: key(request), at: time.monotonic())
        return source
    }

    /// The last sync of the same repository and ref in this process, and when it was, by the monotonic clock.
    public func last(_ request: SyncRequest, in resolver: SourceResolver) -> (source: PinnedSource, at: Double)? {
        resolver.recent.last(key(request))
    }

    private func key(_ request: SyncRequest) -> RecentSyncs.Key {
        RecentSyncs.Key(repo: request.repo, ref: request.ref, owner: request.credentials.scope, extent: extent)
    }
}

/// What refs meant at the last sync.
final class RecentSyncs: Sendable {
    struct Key: Hashable, Sendable {
        let repo: String
        let ref: String?
        /// Whose repository it is: what was fetched with one Secret is not there for another.
        let owner: String
        let extent: MirrorExtent
    }

    /// The most entries: the oldest go first.
    private static let limit = 1000

    private let entries = Locked<[Key: (source: PinnedSource, at: Double)]>([:])

    func last(_ key: Key) -> (source: PinnedSource, at: Double)? { entries.withLock { $0[key] } }

    func note(_ source: PinnedSource, for key: Key, at moment: Double) {
        entries.withLock { entries in
            entries[key] = (source, moment)
            if entries.count > Self.limit, let oldest = entries.min(by: { $0.value.at < $1.value.at }) { entries[oldest.key] = nil }
        }
    }
}
