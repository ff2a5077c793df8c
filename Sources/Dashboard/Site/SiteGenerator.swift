import Artifacts
import Base
import EvalModel
import Git

/// Creates or updates the site of a branch or directory of results.
///
/// Guarantees: files are replaced atomically. A page is written after the pages it links to, the overview last. A run that
/// did not change is not read or written again. Pages of removed runs are deleted after the links to them.
/// Assumption: one generator at a time for a folder, enforced by a lock. Memory: the facts of all runs (a few hundred bytes
/// each) and the files of one batch.
public struct SiteGenerator: Sendable {
    public struct Report: Sendable, Hashable {
        public var runs: Int
        public var jobs: Int
        /// Files written.
        public var written: Int
        /// Files of earlier versions removed.
        public var removed: Int
        /// Folders without a readable metadata.json.
        public var unreadable: [RunID]
    }

    let folder: SiteFolder
    let frame: SiteFrame
    /// The most runs that are read and rendered together.
    static let batch = 64
    /// The most bytes of a batch, as far as sizes are known. A single run may be larger, up to its own limits.
    static let batchBytes = 32 << 20

    /// - Parameters:
    ///   - title: shown on every page.
    ///   - isLive: whether the pages ask their server for newer versions of themselves.
    /// - Throws: when the folder exists, is not empty and is not a site.
    public init(directory: String, title: String, isLive: Bool = false) throws(DashboardError) {
        folder = try SiteFolder(directory)
        frame = SiteFrame(title: title, isLive: isLive)
    }

    /// - Parameter origin: where the results come from, shown on the overview.
    public func update(from reader: any RunReader, origin: String) async throws -> Report {
        let lock = try await FileLock.acquire("\(folder.path)/\(SiteState.file).lock", deadline: 600)
        defer { lock.release() }
        folder.written.withLock { $0 = 0 }
        let template = template
        let old = folder.state()
        let isSameTemplate = old?.template == template
        var state = SiteState(template: template)
        var changed: [RunFolder] = []
        for item in try await reader.folders() {
            if let entry = old?.entries[item.id], entry.version == item.version,
                entry.job != nil || entry.facts == nil
                    || isSameTemplate && folder.has(.run(item.id)) && entry.raw.allSatisfy({ folder.has(.raw(item.id, $0)) })
            {
                state.entries[item.id] = entry
            } else {
                changed.append(item)
            }
        }
        try writeAssets()
        while !changed.isEmpty {
            try Task.checkCancellation()
            let some = Array(changed.prefix(Self.batch))
            changed.removeFirst(some.count)
            for (id, entry) in try await write(some, from: reader) { state.entries[id] = entry }
        }
        return try finish(state, isSameTemplate ? old?.jobs ?? [:] : [:], origin)
    }

    /// A digest of the settings common to all pages.
    private var template: String {
        var hash = SHA256()
        for part in [DashboardVersion.layout, SiteAssets.styleSheet, SiteAssets.script, frame.title, frame.policy] {
            hash.update(part.utf8)
            hash.update([0])
        }
        return hash.hexDigest()
    }

    /// A digest of the input of a job's pages: its runs, its record, and the job it is compared with.
    private func digest(_ job: JobFacts, _ predecessor: JobFacts?, _ state: SiteState) -> String {
        var hash = SHA256()
        for part in [job, predecessor] {
            guard let part else { continue }
            hash.update("\(part.id) \(state.entries[part.id]?.version ?? "-")\n".utf8)
            for run in part.runs { hash.update("\(run.id) \(state.entries[run.id]?.version ?? "-")\n".utf8) }
        }
        return hash.hexDigest()
    }

    private func writeAssets() throws(DashboardError) {
        try folder.write(.style, Array(SiteAssets.styleSheet.utf8))
        try folder.write(.script, Array(SiteAssets.script.utf8))
        try folder.write(.icon, Array(SiteAssets.icon.utf8))
    }

    // MARK: Runs

