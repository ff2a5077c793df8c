import Base
import EvalModel
import Git
import Glibc

/// Reads results of `backend: local`.
public struct DirectoryReader: RunReader {
    public let directory: String
    public var place: String { directory }

    public init(directory: String) { self.directory = directory }

    public func forEach(_ filter: RunFilter, _ receive: @escaping @Sendable (RunEntry) -> Bool) async throws(ArtifactError) {
        var entries: [RunEntry] = []
        for shard in Directory.names(in: directory) ?? [] where shard.utf8.count == 2 {
            for rest in Directory.names(in: "\(directory)/\(shard)") ?? [] {
                guard let id = RunID(shard + rest), filter.idPrefix.map({ id.rawValue.hasPrefix($0) }) ?? true else { continue }
                let folder = "\(directory)/\(id.path)"
                if let entry = Self.entry(id, folder), filter.accepts(entry) { entries.append(entry) }
                guard filter.kinds.contains(.retry) else { continue }
                for name in Directory.names(in: "\(folder)/\(PendingRun.retriesFolder)") ?? [] {
                    guard let number = Int(name), var entry = Self.entry(id, "\(folder)/\(PendingRun.retriesFolder)/\(name)") else { continue }
                    entry.kind = .retry
                    entry.retry = number
                    if filter.accepts(entry) { entries.append(entry) }
                }
            }
        }
        entries.sort { ($1.date, $1.id, $1.retry ?? -1) < ($0.date, $0.id, $0.retry ?? -1) }
        for entry in entries where !receive(entry) { return }
    }

    public func details(of id: RunID) async throws(ArtifactError) -> RunDetails {
        let folder = "\(directory)/\(id.path)"
        guard let bytes = FileReading.whole("\(folder)/\(PendingRun.metadataFile)", limit: 16 << 20) else { throw try await notFound(id.rawValue) }
        guard let metadata = try? JSONValue(parsing: bytes) else {
            throw ArtifactError(.failed, "\(folder)/\(PendingRun.metadataFile) is not JSON")
        }
        var files: [RunDetails.File] = []
        Self.walk(folder, .root, &files)
        return RunDetails(
            id: id, metadata: metadata, summary: FileReading.whole("\(folder)/\(PendingRun.summaryFile)").flatMap { try? JSONValue(parsing: $0) },
            files: files.sorted { $0.path < $1.path }, commit: nil)
    }

    public func contents(of file: GitPath, run id: RunID, limit: Int) async throws(ArtifactError) -> [UInt8] {
        let path = "\(directory)/\(id.path)/\(file.text)"
        var info = stat()
        guard lstat(path, &info) == 0, info.st_mode & S_IFMT == S_IFREG else {
            throw ArtifactError(.notFound, "run \(id) in \(place) has no file \(file)")
        }
        guard info.st_size <= limit else { throw ArtifactError(.invalid, "\(path) is larger than \(limit) bytes") }
        guard let bytes = FileReading.whole(path, limit: limit) else { throw ArtifactError(.storage, "cannot read \(path)") }
        return bytes
    }

    /// Lists regular files. Links are neither followed nor listed.
    private static func walk(_ folder: String, _ path: GitPath, _ files: inout [RunDetails.File]) {
        for name in Directory.names(in: path.isRoot ? folder : "\(folder)/\(path.text)") ?? [] {
            guard let inner = try? path.appending(name) else { continue }
            var info = stat()
            guard lstat("\(folder)/\(inner.text)", &info) == 0 else { continue }
            if info.st_mode & S_IFMT == S_IFDIR { walk(folder, inner, &files) }
            if info.st_mode & S_IFMT == S_IFREG { files.append(.init(path: inner, size: Int(info.st_size))) }
        }
    }

    private static func entry(_ id: RunID, _ folder: String) -> RunEntry? {
        guard let bytes = FileReading.whole("\(folder)/\(PendingRun.metadataFile)", limit: 16 << 20), let value = try? JSONValue(parsing: bytes),
            let date = value["timestamp"]?.string.flatMap(Timestamp.init(rfc3339:))
        else { return nil }
        let kind = value["kind"]?.string.flatMap(RunEntry.Kind.init(rawValue:)) ?? .run
        var entry = RunEntry(kind: kind, id: id, date: date)
        entry.job = value["jobName"]?.string
        entry.jobID = value["jobUid"]?.string.map { RunID(jobUID: $0) }
        entry.sourceCommit = value["sourceCommit"]?.string
        if kind == .job {
            entry.trials = value["totalTrials"]?.int
            entry.passRate = value.at("totals", "passRate")?.double
            entry.reward = value.at("totals", "meanReward")?.double
            entry.cancelled = value["cancelled"]?.bool ?? false
            return entry
        }
        entry.dataset = value["dataset"]?.string
        entry.agent = value["agent"]?.string
        entry.model = value["model"]?.string
        entry.task = value["task"]?.string
        entry.attempt = value["attempt"]?.int
        entry.reward = value["reward"]?.double
        entry.outcome = value["outcome"]?.string
        entry.error = value.at("error", "type")?.string
        entry.seconds = value["timings"]?.object?.values.compactMap { $0["seconds"]?.double }.reduce(0, +)
        return entry
    }
}
