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
        if let source = young(request, in: resolver) { return source }
        let key = key(request)
        // One after the other: of two that ran side by side, the one that was answered first could be noted last, and a ref would go back.
        let turn = try await resolver.recent.turn(key)
        defer { turn.release() }
        if let source = young(request, in: resolver) { return source }
        let source = try await OneshotSync(extent).sync(request, with: resolver)
        resolver.recent.note(source, for: key, at: time.monotonic())
        return source
    }

    /// What the last sync found, if that is not too long ago.
    private func young(_ request: SyncRequest, in resolver: SourceResolver) -> PinnedSource? {
        guard let last = last(request, in: resolver), time.monotonic() - last.at < interval else { return nil }
        return last.source
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

    /// At most one sync of a key at a time.
    struct Turns: AdmissionRule {
        static let keepsOrder = false
        private var running: Set<Key> = []

        mutating func admit(_ key: Key) -> Bool { running.insert(key).inserted }
        mutating func leave(_ key: Key) { running.remove(key) }
    }

    private let entries = Locked<[Key: (source: PinnedSource, at: Double)]>([:])
    private let turns = Admission(Turns())

    /// The number of syncs that wait for another one of the same key.
    var waiting: Int { turns.waiting }

    /// Waits until no other sync of the key runs. None begins until the pass is released.
    /// - Throws: a transient error when the task is cancelled first.
    func turn(_ key: Key) async throws(SourceError) -> Admission<Turns>.Pass {
        do { return try await turns.enter(key) } catch {
            throw SourceError(GitError(.cancelled, "cancelled while waiting for another sync of \(key.repo)"))
        }
    }

    func last(_ key: Key) -> (source: PinnedSource, at: Double)? { entries.withLock { $0[key] } }

    func note(_ source: PinnedSource, for key: Key, at moment: Double) {
        entries.withLock { entries in
            entries[key] = (source, moment)
            if entries.count > Self.limit, let oldest = entries.min(by: { $0.value.at < $1.value.at }) { entries[oldest.key] = nil }
        }
    }
}