    private func write(_ folders: [RunFolder], from reader: any RunReader) async throws -> [(RunID, SiteState.Entry)] {
        let lists = try await reader.files(of: folders)
        var result: [(RunID, SiteState.Entry)] = []
        var next = 0
        while next < folders.count {
            // As many runs as fit, but at least one.
            var wanted: [(run: Int, file: Int)] = []
            var bytes = 0
            let first = next
            repeat {
                let shown = lists[next].indices.filter { RunLimits.isShown(lists[next][$0].path) }.sorted {
                    rank(lists[next][$0]) < rank(lists[next][$1])
                }
                for file in shown.prefix(RunLimits.files) {
                    bytes += min(lists[next][file].size ?? 64 << 10, RunLimits.file)
                    wanted.append((next, file))
                }
                next += 1
            } while next < folders.count && bytes < Self.batchBytes
            let contents = try await reader.beginnings(of: wanted.map { lists[$0.run][$0.file] }, limit: RunLimits.file)
            var files = lists[first..<next].map { $0.map { RunDossier.File(path: $0.path, size: $0.size, bytes: nil) } }
            for (place, bytes) in zip(wanted, contents) {
                files[place.run - first][place.file].bytes = bytes
                // A file shorter than the limit was read completely.
                if files[place.run - first][place.file].size == nil, bytes.count < RunLimits.file {
                    files[place.run - first][place.file].size = bytes.count
                }
            }
            result += try await render(Array(zip(folders[first..<next], files)))
        }
        return result
    }

    /// The priority of a file: the most important files are read first.
    private func rank(_ file: RunFile) -> Int {
        switch file.path {
        case "metadata.json": 0
        case "transcript.jsonl", "trajectory.json": 1
        case let path where path.hasPrefix("retries/"): 2
        case let path where path.hasPrefix("logs/verifier/"): 3
        default: 4
        }
    }

    /// Renders in parallel.
    private func render(_ runs: [(RunFolder, [RunDossier.File])]) async throws -> [(RunID, SiteState.Entry)] {
        let width = 8
        return try await withThrowingTaskGroup(of: [(RunID, SiteState.Entry)].self) { group in
            for start in stride(from: 0, to: runs.count, by: width) {
                group.addTask {
                    try runs[start..<min(runs.count, start + width)].map { folder, files in (folder.id, try entry(folder, files)) }
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
    }

    private func entry(_ item: RunFolder, _ files: [RunDossier.File]) throws -> SiteState.Entry {
        var entry = SiteState.Entry(version: item.version, facts: nil, job: nil, raw: [])
        guard let bytes = files.first(where: { $0.path == "metadata.json" })?.bytes, let metadata = try? JSONValue(parsing: bytes) else {
            return entry
        }
        if let job = JobSummary(id: item.id, metadata: metadata) {
            entry.job = job
        } else if let facts = RunFacts(id: item.id, metadata: metadata) {
            let page = RunPage(RunDossier(facts: facts, metadata: metadata, files: files))
            for raw in page.raw { try folder.write(raw.path, raw.bytes) }
            try folder.write(page.path, page.bytes(frame))
            entry.facts = facts
            entry.raw = page.raw.map(\.number)
        }
        return entry
    }

    // MARK: Pages that depend on all runs

    /// - Parameter known: the digests of the existing jobs' pages.
    private func finish(_ state: SiteState, _ known: [RunID: String], _ origin: String) throws -> Report {
        var state = state
        let content = SiteContent(runs: state.entries.values.compactMap(\.facts), jobs: state.entries.values.compactMap(\.job))
        var kept: Set<SitePath> = [.style, .script, .icon]
        for (id, entry) in state.entries where entry.facts != nil {
            kept.insert(.run(id))
            for number in entry.raw { kept.insert(.raw(id, number)) }
        }
        for (job, predecessor) in content.jobsWithPredecessors {
            let pages = JobPages(job: job, predecessor: predecessor)
            let files = Set(pages.paths + [.jobData(job.id)])
            kept.formUnion(files)
            let digest = digest(job, predecessor, state)
            state.jobs[job.id] = digest
            if known[job.id] == digest, files.allSatisfy(folder.has) { continue }
            for page in pages.pages.reversed() { try folder.write(page.path, page.bytes(frame)) }
            try folder.write(.jobData(job.id), ComparePage.data(job))
        }
        for page in ListPages(content: content, origin: origin).all {
            try folder.write(page.path, page.bytes(frame))
            kept.insert(page.path)
        }
        try folder.save(state)
        let removed = folder.sweep(keeping: kept)
        return Report(
            runs: content.runs.count, jobs: content.jobs.count, written: folder.written.withLock { $0 }, removed: removed,
            unreadable: state.entries.filter { $0.value.facts == nil && $0.value.job == nil }.map(\.key).sorted())
    }
}

/// The version of the page layout. Raise it when pages change: older pages are then written again.
enum DashboardVersion {
    static let layout = "2"
}
