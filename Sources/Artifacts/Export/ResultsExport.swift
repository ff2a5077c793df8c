import Base
import EvalModel
import Git
import Glibc

/// Exports results: as files in the layout of `backend: local`, or as full records, one per line.
public struct ResultsExport: Sendable {
    public struct Report: Sendable, Hashable {
        public var records = 0
        public var files = 0
        public var bytes = 0
        /// What was left out: links, nested repositories, names that are not safe to create in a directory, and entries of a listing whose
        /// record does not exist.
        public var leftOut: [String] = []
    }

    private let store: any RecordStore

    public init(_ store: any RecordStore) { self.store = store }

    // MARK: Files

    /// Writes the records' folders, a run with its retries, into a directory that is empty or does not exist yet. `--dir` can read the
    /// result. metadata.json is written last: a record is complete when its metadata.json exists.
    public func files(_ filter: RunFilter, to directory: String) async throws(ArtifactError) -> Report {
        guard (Directory.names(in: directory) ?? []).isEmpty else {
            throw ArtifactError(.invalid, "\(directory) is not empty: name a directory that is, or one that does not exist yet")
        }
        let selected = try await store.list(filter)
        var report = Report()
        report.records = selected.count
        let ids = Set(selected.map(\.id))
        let left = Locked([String]())
        let files = try await store.recordFiles { file in
            guard ids.contains(file.run) else { return false }
            guard file.isReadable, (try? GitPath(parsing: file.path)) != nil else {
                left.withLock { $0.append(file.path) }
                return false
            }
            return true
        }
        let there = Set(files.filter { $0.isMetadata && $0.retry == nil }.map(\.run))
        report.leftOut =
            left.withLock { $0 } + selected.filter { $0.kind != .retry && !there.contains($0.id) }.map { "\($0.id.path)/\(PendingRun.metadataFile)" }
        do throws(FileError) {
            try Directory.make(directory)
        } catch {
            throw ArtifactError(.storage, "cannot export: \(error)")
        }
        let ordered = files.filter { !$0.isMetadata } + files.filter(\.isMetadata)
        let bytes = Locked(0)
        var rest = ordered[...]
        while !rest.isEmpty {
            let piece = Array(rest.prefix(20_000))
            rest = rest.dropFirst(piece.count)
            let writer = ExportedFiles(piece.map { "\(directory)/\($0.path)" })
            defer { writer.close() }
            try await store.read(piece) { (index, part, last) throws(ArtifactError) in
                do throws(FileError) { try writer.write(index, part, last) } catch {
                    throw ArtifactError(.storage, "cannot export: \(error)")
                }
                bytes.withLock { $0 += part.count }
            }
        }
        report.files = ordered.count
        report.bytes = bytes.withLock { $0 }
        return report
    }

    // MARK: Lines

    public enum LineFormat: String, Sendable, Hashable, CaseIterable {
        /// The metadata.json of each record on one line, including fields that this version does not know.
        case jsonl
        /// The fields of docs/results.md as columns, for runs and retries.
        case csv
    }

    /// Passes one line for each record to `receive`, newest first.
    public func lines(_ filter: RunFilter, as format: LineFormat, _ receive: @escaping @Sendable ([UInt8]) throws(ArtifactError) -> Void)
        async throws(ArtifactError) -> Report
    {
        let selected = try await store.list(filter)
        let keys = Set(selected.map { RecordKey(run: $0.id, retry: $0.retry) })
        let files = try await store.recordFiles { $0.isMetadata && $0.isReadable && keys.contains(RecordKey(run: $0.run, retry: $0.retry)) }
        let byKey = Dictionary(files.map { (RecordKey(run: $0.run, retry: $0.retry), $0) }, uniquingKeysWith: { first, _ in first })
        var report = Report()
        if format == .csv { try receive(CSVText.row(Self.columns)) }
        var rest = selected[...]
        while !rest.isEmpty {
            let piece = rest.prefix(2000)
            rest = rest.dropFirst(piece.count)
            let found = piece.map { (entry: $0, file: byKey[RecordKey(run: $0.id, retry: $0.retry)]) }
            let wanted = found.compactMap(\.file)
            let contents = Dictionary(zip(wanted, try await store.contents(wanted, limit: 16 << 20)), uniquingKeysWith: { first, _ in first })
            for (entry, file) in found {
                guard let file, let bytes = contents[file], let value = try? JSONValue(parsing: bytes), value.object != nil else {
                    report.leftOut.append("\(RecordKey(run: entry.id, retry: entry.retry).folder)/\(PendingRun.metadataFile)")
                    continue
                }
                report.records += 1
                try receive(format == .csv ? CSVText.row(Self.row(value)) : value.serialized() + [10])
            }
        }
        return report
    }

    private static let phases = ["setup", "install", "execute", "verify", "collect", "teardown"]
    private static let plain = [
        "runId", "kind", "jobName", "jobUid", "namespace", "agent", "model", "dataset", "task", "attempt", "rerun", "index", "retries", "reward",
        "passed", "outcome",
    ]
    private static let last = ["cost", "sourceRepo", "sourceCommit", "sourceRef", "evalFile", "startedAt", "timestamp"]
    private static let whole = ["scores", "exitCodes", "overlays", "config", "outputs"]

    /// Names of fields of metadata.json. An error becomes its type and message, timings become seconds, objects and arrays become compact JSON.
    static let columns = plain + ["errorType", "errorMessage"] + phases.map { "\($0)Seconds" } + last + whole

    private static func row(_ record: JSONValue) -> [String?] {
        func text(_ value: JSONValue?) -> String? { value.map { $0.string ?? $0.text } }
        return plain.map { text(record[$0]) } + [text(record.at("error", "type")), text(record.at("error", "message"))]
            + phases.map { text(record.at("timings", $0, "seconds")) } + last.map { text(record[$0]) } + whole.map { text(record[$0]) }
    }
}

/// Creates files one after another in a directory that nobody else writes to. None of the files exists before.
private final class ExportedFiles: Sendable {
    private let paths: [String]
    private let open = Locked<Int32>(-1)

    init(_ paths: [String]) { self.paths = paths }

    func write(_ index: Int, _ piece: ArraySlice<UInt8>, _ last: Bool) throws(FileError) {
        try open.withLock { (fd) throws(FileError) in
            let path = paths[index]
            if fd < 0 {
                try Directory.make(Path.parent(of: path))
                fd = Glibc.open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o644)
                guard fd >= 0 else { throw FileError("create", path) }
            }
            try FileWriting.write(piece, to: fd, path: path)
            guard last else { return }
            Glibc.close(fd)
            fd = -1
        }
    }

    func close() {
        open.withLock { fd in
            if fd >= 0 { Glibc.close(fd) }
            fd = -1
        }
    }
}
