import AssayAPI
import Base
import Git
import KubeCore
import SourceSync
import TrialPods

/// Uses a PersistentVolumeClaim as it is. A pod that mounts it sends its files to the operator, which keeps them as a commit: whatever happens to the
/// claim later, the job's trials get what was there when it began.
struct ClaimSync: SyncStrategy {
    /// Bytes of all claims together that are kept when the mirrors have no limit of their own.
    private static let defaultLimit = 2 << 30

    let claim: ClaimSpec
    let template: PodTemplate?
    let job: JobIdentity
    let pods: ClaimPods

    var field: String { "spec.claim of the EvalTarget" }

    /// For records: which claim, of which namespace, and which folder of it.
    private var place: String { "claim:\(job.namespace)/\(claim.name)" + (claim.path.map { "/\($0)" } ?? "") }

    func sync(_ request: SyncRequest, with resolver: SourceResolver) async throws(SourceError) -> PinnedSource {
        let repository = resolver.snapshots.repository(of: place)
        do throws(GitError) {
            if let pinned = request.pinned, FileEntry.isDirectory(repository), try await resolver.git.contains(pinned, in: repository) {
                return try source(pinned, head: nil, repository)
            }
        } catch {
            throw SourceError(error)
        }
        let read = try await pods.read(claim, template, for: job)
        defer { pods.cache.uploads.remove(read.upload) }
        let commit = read.sent.commit
        if let wanted = request.pinned ?? request.ref.flatMap({ GitObjectID($0) }), wanted != commit {
            throw SourceError(
                GitError(.refNotFound, "the job needs commit \(wanted.short), but what is in the claim \"\(claim.name)\" now is \(commit.short)"))
        }
        do throws(GitError) {
            var isKept = FileEntry.isDirectory(repository)
            if isKept { isKept = try await resolver.git.contains(commit, in: repository) }
            if !isKept { _ = try await resolver.snapshots.keep(pods.cache.uploads.path(read.upload), commit: commit, of: place) }
            resolver.snapshots.evict(above: resolver.mirrors.sizeLimit.map { $0 / 3 } ?? Self.defaultLimit, except: repository)
            return try source(commit, head: read.sent.head, repository)
        } catch {
            throw SourceError(error)
        }
    }

    private func source(_ commit: GitObjectID, head: GitObjectID?, _ repository: String) throws(GitError) -> PinnedSource {
        PinnedSource(
            url: try GitURL(parsing: "file://\(repository)", allowing: .local), commit: commit, ref: nil, extent: .linked,
            snapshot: SourceSnapshot(of: place, head: head))
    }
}
