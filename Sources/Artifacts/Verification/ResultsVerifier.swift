import Base
import EvalModel
import Git

/// Checks stored results: git's objects, the history, and each record.
public struct ResultsVerifier: Sendable {
    public struct Report: Sendable, Hashable {
        public var runs = 0
        public var retries = 0
        public var jobs = 0
        public var faults = 0
        public var notes = 0
    }

    /// Whether git's objects are checked, too. For a large repository that takes most of the time.
    public var checksObjects = true

    public init() {}

    /// Passes each finding to `receive` as soon as it is found.
    /// - Throws: when the check cannot be completed. That says nothing about the results.
    public func verify(_ store: any RecordStore, _ receive: @escaping @Sendable (Finding) -> Void) async throws(ArtifactError) -> Report {
        let report = Locked(Report())
        let found: @Sendable (Finding) -> Void = { finding in
            report.withLock { if finding.isFault { $0.faults += 1 } else { $0.notes += 1 } }
            receive(finding)
        }
        var committed: [RecordKey: RecordCheck.CommittedValues]?
        if let branch = store as? BranchReader { committed = try await history(branch, found) }
        let prefix = (store as? BranchReader).map { $0.path.isRoot ? "" : $0.path.text + "/" } ?? ""
        let documents = try await documents(store, prefix, found)
        try await records(store, documents, prefix, committed, report, found)
        if let committed {
            let there = Set(documents.keys)
            for (key, committed) in committed.sorted(by: { $0.key < $1.key }) where !there.contains(key) {
                found(
                    Finding(
                        .missing, "\(prefix)\(key.folder)/\(PendingRun.metadataFile)",
                        "a commit tells of this \(committed.kind.rawValue), and the branch does not have it: it was removed "
                            + "(restore it from that commit)"))
            }
        }
        // Objects are checked last, so that those fetched by the earlier checks are included.
        if checksObjects, let branch = store as? BranchReader { try await objects(branch, found) }
        return report.withLock { $0 }
    }

    // MARK: History

    private func history(_ branch: BranchReader, _ found: @escaping @Sendable (Finding) -> Void) async throws(ArtifactError) -> [RecordKey:
        RecordCheck.CommittedValues]
    {
        struct State {
            var committed: [RecordKey: RecordCheck.CommittedValues] = [:]
            var commits: [RecordKey: String] = [:]
            var foreign = 0
        }
        let state = Locked(State())
        let folder = Array(branch.path.text.utf8)
        do throws(GitError) {
            try await branch.git.history(branch.tip, in: branch.repository, remote: branch.remote) { commit in
                guard let trailers = RunTrailers(commit.message), let id = RunID(RunTrailers.text(trailers.id)) else {
                    if !BranchPruner.isOurs(commit.message) { state.withLock { $0.foreign += 1 } }
                    return true
                }
                // Records in other folders of the branch are not part of this check.
                guard trailers.isRecord(below: folder) else { return true }
                let key = RecordKey(run: id, retry: trailers.retry)
                state.withLock { state in
                    if state.committed[key] != nil {
                        found(
                            Finding(
                                .duplicate, commit.id.hex,
                                "commits \(key.folder) a second time (an earlier commit of it than the newest): a listing takes the newest one; two writers "
                                    + "that do not see each other, or a branch put together by hand, do this"))
                    } else {
                        state.committed[key] = .init(
                            kind: trailers.kind, reward: trailers.reward.flatMap(RunTrailers.number), outcome: trailers.outcome.map(RunTrailers.text))
                    }
                }
                return true
            }
            let (committed, foreign) = state.withLock { ($0.committed, $0.foreign) }
            for merge in try await branch.git.merges(in: branch.repository, of: branch.tip, remote: branch.remote) {
                found(
                    Finding(
                        .history, merge.hex,
                        "is a merge, and the history of results is one line of commits"
                            + (foreign > 0
                                ? "; others write to this branch, so it may be theirs" : ": something else than Assay wrote to this branch"),
                        isFault: foreign == 0))
            }
            return committed
        } catch {
            throw ArtifactError(error)
        }
    }

    private func objects(_ branch: BranchReader, _ found: (Finding) -> Void) async throws(ArtifactError) {
        do throws(GitError) {
            for line in try await branch.git.fsck(branch.repository) {
                found(Finding(.objects, branch.repository, "git fsck: \(line.replacingControls)"))
            }
        } catch {
            throw ArtifactError(error)
        }
    }

