import Git

/// Fetches the pinned commit once, when the job starts.
public struct OneshotSync: SyncStrategy {
    private let extent: MirrorExtent

    /// - Parameter extent: what is fetched: all branches and tags, or the one commit, or a part of it.
    public init(_ extent: MirrorExtent = .full) { self.extent = extent }

    public var field: String { "spec.source.repo" }

    public func sync(_ request: SyncRequest, with resolver: SourceResolver) async throws(SourceError) -> PinnedSource {
        try await resolver.pin(
            request.repo, ref: request.pinned?.hex ?? request.ref, credentials: request.credentials, extent: extent, seen: request.seen)
    }
}
