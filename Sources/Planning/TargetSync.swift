import AssayAPI
import Base
import Git
import SourceSync

extension EvalTargetSpec {
    /// The strategy that the target's `sync` names.
    ///
    /// - Throws: what in the target's spec must change.
    public func syncStrategy(time: any TimeSource = SystemTime()) throws(ReconcileError) -> any SyncStrategy {
        switch sync {
        case .noop where claim != nil:
            throw .stalled(.unsupportedField, "spec.claim of the EvalTarget: claims are read by an operator on a cluster", on: .ready)
        case .noop:
            guard let workdir else {
                throw .stalled(.invalidSpec, "spec.workdir of the EvalTarget is missing: sync noop uses what is there", on: .ready)
            }
            return NoopSync(directory: workdir)
        case .oneshot: return OneshotSync(try extent())
        case .continuous: return ContinuousSync(try extent(), interval: refreshSeconds, time: time)
        }
    }

    /// How old a sync may be with `sync: continuous`. An interval below a second counts as one.
    public var refreshSeconds: Double { max(1, DurationText.seconds((syncOptions ?? SyncOptions()).refreshInterval) ?? 60) }

    /// Without `syncOptions` all of the repository is fetched: later jobs then fetch only what is new.
    private func extent() throws(ReconcileError) -> MirrorExtent {
        switch syncOptions?.mode {
        case nil, .full?: return .full
        case .shallow?: return .shallow
        case .sparse?:
            do {
                let paths = try (syncOptions?.sparsePaths ?? []).map { path throws(GitError) in try GitPath(parsing: path) }
                return .sparse(paths)
            } catch {
                throw .stalled(.invalidSpec, "spec.syncOptions.sparsePaths of the EvalTarget: \(error.message)", on: .ready)
            }
        }
    }
}
