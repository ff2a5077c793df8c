import Base
import EvalModel
import Git
import Glibc

/// Prunes results of `backend: local`.
public struct DirectoryPruner: Sendable {
    private let reader: DirectoryReader
    private static let aside = ".pruned-"

    public init(_ reader: DirectoryReader) { self.reader = reader }

    public func plan(before cutoff: Timestamp) async throws(ArtifactError) -> PrunePlan {
        var filter = RunFilter()
        filter.kinds = Set(RunEntry.Kind.allCases)
        return PrunePlan(try await reader.list(filter), before: cutoff)
    }

    /// Removes the pruned records of the plan. A record is removed completely or not at all: its folder is renamed before it is removed.
    /// Renamed folders that an interrupted pruning left are removed by the next pruning.
    public func apply(_ plan: PrunePlan) throws(ArtifactError) {
        let directory = reader.directory
        for name in Directory.names(in: directory) ?? [] where name.hasPrefix(Self.aside) { Directory.removeTree("\(directory)/\(name)") }
        // A run's folder contains its retries.
        for id in Set(plan.pruned.map(\.id)) {
            let shard = "\(directory)/\(id.path.prefix { $0 != "/" })"
            var info = stat()
            guard lstat(shard, &info) != 0 || info.st_mode & S_IFMT == S_IFDIR else {
                throw ArtifactError(.invalid, "\(shard) is no folder but a link or a file; what it leads to is not pruned: take it away first")
            }
            let folder = "\(directory)/\(id.path)", aside = "\(directory)/\(Self.aside)\(id)"
            guard rename(folder, aside) == 0 else {
                if errno == ENOENT { continue }
                throw ArtifactError(.storage, "cannot prune \(folder): \(String(cString: strerror(errno)))")
            }
            Directory.removeTree(aside)
            guard !FileEntry.exists(aside) else {
                throw ArtifactError(.storage, "cannot remove all of \(aside): look at its permissions; it is no longer a result")
            }
        }
    }
}