    // MARK: Records

    private struct Documents: Sendable {
        var metadata: RecordFile?
        var summary: RecordFile?
    }

    private func documents(_ store: any RecordStore, _ prefix: String, _ found: @escaping @Sendable (Finding) -> Void) async throws(ArtifactError)
        -> [RecordKey: Documents]
    {
        let folders = Locked(Set<RecordKey>())
        let files = try await store.recordFiles { file in
            let key = RecordKey(run: file.run, retry: file.retry)
            folders.withLock { _ = $0.insert(key) }
            return file.name == PendingRun.metadataFile || file.name == PendingRun.summaryFile
        }
        var documents: [RecordKey: Documents] = [:]
        for file in files {
            let key = RecordKey(run: file.run, retry: file.retry)
            guard file.isReadable else {
                found(Finding(.incomplete, prefix + file.path, "it is a link or a nested repository, not a file"))
                continue
            }
            if file.isMetadata { documents[key, default: Documents()].metadata = file } else { documents[key, default: Documents()].summary = file }
        }
        for key in folders.withLock({ $0 }).sorted() where documents[key]?.metadata == nil {
            documents[key] = nil
            found(
                Finding(
                    .incomplete, prefix + key.folder,
                    "it has no metadata.json, so it is no record: "
                        + (store is DirectoryReader
                            ? "a process that is writing it, or was ended while it did; the run that owns it writes it to its end"
                            : "restore it from an earlier commit")))
        }
        return documents
    }

    private func records(
        _ store: any RecordStore, _ documents: [RecordKey: Documents], _ prefix: String, _ committed: [RecordKey: RecordCheck.CommittedValues]?,
        _ report: Locked<Report>,
        _ found: @escaping @Sendable (Finding) -> Void
    ) async throws(ArtifactError) {
        var keys = documents.keys.sorted()[...]
        while !keys.isEmpty {
            // Reads a limited number of records at a time, so that they fit into memory.
            let piece = Array(keys.prefix(2000))
            keys = keys.dropFirst(piece.count)
            var files: [RecordFile] = []
            for key in piece { files += [documents[key]?.metadata, documents[key]?.summary].compactMap { $0 } }
            let contents = try await store.contents(files, limit: 16 << 20)
            let byPath = Dictionary(zip(files, contents).map { ($0.path, $1) }, uniquingKeysWith: { first, _ in first })
            let checks = piece.map { key in
                RecordCheck(
                    run: key.run, retry: key.retry, folder: prefix + key.folder, metadata: byPath["\(key.folder)/\(PendingRun.metadataFile)"] ?? [],
                    summary: byPath["\(key.folder)/\(PendingRun.summaryFile)"], committed: committed?[key])
            }
            for (check, findings) in zip(checks, await Self.inParallel(checks)) {
                report.withLock { report in
                    if check.retry != nil { report.retries += 1 } else if check.summary == nil { report.jobs += 1 } else { report.runs += 1 }
                }
                findings.forEach(found)
                if let committed, committed[RecordKey(run: check.run, retry: check.retry)] == nil {
                    found(
                        Finding(
                            .uncommitted, "\(check.folder)/\(PendingRun.metadataFile)",
                            "no commit of the branch's history tells of it, so no listing shows it: it was put there by hand, or its "
                                + "commit's message was changed"))
                }
            }
        }
    }

    /// Runs checks on several threads, because they need processor time and no disk.
    private static func inParallel(_ checks: [RecordCheck]) async -> [[Finding]] {
        let share = 250
        return await withTaskGroup(of: (Int, [[Finding]]).self) { group in
            for start in stride(from: 0, to: checks.count, by: share) {
                group.addTask { (start, checks[start..<min(start + share, checks.count)].map { $0.findings() }) }
            }
            var parts: [Int: [[Finding]]] = [:]
            for await (start, findings) in group { parts[start] = findings }
            return parts.sorted { $0.key < $1.key }.flatMap(\.value)
        }
    }
}

/// Identifies a record within a place.
struct RecordKey: Sendable, Hashable, Comparable {
    var run: RunID
    var retry: Int?

    var folder: String { retry.map { "\(run.path)/\(PendingRun.retriesFolder)/\($0)" } ?? run.path }

    static func < (a: RecordKey, b: RecordKey) -> Bool { (a.run, a.retry ?? -1) < (b.run, b.retry ?? -1) }
}
